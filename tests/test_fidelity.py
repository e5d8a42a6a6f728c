"""The fidelity table says what is true of draws made to be good or bad."""

from __future__ import annotations

import numpy as np
import pytest

from builder.sampling import fidelity
from builder.table.tables import CATEGORY, NUMBER, Column, Table

pytest.importorskip("sklearn")


def rows(n: int, seed: int, *, shift: float = 0.0) -> Table:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    label = np.array(["武汉", "上海", None], dtype=object)[np.digitize(x, [-0.5, 1.0])]
    return Table(
        {
            "x": Column("x", NUMBER, x + shift),
            "y": Column("y", NUMBER, x + 0.1 * rng.normal(size=n)),
            "city": Column("city", CATEGORY, label),
        }
    )


@pytest.mark.slow
def test_rows_of_the_same_source_are_as_good_as_real() -> None:
    found = fidelity.compare(rows(800, 1), rows(800, 2), rows(800, 3), np.random.default_rng(0))
    assert found.ks > 0.92
    assert found.correlation < 0.05
    assert found.auc is not None
    assert abs(found.auc - 0.5) < 0.06
    assert found.closest is not None
    assert abs(found.closest - 0.5) < 0.06
    assert found.copies == 0


@pytest.mark.slow
def test_copies_are_seen() -> None:
    reference = rows(500, 1)
    found = fidelity.compare(reference, reference, rows(500, 2), np.random.default_rng(0))
    assert found.copies == 1
    assert found.closest == 1
    assert found.ks == 1


@pytest.mark.slow
def test_a_shift_is_seen_in_its_column_and_by_the_classifier() -> None:
    found = fidelity.compare(
        rows(800, 1, shift=2.0), rows(800, 2), rows(800, 3), np.random.default_rng(0)
    )
    by_name = {one.name: one for one in found.columns}
    assert by_name["x"].shift == pytest.approx(2.0, abs=0.15)
    assert by_name["x"].ks < 0.5
    assert by_name["x"].outside > 0.05
    assert by_name["y"].ks > 0.9
    assert found.auc is not None
    assert found.auc > 0.9


def test_columns_drawn_apart_lose_their_correlation() -> None:
    table = rows(800, 1)
    mixed = Table(
        {
            name: Column(name, column.kind, np.random.default_rng(i).permutation(column.values))
            for i, (name, column) in enumerate(table.columns.items())
        }
    )
    found = fidelity.compare(mixed, table, None, np.random.default_rng(0))
    assert found.ks == 1
    assert found.correlation > 0.5
    assert found.auc is None


def test_unknown_categories_and_missing_shares_count() -> None:
    reference = Table({"c": Column("c", CATEGORY, np.array(["a", "b"] * 50, dtype=object))})
    drawn = Table({"c": Column("c", CATEGORY, np.array(["a", "z"] * 50, dtype=object))})
    (found,) = fidelity.compare(drawn, reference, None, np.random.default_rng(0)).columns
    assert found.outside == 0.5
    assert found.ks == 0.5
    half = np.where(np.arange(100) % 2, np.nan, 1.0)
    missing = Table({"c": Column("c", NUMBER, half)})
    full = Table({"c": Column("c", NUMBER, np.ones(100))})
    (found,) = fidelity.compare(missing, full, None, np.random.default_rng(0)).columns
    assert found.ks == 0.5
