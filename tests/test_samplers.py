"""Every sampler, declared or fitted, keeps the contract of the plug point."""

from __future__ import annotations

import io
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from builder.errors import InputError
from builder.sampling import (
    fit,
    margins,
    normal,
    samplers,
)
from builder.sampling.sampler import Arrays, Sampler
from builder.table.tables import Column, Table, typed

FITTED = ("bootstrap", "cart", "copula", "gmm", "fit")
SLOW = ("gmm", "fit")
"""Those that fit many times to choose."""
DECLARED: list[tuple[str, Any]] = [
    ("uniform", [2, 5]),
    ("uniform", {"low": 0, "high": 1, "round": 1}),
    ("normal", [10, 2]),
    ("normal", {"mean": 0, "sd": 1, "min": 5, "max": 6}),
    ("lognormal", {"median": 100, "sigma": 1, "max": 300, "round": 2}),
    ("poisson", 3),
    ("poisson", {"mean": 3, "min": 2, "max": 4}),
    ("integer", [1, 6]),
    ("choice", ["甲", "乙", None]),
    ("choice", {1: 3, 2: 1}),
    ("date", ["2026-01-01", "2026-03-31"]),
]
RARELY = settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)


def fitted(name: str, table: Table, seed: int = 1, **options: Any) -> tuple[type[Sampler], Arrays]:
    sampler = samplers.sampler(name)
    return sampler, sampler.fit(table, sampler.options(options), np.random.default_rng(seed))


def mixed(n: int = 120, seed: int = 0) -> Table:
    """Floats on a grid, integers, categories in Chinese, dates, missing values, one constant."""
    rng = np.random.default_rng(seed)
    size = rng.gamma(2.0, 30.0, n)
    return Table(
        {
            "amount": typed("amount", [round(float(x), 2) for x in size]),
            "steps": typed("steps", [int(x) * 5 + 10 for x in size / 10]),
            "city": typed("city", [["武汉", "上海", None][int(x) % 3] for x in size]),
            "waited": typed("waited", [None if x > 90 else int(x) for x in size]),
            "day": typed("day", [f"2026-01-{int(x) % 28 + 1:02d}" for x in size]),
            "same": typed("same", [7] * n),
        }
    )


def same(one: dict[str, Column], other: dict[str, Column]) -> bool:
    return all(
        one[name].kind == other[name].kind and one[name].scalars() == other[name].scalars()
        for name in one
    )


@pytest.fixture(
    scope="module",
    params=[pytest.param(n, marks=[pytest.mark.slow] * (n in SLOW)) for n in FITTED],
)
def learnt(request: pytest.FixtureRequest) -> tuple[str, type[Sampler], Arrays]:
    return (request.param, *fitted(request.param, mixed()))


def test_every_built_in_sampler_loads_and_says_whether_it_is_fitted() -> None:
    assert {name for name in samplers.names() if samplers.sampler(name).fitted} >= set(FITTED)
    assert samplers.names() == sorted({*FITTED, *(name for name, _ in DECLARED)})
    assert samplers.declared() == sorted({name for name, _ in DECLARED})


def test_an_unknown_sampler_is_answered_with_the_nearest() -> None:
    with pytest.raises(InputError, match="Did you mean 'copula'"):
        samplers.sampler("copla")


@pytest.mark.parametrize(("name", "options"), DECLARED)
def test_a_declared_draw_grows_with_u_and_does_not_depend_on_chunks(
    name: str, options: Any
) -> None:
    sampler = samplers.sampler(name)
    arrays = sampler.fit(Table({}), sampler.options(options), np.random.default_rng(0))
    u = np.sort(np.random.default_rng(1).random((1000, 1)), axis=0)
    whole = sampler.draw(arrays, u)[""]
    if name != "choice":
        assert np.all(np.diff(whole.values) >= 0)
    parts = [sampler.draw(arrays, u[i : i + 7])[""].scalars() for i in range(0, 1000, 7)]
    assert [value for part in parts for value in part] == whole.scalars()


@pytest.mark.parametrize(
    ("name", "options", "low", "high"),
    [
        ("normal", {"mean": 0, "sd": 1, "min": 5, "max": 6}, 5, 6),
        ("normal", {"mean": 0, "sd": 1, "max": -20}, -21, -20),
        ("lognormal", {"median": 100, "sigma": 1, "min": 90, "max": 110}, 90, 110),
        ("poisson", {"mean": 100, "min": 130}, 130, 200),
    ],
)
def test_bounds_truncate_without_a_pile_at_the_edge(
    name: str, options: Any, low: float, high: float
) -> None:
    sampler = samplers.sampler(name)
    arrays = sampler.fit(Table({}), sampler.options(options), np.random.default_rng(0))
    values = sampler.draw(arrays, np.random.default_rng(1).random((20_000, 1)))[""].values
    assert values.min() >= low
    assert values.max() <= high
    if name != "poisson":
        assert len(np.unique(values)) > 19_900


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("uniform", [1, 0], "swap"),
        ("uniform", [1], "needs high"),
        ("uniform", {"lo": 1, "high": 2}, "Did you mean 'low'"),
        ("normal", {"mean": 1, "std": 2}, "Did you mean 'sd'"),
        ("normal", [1, 0], "above 0"),
        ("normal", {"mean": 0, "sd": 1, "min": 50}, "nothing of it"),
        ("normal", {"mean": 0, "sd": 1, "min": 0.2, "max": 0.8, "round": 0}, "no number"),
        ("poisson", "3", "is a number"),
        ("poisson", [1, 2], "takes"),
        ("integer", [1.5, 2], "whole"),
        ("lognormal", {"mu": 1, "median": 2, "sigma": 1}, "not both"),
        ("date", ["2026-1-1", "2026-03-31"], "2026-03-31"),
        ("choice", [], "at least one"),
        ("choice", {"a": 0}, "above 0"),
        ("choice", [True], "quote"),
        ("gmm", {"space": "row"}, "Did you mean 'raw'"),
        ("gmm", {"component": 2}, "Did you mean 'components'"),
        ("cart", {"leaf": 0}, "at least 1"),
        ("copula", {"k": 2}, "no option"),
    ],
)
def test_a_wrong_option_is_a_clear_sentence(name: str, options: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        samplers.sampler(name).options(options)


@pytest.mark.parametrize(
    ("name", "word"), [("gmm", "components"), ("cart", "leaf"), ("cart", "trees")]
)
def test_a_count_is_at_least_one(name: str, word: str) -> None:
    sampler = samplers.sampler(name)
    assert sampler.options({word: 1})[word] == 1
    with pytest.raises(ValueError, match=f"{word} is at least 1, not 0"):
        sampler.options({word: 0})


def test_normal_quantiles_are_exact_to_nine_digits_and_more() -> None:
    special = pytest.importorskip("scipy.special")
    p = np.concatenate([np.linspace(1e-6, 1 - 1e-6, 100_001), 10.0 ** -np.arange(1, 300)])
    exact = special.ndtri(p)
    assert np.max(np.abs(normal.quantile(p) - exact) / np.maximum(1, np.abs(exact))) < 1e-14


def test_a_fitted_draw_does_not_depend_on_chunks(
    learnt: tuple[str, type[Sampler], Arrays],
) -> None:
    _, sampler, arrays = learnt
    u = np.random.default_rng(2).random((500, sampler.width(arrays)))
    whole = Table(sampler.draw(arrays, u))
    for size in (1, 3, 8, 33, 499):
        start = 0
        while start < 500:
            rows = slice(start, min(start + size, 500))
            part = sampler.draw(arrays, u[rows])
            assert same(part, dict(whole.take(np.arange(500)[rows]).columns))
            start += size if size > 1 else 37


@pytest.mark.parametrize(
    ("name", "options", "rows"),
    [
        (
            "bootstrap", {},
            [
                (3.68, 10, "武汉", 3, "2026-01-04", 7),
                (34.28, 25, "上海", 34, "2026-01-07", 7),
                (65.16, 40, None, 65, "2026-01-10", 7),
                (152.15, 85, None, None, "2026-01-13", 7),
            ],
        ),
        (
            "cart", {},
            [
                (3.68, 15, None, 15, "2026-01-16", 7),
                (15.05, 10, None, 16, "2026-01-27", 7),
                (15.6, 15, "上海", 3, "2026-01-28", 7),
                (26.1, 20, "武汉", 26, "2026-01-14", 7),
            ],
        ),
        (
            "copula", {},
            [
                (7.25, 10, "武汉", 7, "2026-01-07", 7),
                (14.94, 15, "武汉", 15, "2026-01-09", 7),
                (15.48, 15, "武汉", 15, "2026-01-11", 7),
                (18.74, 15, "武汉", 21, "2026-01-14", 7),
            ],
        ),
        (
            "gmm", {"components": 2, "space": "raw"},
            [
                (20.32, 15, "武汉", 21, "2026-01-18", 7),
                (23.05, 20, "武汉", 24, "2026-01-19", 7),
                (25.5, 20, "武汉", 26, "2026-01-20", 7),
                (27.75, 20, "武汉", 29, "2026-01-21", 7),
            ],
        ),
        (
            "gmm", {"components": 2, "space": "scores"},
            [
                (15.37, 15, "武汉", 15, "2026-01-11", 7),
                (15.72, 15, "武汉", 15, "2026-01-13", 7),
                (17.45, 15, "武汉", 16, "2026-01-16", 7),
                (22.04, 20, "武汉", 20, "2026-01-16", 7),
            ],
        ),
    ],
)  # fmt: skip
def test_the_same_u_draws_what_it_always_drew(
    name: str, options: dict[str, Any], rows: list[tuple[object, ...]]
) -> None:
    # A draw that moves is another request, which is asked and paid again.
    sampler, arrays = fitted(name, mixed(60), **options)
    width = sampler.width(arrays)
    u = np.linspace(0.03, 0.97, 4 * width).reshape(width, 4).T
    columns = sampler.draw(arrays, u)
    assert list(zip(*(column.scalars() for column in columns.values()), strict=True)) == rows


DECLARED_DRAWS: list[tuple[str, Any, list[Any]]] = [
    ("uniform", [2, 5], [2.000000003, 2.6, 3.5, 4.925]),
    ("uniform", {"low": 0, "high": 1, "round": 1}, [0.0, 0.2, 0.5, 1.0]),
    ("normal", [10, 2], [-1.995614030015373, 8.316757532854172, 10.0, 13.919927969080106]),
    (
        "normal",
        {"mean": 0, "sd": 1, "min": 5, "max": 6},
        [5.000000000192144, 5.042688098872778, 5.131371763283919, 5.6477469267331495],
    ),
    (
        "lognormal",
        {"median": 100, "sigma": 1, "max": 300, "round": 2},
        [0.24, 38.94, 84.26, 273.05],
    ),
    ("poisson", 3, [0, 2, 3, 7]),
    ("poisson", {"mean": 3, "min": 2, "max": 4}, [2, 2, 3, 4]),
    ("integer", [1, 6], [1, 2, 4, 6]),
    ("choice", ["甲", "乙", None], ["甲", "甲", "乙", None]),
    ("choice", {1: 3, 2: 1}, [1, 1, 1, 2]),
    (
        "date",
        ["2026-01-01", "2026-03-31"],
        ["2026-01-01", "2026-01-19", "2026-02-15", "2026-03-29"],
    ),
]


@pytest.mark.parametrize(("name", "options", "drawn"), DECLARED_DRAWS)
def test_the_same_u_draws_what_a_distribution_always_gave(
    name: str, options: Any, drawn: list[Any]
) -> None:
    sampler = samplers.sampler(name)
    arrays = sampler.fit(Table({}), sampler.options(options), np.random.default_rng(0))
    values = sampler.draw(arrays, np.array([[1e-9], [0.2], [0.5], [0.975]]))[""].scalars()
    assert values == pytest.approx(drawn) if isinstance(drawn[0], float) else values == drawn


def test_a_fit_survives_npz_without_pickle(learnt: tuple[str, type[Sampler], Arrays]) -> None:
    _, sampler, arrays = learnt
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, **arrays)
    file.seek(0)
    with np.load(file, allow_pickle=False) as kept:
        loaded = dict(kept)
    u = np.random.default_rng(3).random((200, sampler.width(arrays)))
    assert same(sampler.draw(arrays, u), sampler.draw(loaded, u))


def test_the_order_of_the_rows_changes_nothing(learnt: tuple[str, type[Sampler], Arrays]) -> None:
    name, _, arrays = learnt
    shuffled = mixed().take(np.random.default_rng(9).permutation(120))
    _, again = fitted(name, shuffled)
    assert arrays.keys() == again.keys()
    for key, value in arrays.items():
        assert np.array_equal(value, again[key], equal_nan=value.dtype.kind == "f"), key


def test_values_stay_in_bounds_and_on_the_grid(learnt: tuple[str, type[Sampler], Arrays]) -> None:
    _, sampler, arrays = learnt
    table = mixed()
    drawn = Table(
        sampler.draw(arrays, np.random.default_rng(4).random((5000, sampler.width(arrays))))
    )
    assert list(drawn.columns) == list(table.columns)
    for name, column in table.columns.items():
        got = drawn.columns[name]
        assert got.kind == column.kind
        if not column.numeric:
            assert set(got.scalars()) <= set(column.scalars())
            continue
        there = got.values[~np.isnan(got.values)]
        assert there.min() >= np.nanmin(column.values)
        assert there.max() <= np.nanmax(column.values)
        assert abs(np.isnan(got.values).mean() - np.isnan(column.values).mean()) < 0.1
    assert np.all(drawn.columns["steps"].values % 5 == 0)
    amounts = drawn.columns["amount"].values
    assert np.array_equal(amounts, amounts.round(2))


@pytest.mark.slow
@pytest.mark.parametrize("space", ["raw", "scores"])
def test_extreme_uniform_numbers_stay_within_bounds(space: str) -> None:
    table = mixed()
    sampler, arrays = fitted("gmm", table, space=space)
    for u in (1e-16, 0.5, 1 - 1.2e-16):
        drawn = sampler.draw(arrays, np.full((3, sampler.width(arrays)), u))
        values = drawn["amount"].values
        assert np.all(values >= np.nanmin(table.columns["amount"].values))
        assert np.all(values <= np.nanmax(table.columns["amount"].values))


numbers = st.lists(
    st.one_of(
        st.none(),
        st.integers(-1000, 1000),
        st.decimals(-1000, 1000, places=2).map(float),
        st.floats(-1e6, 1e6, allow_subnormal=False),
    ),
    min_size=30,
    max_size=60,
)
words = st.lists(
    st.one_of(st.none(), st.sampled_from(["甲", "乙", "a", "長い名前", "<b>"])),
    min_size=30,
    max_size=60,
)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["bootstrap", "cart", "copula", "gmm"])
@RARELY
@given(one=numbers, other=words, seed=st.integers(0, 1000))
def test_any_table_is_learnt_and_drawn_within_its_values(
    name: str, one: list[Any], other: list[Any], seed: int
) -> None:
    n = min(len(one), len(other))
    table = Table({"x": typed("x", one[:n]), "名": typed("名", other[:n])})
    options = {"space": ["raw", "scores"][seed % 2]} if name == "gmm" else {}
    sampler, arrays = fitted(name, table, seed, **options)
    u = np.random.default_rng(seed).random((64, sampler.width(arrays)))
    whole = sampler.draw(arrays, u)
    assert same(sampler.draw(arrays, u[:10]), dict(Table(whole).take(np.arange(10)).columns))
    assert whole["x"].kind == table.columns["x"].kind
    if whole["x"].numeric:
        there = whole["x"].values[~np.isnan(whole["x"].values)]
        assert np.all(there >= np.nanmin(table.columns["x"].values))
        assert np.all(there <= np.nanmax(table.columns["x"].values))
    assert set(whole["名"].scalars()) <= set(table.columns["名"].scalars())


@pytest.mark.parametrize(
    ("numbers", "step", "decimals"),
    [
        ([0.5, 1.25, 2.0], 75.0, 2),
        ([100, 300, 700], 2.0, -2),
        ([0.1, 0.2, 0.3], 1.0, 1),
        ([3], 1.0, 0),
    ],
)
def test_a_grid_is_the_coarsest_that_holds_every_number(
    numbers: list[float], step: float, decimals: int
) -> None:
    x = np.array(numbers, dtype=np.float64)
    found = margins.grid(x)
    assert (found.step, found.decimals) == (step, decimals)
    assert np.array_equal(found.snap(x), x)


@pytest.mark.parametrize("name", ["cart", "copula", "gmm", "fit"])
def test_too_few_rows_are_said_with_the_number_needed(name: str) -> None:
    with pytest.raises(ValueError, match="needs at least"):
        fitted(name, mixed(4))


@pytest.mark.slow
def test_values_missing_by_chance_do_not_hide_what_the_others_depend_on() -> None:
    rng = np.random.default_rng(5)
    north = rng.random(400) < 0.5
    noise = [typed(f"noise{i}", rng.normal(size=400).tolist()) for i in range(4)]
    waited = [None if rng.random() < 0.15 else int(rng.poisson(9 if cold else 3)) for cold in north]
    table = Table(
        {"region": typed("region", ["华北" if cold else "华南" for cold in north])}
        | {column.name: column for column in noise}
        | {"waited": typed("waited", waited)}
    )
    sampler, arrays = fitted("cart", table)
    u = np.random.default_rng(6).random((20_000, sampler.width(arrays)))
    drawn = sampler.draw(arrays, u)
    for region in ("华北", "华南"):
        means = [
            np.nanmean(columns["waited"].values[columns["region"].values == region])
            for columns in (table.columns, drawn)
        ]
        assert abs(means[0] - means[1]) < 0.5
    assert abs(np.isnan(drawn["waited"].values).mean() - 0.15) < 0.05


@pytest.mark.slow
def test_fit_keeps_what_it_tried_and_draws_as_the_chosen_sampler() -> None:
    sampler, arrays = fitted("fit", mixed())
    tried = fit.choice(arrays)
    assert tried[0][0] == arrays["chosen"].item()
    assert {name for name, _ in tried} <= set(fit.WAYS)
    chosen = fit.WAYS[tried[0][0]][0]
    u = np.random.default_rng(0).random((50, sampler.width(arrays)))
    assert same(sampler.draw(arrays, u), chosen.draw(arrays, u))


@pytest.mark.slow
def test_drawing_needs_numpy_alone(tmp_path: Any) -> None:
    script = [
        "import sys, numpy as np",
        "from builder.sampling import samplers",
        "for name in sys.argv[1:]:",
        "    arrays = dict(np.load(f'{name}.npz'))",
        "    s = samplers.sampler(name)",
        "    s.draw(arrays, np.random.default_rng(0).random((10, s.width(arrays))))",
        "assert not {'scipy', 'sklearn', 'pandas'} & set(sys.modules), sorted(sys.modules)",
    ]
    for name in FITTED:
        np.savez(tmp_path / f"{name}.npz", allow_pickle=False, **fitted(name, mixed())[1])
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(script), *FITTED],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_a_value_at_a_bound_has_as_wide_a_cell_as_any() -> None:
    sampler, arrays = fitted(
        "gmm", Table({"x": typed("x", [0, 1] * 20)}), components=1, space="raw"
    )
    u = np.random.default_rng(2).random((20_000, sampler.width(arrays)))
    u[:, 1] = (np.arange(20_000) + 0.5) / 20_000
    assert sampler.draw(arrays, u)["x"].values.mean() == pytest.approx(0.5, abs=0.005)


def test_a_single_column_is_learnt_from_too() -> None:
    sampler, arrays = fitted("copula", Table({"x": typed("x", [1, 2, 2, 3] * 10)}))
    u = (np.arange(400)[:, None] + 0.5) / 400
    values, counts = np.unique(sampler.draw(arrays, u)["x"].values, return_counts=True)
    assert (values.tolist(), counts.tolist()) == ([1, 2, 3], [100, 200, 100])
