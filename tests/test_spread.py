"""How rows are shared among combinations: exact, even or fair by weight, and undisturbed by edits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builder.errors import InputError, Place
from builder.plan import spread
from builder.plan.spread import Mask, Source
from builder.project import axes
from builder.project.axes import Axis, Grid, Value
from builder.project.words import Rows

HERE = Place(Path("x.yaml"), 1, 1)
Cases = list[tuple[tuple[tuple[str, Any], ...], int]]
grids = st.lists(st.integers(1, 5), min_size=1, max_size=3)
seeds = st.integers(0, 2**40)
quick = settings(max_examples=60, deadline=None)


def axis(name: str, weights: Sequence[float]) -> Axis:
    values = (Value(f"{name}{i}", weight) for i, weight in enumerate(weights))
    return Axis(name, tuple(values), HERE)


def even(sizes: Sequence[int]) -> list[Axis]:
    return [axis(f"axis{number}", [1.0] * size) for number, size in enumerate(sizes)]


def cases(grid: Grid, seed: int, rows: Rows, mask: Mask | None = None) -> Cases:
    """The shared cases in plan order, combinations spelt out whatever the order of axes."""
    shared = spread.share(spread.source(grid, seed), rows, mask)
    named = [tuple(sorted(combination.items())) for combination in grid.combinations(shared.index)]
    return list(zip(named, shared.occurrence.tolist(), strict=True))


def counts(found: Cases) -> Counter[tuple[tuple[str, Any], ...]]:
    return Counter(combination for combination, _ in found)


def in_row(found: Cases) -> bool:
    """Whether each combination has its occurrences 0, 1, 2, … in that order."""
    met: Counter[Any] = Counter()
    for combination, occurrence in found:
        if occurrence != met[combination]:
            return False
        met[combination] += 1
    return True


@quick
@given(grids, st.integers(1, 80), seeds)
def test_a_total_is_exact_and_equal_weights_lie_within_one_row(
    sizes: list[int], total: int, seed: int
) -> None:
    grid = axes.cross(even(sizes))
    found = cases(grid, seed, Rows(total=total))
    shares = counts(found)
    assert len(found) == total
    assert in_row(found)
    most = max(shares.values())
    assert most - (min(shares.values()) if len(shares) == grid.size else 0) <= 1


@quick
@given(grids, st.integers(1, 40), st.integers(1, 40), seeds)
def test_more_rows_go_behind_those_that_were_planned(
    sizes: list[int], total: int, more: int, seed: int
) -> None:
    grid = axes.cross(even(sizes))
    few, many = (cases(grid, seed, Rows(total=n)) for n in (total, total + more))
    assert many[:total] == few


@quick
@given(grids, st.integers(1, 4), seeds)
def test_rows_of_each_combination_go_behind_those_that_were_planned(
    sizes: list[int], each: int, seed: int
) -> None:
    grid = axes.cross(even(sizes))
    few, many = (cases(grid, seed, Rows(each=n)) for n in (each, each + 1))
    assert many[: len(few)] == few
    assert set(counts(few).values()) == {each}
    assert len(counts(few)) == grid.size


@quick
@given(st.lists(st.floats(0.01, 100), min_size=1, max_size=8), st.integers(1, 5), seeds)
def test_the_least_of_each_comes_first_and_the_total_stays_exact(
    weights: list[float], least: int, seed: int
) -> None:
    grid = axes.cross([axis("tone", weights)])
    total = least * len(weights) + 13
    found = cases(grid, seed, Rows(total=total, least=least))
    assert len(found) == total
    assert in_row(found)
    assert min(counts(found).values()) >= least
    assert len(counts(found)) == len(weights)
    assert found[: least * len(weights)] == cases(grid, seed, Rows(each=least))


@quick
@given(grids, st.integers(1, 60), seeds, st.data())
def test_a_new_value_leaves_the_other_combinations_cases_as_they_were(
    sizes: list[int], total: int, seed: int, data: st.DataObject
) -> None:
    grown = data.draw(st.integers(0, len(sizes) - 1))
    before = axes.cross(even(sizes))
    after = axes.cross(even([n + (i == grown) for i, n in enumerate(sizes)]))
    new = (f"axis{grown}", f"axis{grown}{sizes[grown]}")
    for rows in (Rows(total=total), Rows(each=2)):
        kept = [case for case in cases(after, seed, rows) if new not in case[0]]
        endless = cases(before, seed, Rows(total=total) if rows.total else rows)
        assert kept == endless[: len(kept)]


@quick
@given(grids, st.integers(1, 60), seeds)
def test_the_order_of_axes_is_no_matter(sizes: list[int], total: int, seed: int) -> None:
    listed = even(sizes)
    one, other = axes.cross(listed), axes.cross(listed[::-1])
    assert cases(one, seed, Rows(total=total)) == cases(other, seed, Rows(total=total))


@quick
@given(grids, st.integers(1, 60), seeds, st.data())
def test_what_keep_removes_leaves_the_others_as_they_were(
    sizes: list[int], total: int, seed: int, data: st.DataObject
) -> None:
    grid = axes.cross(even(sizes))
    flags = data.draw(st.lists(st.booleans(), min_size=sizes[0], max_size=sizes[0]).filter(any))
    mask = Mask(grid, (((0,), np.array(flags)),))
    kept = {f"axis0{i}" for i, flag in enumerate(flags) if flag}
    found = cases(grid, seed, Rows(total=total), mask)
    assert len(found) == total
    assert {dict(combination)["axis0"] for combination, _ in found} <= kept
    whole = cases(grid, seed, Rows(total=total * sizes[0] + grid.size))
    of_kept = [case for case in whole if dict(case[0])["axis0"] in kept]
    assert found == of_kept[:total]
    assert spread.share(spread.source(grid, seed), Rows(each=1), mask).kept == grid.size * sum(
        flags
    ) // len(flags)


def test_unequal_weights_are_fair_on_average() -> None:
    weights = {"often": 6.0, "seldom": 3.0, "hardly": 1.0}
    grid = axes.cross([axis("tone", list(weights.values()))])
    total, runs = 7, 2000
    shares: Counter[Any] = Counter()
    for seed in range(runs):
        shares.update(counts(cases(grid, seed, Rows(total=total))))
    for combination, share in shares.items():
        weight = [6.0, 3.0, 1.0][int(combination[0][1][-1])]
        assert share / (runs * total) == pytest.approx(weight / 10, abs=0.01)


def test_unequal_weights_come_near_their_shares_in_each_plan() -> None:
    weights = [60.0, 25.0, 10.0, 4.0, 1.0]
    grid = axes.cross([axis("tone", weights)])
    for seed in range(50):
        found = counts(cases(grid, seed, Rows(total=1000)))
        for combination, share in found.items():
            assert abs(share - 10 * weights[int(combination[0][1][-1])]) <= 3


def test_a_plan_smaller_than_its_grid_is_a_fair_sample() -> None:
    grid = axes.cross(even([10, 10]))
    met: Counter[Any] = Counter()
    for seed in range(400):
        found = counts(cases(grid, seed, Rows(total=20)))
        assert max(found.values()) == 1
        met.update(found)
    assert len(met) == 100
    assert met.total() == 400 * 20
    assert 40 < min(met.values()) <= max(met.values()) < 130  # 80 expected, sd 8


@pytest.mark.parametrize("scale", [2.0**-20, 4.0, 2.0**20])
def test_weights_count_in_proportion(scale: float) -> None:
    weights = [5.0, 3.0, 0.5]
    one = axes.cross([axis("tone", weights)])
    other = axes.cross([axis("tone", [weight * scale for weight in weights])])
    assert cases(one, 3, Rows(total=99)) == cases(other, 3, Rows(total=99))


def test_extreme_weights_end_with_the_exact_total() -> None:
    listed = [axis(name, [axes.MOST_WEIGHT, 1.0, axes.LEAST_WEIGHT]) for name in "abcd"]
    grid = axes.cross(listed)
    for rows in (Rows(total=500), Rows(total=500, least=2)):
        found = cases(grid, 1, rows)
        assert len(found) == 500
        assert in_row(found)


def test_a_million_combinations_are_sampled_at_once() -> None:
    grid = axes.cross(even([100, 100, 100]))
    source = spread.source(grid, 0)
    shared = spread.share(source, Rows(total=1000))
    assert len(np.unique(shared.index)) == 1000
    assert shared.kept == 10**6


def test_ten_million_combinations_are_the_most() -> None:
    with pytest.raises(InputError, match="at most 10,000,000"):
        axes.cross(even([10, 10, 10, 10, 10, 10, 11]))


def numbers(source: Source, n: int, purpose: str = "x", width: int = 3, redraw: int = 0) -> Any:
    index = np.arange(n, dtype=np.int64) % source.grid.size
    occurrence = (np.arange(n) // source.grid.size).astype(np.int32)
    return source.uniforms(index, occurrence, purpose, width, redraw)


def test_uniform_numbers_lie_between_0_and_1_and_look_independent() -> None:
    source = spread.source(axes.cross(even([20, 10])), 5)
    columns = [
        numbers(source, 20_000),
        numbers(source, 20_000, "y"),
        numbers(source, 20_000, redraw=1),
    ]
    every = np.concatenate(columns, axis=1)
    assert every.min() > 0
    assert every.max() < 1
    assert np.allclose(every.mean(axis=0), 0.5, atol=0.01)
    assert np.allclose(every.var(axis=0), 1 / 12, atol=0.003)
    correlated = np.corrcoef(every, rowvar=False) - np.eye(9)
    assert np.abs(correlated).max() < 0.03


@quick
@given(st.integers(1, 50), st.integers(0, 50), st.integers(1, 6), seeds)
def test_a_number_follows_from_its_case_alone(n: int, cut: int, width: int, seed: int) -> None:
    source = spread.source(axes.cross(even([3, 4])), seed)
    whole = numbers(source, n, width=width)
    index = np.arange(n, dtype=np.int64) % 12
    occurrence = (np.arange(n) // 12).astype(np.int32)
    parts = [
        source.uniforms(index[some], occurrence[some], "x", width)
        for some in (slice(cut), slice(cut, None))
    ]
    assert np.array_equal(whole, np.concatenate(parts))
    assert np.array_equal(whole[:, : width - 1], numbers(source, n, width=width)[:, : width - 1])


def test_dependent_axes_are_crossed_within_their_parents() -> None:
    product = Axis("product", (Value("phone"), Value("lamp")), HERE)
    within = {"phone": (Value("screen"), Value("battery", 2.0)), "lamp": (Value("bulb"),)}
    fault = Axis("fault", (), HERE, parent="product", by_parent=within)
    for order in ([product, fault], [fault, product]):
        grid = axes.cross(order)
        found = grid.combinations(np.arange(grid.size))
        pairs = {(combination["product"], combination["fault"]) for combination in found}
        assert pairs == {("phone", "screen"), ("phone", "battery"), ("lamp", "bulb")}
        assert list(found[0]) == [listed.name for listed in order]
        assert sorted(grid.blocks[0].weights.tolist()) == [1.0, 1.0, 2.0]
