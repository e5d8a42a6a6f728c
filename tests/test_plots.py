"""The page of a draw is one file, well formed and inert."""

from __future__ import annotations

import re
from xml.dom import minidom

import numpy as np
import pytest

from builder.sampling import pages
from builder.table.tables import CATEGORY, NUMBER, Column, Table, typed

pytestmark = pytest.mark.slow


def table(n: int, seed: int) -> Table:
    rng = np.random.default_rng(seed)
    evil = ["<script>alert(1)</script>", "a&b", None, "武汉\x01"]
    return Table(
        {
            "x<y": typed("x<y", rng.normal(size=n).tolist()),
            "k": typed("k", [None if v > 8 else int(v) for v in rng.integers(0, 10, n)]),
            "城市": Column("城市", CATEGORY, np.array(evil, dtype=object)[rng.integers(0, 4, n)]),
            "day": typed("day", [f"2026-01-{v:02d}" for v in rng.integers(1, 28, n)]),
            "empty": Column("empty", NUMBER, np.full(n, np.nan)),
        }
    )


def test_the_page_is_well_formed_inert_and_self_contained() -> None:
    page = pages.page("<b>title & more", table(300, 1), table(200, 2), np.random.default_rng(0))
    minidom.parseString(page)
    assert "<script" not in page
    assert "<b>" not in page
    links = re.findall(r"(?:href|src|url\()\S*", page)
    assert not links
    assert re.findall(r"https?://[^\"]*", page) == ["http://www.w3.org/2000/svg"]


def test_the_same_tables_give_the_same_page() -> None:
    drawn = {pages.page("t", table(300, 1), table(200, 2), np.random.default_rng(0)) for _ in "12"}
    assert len(drawn) == 1


@pytest.mark.parametrize("names", [["x<y"], ["城市"], ["empty"], ["x<y", "城市"]])
def test_few_columns_make_a_page_too(names: list[str]) -> None:
    minidom.parseString(
        pages.page(
            "t", table(30, 1).select(names), table(20, 2).select(names), np.random.default_rng(0)
        )
    )


def test_many_columns_are_cut_with_a_word() -> None:
    wide = Table({f"c{i}": typed(f"c{i}", list(range(i, i + 30))) for i in range(30)})
    page = pages.page("t", wide, wide, np.random.default_rng(0))
    assert "and 6 more columns" in page
