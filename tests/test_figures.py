"""The pictures of report and card: each mark stands where its figure says."""

from __future__ import annotations

import re
from xml.dom import minidom

import numpy as np
import pytest

from builder import svg
from builder.dataset import charts
from builder.dataset.manifests import AxisShares
from builder.quality import figures
from builder.quality.labels import lengths
from builder.quality.report_file import Judged, Summary


def marks(picture: str, name: str, attribute: str) -> list[float]:
    """An attribute of every element of a class, in order."""
    nodes = minidom.parseString(picture).getElementsByTagName("*")
    return [float(n.getAttribute(attribute)) for n in nodes if n.getAttribute("class") == name]


def words(picture: str) -> list[str]:
    nodes = minidom.parseString(picture).getElementsByTagName("text")
    return [
        "".join(c.data for c in node.childNodes if isinstance(c, minidom.Text)) for node in nodes
    ]


def test_whole_numbers_get_a_bar_each() -> None:
    picture = figures.marginal(np.array([1.0, 1, 2, 4]), np.empty(0))
    assert marks(picture, "ours", "height") == [100, 50, 0, 50]
    assert words(picture) == ["1", "4"]
    assert "line-reference" not in picture


def test_other_numbers_get_bins_and_the_reference_a_line() -> None:
    rng = np.random.default_rng(0)
    picture = figures.marginal(rng.normal(size=300), rng.normal(size=200))
    assert len(marks(picture, "ours", "height")) == 24
    assert picture.count("line-reference") == 1
    assert max(marks(picture, "ours", "height")) <= 100
    assert len(marks(figures.marginal(np.full(3, 0.5), np.empty(0)), "ours", "height")) == 24
    assert len(marks(figures.marginal(np.empty(0), np.empty(0)), "ours", "height")) == 2


def test_shares_come_largest_first_with_the_references_as_a_mark() -> None:
    picture = figures.shares({"a": 0.25, "b": 0.75}, {"a": 0.9, "c": 0.1})
    assert words(picture) == ["a", "25%", "b", "75%", "c", "0%"]
    assert marks(picture, "ours", "width") == [pytest.approx(44.4), pytest.approx(133.3), 0]
    assert marks(picture, "mark-reference", "x1") == [260, 100, pytest.approx(117.8)]
    assert "mark-reference" not in figures.shares({"a": 1.0}, {})
    many = {f"v{k:02}": 1 / 12 for k in range(12)}
    assert len(marks(figures.shares(many, {}), "ours", "width")) == 10


def test_cells_that_are_short_of_the_plan_are_outlined() -> None:
    filled, planned = np.array([[4.0, 1], [0, 0]]), np.array([[4.0, 2], [3, 0]])
    picture = figures.heat(["x", "y"], ["a", "b"], filled, planned)
    assert re.findall(r"heat-\d", picture) == ["heat-8", "heat-4", "heat-0", "heat-0"]
    assert picture.count('class="short"') == 2
    assert words(picture) == ["a", "b", "x", "4/4", "1/2", "y", "0/3", "0/0"]
    assert re.findall(r"on-\w+", picture) == ["on-dark", "on-light", "on-light", "on-light"]
    alone = figures.heat(["x"], ["a", "b"], np.array([[4.0, 2]]), None)
    assert re.findall(r"heat-\d", alone) == ["heat-8", "heat-4"]
    assert "short" not in alone


def test_boxes_stand_at_the_quantiles() -> None:
    spans = lengths(["a"] * 5 + ["b"] * 5, ["x" * n for n in (0, 10, 20, 30, 40)] * 2)
    picture = figures.boxes(spans, {"a": 0.5})
    assert marks(picture, "whisker", "x1") == [150, 150]
    assert marks(picture, "whisker", "x2") == [490, 490]
    assert marks(picture, "median", "x1") == [320, 320]
    assert marks(picture, "ours", "x") == [235, 560, 235]
    assert marks(picture, "ours", "width") == [170, 70, 170]
    assert words(picture)[-1] == "–"


def test_reasons_come_most_frequent_first() -> None:
    picture = figures.bars({f"r{k:02}": k for k in range(1, 15)})
    assert words(picture)[:4] == ["r14", "14", "r13", "13"]
    assert len(marks(picture, "missing", "width")) == 12
    assert marks(picture, "missing", "width")[0] == 340


def test_points_without_a_row_near_them_are_ringed() -> None:
    points = np.array([[0.0, 0.0], [1.0, 1.0]])
    picture = figures.plane(points, points, np.array([True, False]))
    groups = re.findall(r'<g class="([\w-]+)">(.*?)</g>', picture)
    assert [(name, inside.count("<circle")) for name, inside in groups] == [
        ("dot-reference", 1),
        ("dot-ours", 2),
        ("dot-missing", 1),
    ]
    assert figures.plane(points, points, np.array([True, True])).count("<circle") == 4


def bar_widths(picture: str) -> list[float]:
    nodes = minidom.parseString(picture).getElementsByTagName("rect")[1:]
    return [float(node.getAttribute("width")) for node in nodes]


def test_a_card_shows_twelve_values_of_an_axis_and_the_others_as_one() -> None:
    values = {f"v{k:02}": 14 - k for k in range(14)}
    picture = charts.shares({"tone": AxisShares(values=values, other=5, distinct=20)})
    assert words(picture)[:4] == ["Rows by axis", "tone", "v00", "14"]
    assert words(picture)[-2:] == ["others", "8"]
    assert len(bar_widths(picture)) == 13
    assert bar_widths(picture)[0] == pytest.approx(350 * 14 / 110, abs=0.05)
    few = charts.shares({"tone": AxisShares(values={"a": 1}, other=0, distinct=1)})
    assert words(few) == ["Rows by axis", "tone", "a", "1"]
    assert bar_widths(few) == [350]


def test_a_bar_of_a_gate_ends_at_the_limit_when_it_is_used_up() -> None:
    judged = [
        Judged("drift.ks", "amount", 0.1, 0.1, "pass", upper=True),
        Judged("drift.ks", "", 0.5, 0.1, "fail", upper=True),
        Judged("diversity.vendi", "", 6.0, 3.0, "warn", upper=False),
    ]
    picture = charts.gates([Summary(one, 1) for one in judged])
    assert bar_widths(picture) == [280, 350, 140]
    line = minidom.parseString(picture).getElementsByTagName("line")[0]
    assert float(line.getAttribute("x1")) == 260 + 280
    assert words(picture)[1:] == [
        "drift.ks · amount", "0.1 (≤0.1)", "drift.ks", "0.5 (≤0.1)", "diversity.vendi", "6 (≥3)",
    ]  # fmt: skip
    for verdict in ("pass", "fail", "warn"):
        assert f'fill="{svg.PALETTE[verdict]}"' in picture
