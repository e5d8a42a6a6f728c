"""Axes: the values that a line of `vary` gives, with weights and attributes, and their grid."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from builder.errors import InputError, Place
from builder.project import axes, carriers, documents
from builder.project.axes import Axis, Value

FILES = {
    "tones.txt": "glad\n\n  sad\n",
    "cities.csv": "city,share,zone\nRome,2,south\nOslo,1,north\n",
}


def load(folder: Path, vary: str) -> list[Axis]:
    for name, text in FILES.items():
        (folder / name).write_text(text, "utf-8")
    file = folder / "x.yaml"
    file.write_text("vary:\n" + "".join(f"  {line}\n" for line in vary.split("\n")), "utf-8")
    document = documents.read(file)
    assert isinstance(document.data, dict)
    lines = document.data["vary"]
    assert isinstance(lines, dict)
    return axes.load(document, lines, folder)


def values(axis: Axis) -> list[tuple[Any, float]]:
    return [(value.value, value.weight) for value in axis.values]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("a: [x, 2, 1.5, true]", [("x", 1.0), (2, 1.0), (1.5, 1.0), (True, 1.0)]),
        ("a: {x: 3, y: 0.5}", [("x", 3.0), ("y", 0.5)]),
        ("a: {x: 1000000000, y: 0.5}", [("x", 1e9), ("y", 0.5)]),
        ("a: {x: {weight: 2, mood: m}, y: {mood: n}}", [("x", 2.0), ("y", 1.0)]),
        ("a: {file: tones.txt}", [("glad", 1.0), ("sad", 1.0)]),
        ("a: {table: cities.csv}", [("Rome", 1.0), ("Oslo", 1.0)]),
        ("a: {table: cities.csv, value: zone, weight: share}", [("south", 2.0), ("north", 1.0)]),
    ],
)
def test_values_stand_in_a_list_a_mapping_a_file_or_a_table(
    line: str, expected: list[tuple[Any, float]], tmp_path: Path
) -> None:
    (axis,) = load(tmp_path, line)
    assert values(axis) == expected
    assert axis.weighted is any(weight != 1 for _, weight in expected)
    assert axis.place == Place(tmp_path / "x.yaml", 2, 3)


def test_the_other_columns_of_a_table_are_attributes(tmp_path: Path) -> None:
    (axis,) = load(tmp_path, "a: {table: cities.csv, weight: share}")
    assert [dict(carriers.attributes(value.value)) for value in axis.values] == [
        {"zone": "south"},
        {"zone": "north"},
    ]


def test_an_attribute_may_hold_the_values_of_another_axis(tmp_path: Path) -> None:
    lines = (
        "fault: {of: product.faults}\nproduct: {pen: {faults: [dry, lost]}, 5: {faults: {torn: 3}}}"
    )
    fault, product = load(tmp_path, lines)
    assert (fault.parent, fault.values, product.parent) == ("product", (), "")
    assert [value.value for value in fault.every] == ["dry", "lost", "torn"]
    assert fault.weighted
    grid = axes.cross([fault, product])
    assert grid.size == 3
    assert grid.combinations(np.arange(3)) == [
        {"fault": "dry", "product": "pen"},
        {"fault": "lost", "product": "pen"},
        {"fault": "torn", "product": 5},
    ]
    assert grid.blocks[0].weights.tolist() == [1.0, 1.0, 3.0]


@pytest.mark.parametrize(
    ("line", "place", "message"),
    [
        ("a: 3", "2:6", "expected the values of an axis, found 3"),
        ("a: []", "2:6", "an axis has at least one value"),
        ("a: [x, y, x]", "2:13", "the value 'x' stands here again"),
        ("a: [x, '  ']", "2:10", "an axis value is empty"),
        ("a: [x, [y]]", "2:10", "expected a text or number as a value, found a list"),
        ("a: {x: 0}", "2:10", "the weight of 'x' is 0, expected a positive number"),
        ("a: {x: true}", "2:10", "the weight of 'x' is True"),
        ("a: {x: 1000000001}", "2:10", "the weight of 'x' is 1000000001"),
        ("a: {x: {weight: no}}", "2:19", "the weight of 'x' is 'no'"),
        ("a: {x: {_b: 1}}", "2:11", "'_b' is no name for an attribute"),
        ("a: {x: {b c: 1}}", "2:11", "'b c' is no name for an attribute"),
        ("a: {true: {b: 1}}", "2:13", "True cannot carry attributes"),
        ("a: {file: gone.txt}", "2:13", "file 'gone.txt' not found"),
        ("a: {file: tone.txt}", "2:13", "Did you mean 'tones.txt'?"),
        ("a: {file: ../x.txt}", "2:13", "lies outside the project"),
        ("a: {file: tones.txt, weigth: 3}", "2:24", "unknown word 'weigth', expected file"),
        ("a: {table: cities.csv, valeu: city}", "2:26", "Did you mean 'value'?"),
        ("a: {of: b.c}", "2:11", "'of' names 'b', which is no axis"),
        ("a: {of: a.c}", "2:11", "'a' is of itself"),
        ("a: {of: b.c}\nb: {of: a.c}", "2:11", "'a' and 'b' are values of each other"),
        ("a: {of: b}\nb: {x: {c: [y]}}", "2:11", "'of' names an axis and its attribute"),
        ("a: {of: b.d}\nb: {x: {c: [y]}}", "2:11", "has no attribute 'd'"),
        ("a: {of: b.c, more: 1}\nb: {x: {c: [y]}}", "2:16", "unknown word 'more', expected of"),
        ("a: [“x”]", "2:7", 'to YAML the quotes are a part of “x”'),
    ],
)  # fmt: skip
def test_a_wrong_axis_is_named_with_its_place(
    line: str, place: str, message: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError) as refused:
        load(tmp_path, line)
    where = refused.value.place
    assert where is not None
    assert message in refused.value.message
    assert f"{where.line}:{where.column}" == place


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("city,share\nRome,1\nRome,2\n", 3, "holds 'Rome' again"),
        ("city,share\nRome,1\n,2\n", 3, "has no value here"),
        ("city,share\nRome,1\nOslo,0\n", 3, "the weight of 'Oslo' is 0"),
        ("city,share\nRome,1\nOslo,\n", 3, "the weight of 'Oslo' is nothing"),
    ],
)
def test_a_wrong_row_of_a_table_of_values_is_named(
    text: str, line: int, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(FILES, "cities.csv", text)
    with pytest.raises(InputError) as refused:
        load(tmp_path, "a: {table: cities.csv, weight: share}")
    assert message in refused.value.message
    assert refused.value.place is not None
    assert refused.value.place.line == line


def wide(name: str, n: int) -> Axis:
    return Axis(name, tuple(Value(i) for i in range(n)), Place(Path(f"{name}.yaml"), 1, 1))


def test_a_grid_has_at_most_ten_million_combinations() -> None:
    assert axes.cross([wide("a", 10_000), wide("b", 1000)]).size == axes.MAX_GRID
    with pytest.raises(InputError) as refused:
        axes.cross([wide("a", 10_000), wide("b", 1001)])
    assert "10,010,000 combinations" in refused.value.message
    assert refused.value.hint.endswith("a 10000, b 1001")


def test_a_grid_of_nothing_has_one_combination() -> None:
    grid = axes.cross([])
    assert (grid.size, grid.combinations(np.arange(1))) == (1, [{}])
