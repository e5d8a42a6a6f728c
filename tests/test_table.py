"""Cells, columns and the reader: what is a number, what is missing, and where a file is wrong."""

from __future__ import annotations

import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from builder.errors import InputError
from builder.table import cells, frame, reader, tables
from builder.table.tables import BOOLEAN, CATEGORY, DATE, ID, INTEGER, JSON, NUMBER, TEXT, Kind


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        (3, 3.0), ("3", 3.0), (" -2.5 ", -2.5), ("+1e3", 1000.0), ("0", 0.0), ("0.5", 0.5),
        ("-0.5", -0.5), (Decimal("1.5"), 1.5), (np.int64(4), 4.0), (2**53, 2.0**53),
        (True, None), (np.True_, None), ("007", None), ("-01", None), ("1_000", None), ("", None),
        ("x", None), ("inf", None), (float("inf"), None), ("nan", None), (2**53 + 2, None),
        (str(2**53 + 2), None), (10**400, None), (None, None), ([1], None),
    ],
)  # fmt: skip
def test_a_number_is_what_comes_back_as_it_was_written(cell: Any, number: float | None) -> None:
    assert cells.number(cell) == number


def test_a_missing_cell_is_empty_or_one_of_the_words() -> None:
    assert all(map(cells.missing, (None, "", float("nan"))))
    assert not any(map(cells.missing, (0, False, " ", "NA", "none", [])))
    assert all(cells.missing(word, cells.NOTHING) for word in ("NA", " n/a ", "-", "Null", "  "))
    assert not cells.missing("no", cells.NOTHING)


def test_days_count_from_1970() -> None:
    assert cells.days("1970-01-02") == cells.days(datetime.date(1970, 1, 2)) == 1
    assert cells.days("2026-02-30") is None
    assert cells.days("20260101") is None
    assert cells.days(datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)) is None


def test_whole_numbers_are_told_from_others() -> None:
    assert all(map(cells.integral, (1, "12", "-3", np.int32(1))))
    assert not any(map(cells.integral, (1.0, "1.0", "1e3", Decimal(2))))


def test_the_text_of_nested_values_is_what_stands_in_them() -> None:
    assert cells.flat([{"role": "user", "content": ["a", None, 2]}, "b"]) == "user\na\n2\nb"
    assert cells.text("a\0\ud800") == "a\ufffd?"


def test_a_few_texts_stray_among_numbers_but_not_in_codes_or_words() -> None:
    numbers: list[str | None] = [str(n) for n in range(1, 12)]
    assert cells.strays([*numbers, "four"]) == [11]
    assert cells.strays([*numbers, None, "four"]) == [12]
    assert cells.strays([*numbers[:9], "four"]) == []
    assert cells.strays([*numbers, "four", "five"]) == []
    assert cells.strays([*numbers, "007"]) == []
    assert "write 1200;" in cells.repair("1,200 g")
    assert "write it in digits" in cells.repair("1 to 2")


@pytest.mark.parametrize(
    ("values", "kind", "scalars"),
    [
        (["1", "", "3"], INTEGER, [1, None, 3]),
        (["1", "2.5"], NUMBER, [1.0, 2.5]),
        ([1.0, float("nan")], NUMBER, [1.0, None]),
        (["2026-01-31", None], DATE, ["2026-01-31", None]),
        (["2026-01-31", "1"], CATEGORY, ["2026-01-31", "1"]),
        (["1", "NA"], INTEGER, [1, None]),
        (["2026-01-31", "n/a"], DATE, ["2026-01-31", None]),
        ([True, 1], CATEGORY, ["True", "1"]),
        ([True, None, False], BOOLEAN, [True, None, False]),
        ([["a", 1], None, {"b": [None]}], JSON, [["a", 1], None, {"b": [None]}]),
        ([None, ""], CATEGORY, [None, None]),
    ],
)
def test_a_column_has_the_narrowest_kind(
    values: list[Any], kind: Kind, scalars: list[tables.Scalar]
) -> None:
    typed = tables.typed("x", values)
    assert (typed.kind, typed.scalars()) == (kind, scalars)
    assert typed.numeric == (kind not in (CATEGORY, BOOLEAN, JSON))


def test_a_word_for_nothing_is_missing_among_numbers_alone() -> None:
    assert tables.typed("x", ["1", "NA"]).scalars() == [1, None]
    assert tables.typed("x", ["a", "NA"]).scalars() == ["a", "NA"]
    assert tables.typed("x", ["NA", "-"]).kind == CATEGORY


def test_kinds_say_what_they_hold_and_keep_their_codes() -> None:
    assert str(Kind("list", of=tables.STRING)) == "list of string"
    assert str(Kind("struct", fields=(("x", INTEGER),))) == "{x: integer}"
    assert {code: str(kind) for code, kind in tables.OF_CODE.items()} == {
        "integer": "integer", "float": "number", "date": "date", "category": "category",
        "boolean": "boolean", "json": "json",
    }  # fmt: skip


def test_the_digest_of_a_table_is_that_of_its_values() -> None:
    values: dict[str, list[object]] = {
        "n": ["1", "2"],
        "x": ["1.5", ""],
        "c": ["a", None],
        "d": ["2026-01-01"] * 2,
    }
    table = tables.Table({name: tables.typed(name, cells) for name, cells in values.items()})
    assert table.digest() == "121e897b3d3a40e2844334ff6fc8c8e3"
    assert table.take(np.array([1, 0])).digest() != table.digest()
    assert table.select(["n"]).digest() != table.digest()
    assert tables.stacked([table, table]).column("n").scalars() == [1, 2, 1, 2]


@pytest.mark.parametrize("foreign", [False, True])
def test_every_format_gives_the_same_rows(tmp_path: Path, *, foreign: bool) -> None:
    files = {
        "a.csv": '\ufeffk,t\r\n1,x\r\n\r\n2,"y\r\nz"\r\n3,w\r\n',
        "a.tsv": 'k\tt\n1\tx\n\n2\t"y\nz"\n3\tw\n',
        "a.jsonl": '{"k": 1, "t": "x"}\n\n{"k": 2, "t": "y\\nz"}\n{"t": "w", "k": 3}',
        "a.json": '[{"k": 1, "t": "x"}, {"k": 2, "t": "y\\nz"}, {"k": 3, "t": "w"}]',
    }
    lines = {"a.csv": [2, 4, 6], "a.tsv": [2, 4, 6], "a.jsonl": [1, 3, 4], "a.json": [1, 1, 1]}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content.encode())
        values, at = reader.columns(tmp_path / name, foreign=foreign)
        assert list(map(str, values["k"])) == ["1", "2", "3"]
        assert [text.replace("\r", "") for text in values["t"]] == ["x", "y\nz", "w"]
        assert at == lines[name]


def test_a_row_that_lacks_a_column_has_nothing_there(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text('{"a": 1}\n{"b": 2}\n{"a": 3}\n', "utf-8")
    assert reader.columns(file)[0] == {"a": [1, None, 3], "b": [None, 2, None]}


def test_only_rows_of_others_keep_their_space_and_columns_without_a_name(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text(";a ;b\n0; x;1\n", "utf-8")
    assert list(reader.rows(file, foreign=True)) == [(2, {"_1": "0", "a": " x", "b": "1"})]
    with pytest.raises(InputError, match="column 1 of the heading is empty"):
        list(reader.rows(file))
    file.write_text("a,b\n x ,1\n", "utf-8")
    assert list(reader.rows(file)) == [(2, {"a": "x", "b": "1"})]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"a,b\n1,2\n1\n", "a.csv:3:1: this row has 1 cells, the heading 2"),
        ("a.csv", b"a,a\n1,2\n", "a.csv:1:1: column 2 of the heading is 'a' again"),
        ("a.csv", b"a,\n1,2\n", "a.csv:1:1: column 2 of the heading is empty"),
        ("a.csv", b"a,b\n1,\xff\n", "a.csv:2:3: not UTF-8: byte 0xff"),
        ("a.csv", b"a,b\n1,x\0\n", "a.csv:2:4: a NUL byte"),
        ("a.csv", b'a,b\n"1,2\n', "a.csv:2:1: not CSV"),
        ("a.jsonl", b'{"a": 1}\n{"a": }\n', "a.jsonl:2:7: not JSON"),
        ("a.jsonl", b'{"a": "\\ud800"}\n', "a.jsonl:1:1: not JSON"),
        ("a.jsonl", b'{"a":\n', "a.jsonl:1:6: not JSON"),
        ("a.jsonl", b"[1]\n", "a.jsonl:1:1: every row is a JSON object"),
        ("a.json", b'{"a": 1}', "a.json:1:1: a JSON table is a list of objects"),
        ("a.json", b'[{"a": 1},\n x]', "a.json:2:2: not JSON"),
        ("a.parquet", b"PAR1", "not Parquet"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_place(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError) as caught:
        list(reader.rows(tmp_path / name))
    assert message in str(caught.value)


def test_gates_part_texts_categories_and_ids() -> None:
    n = 60
    rows = frame.build(
        {
            "review": [f"no {k}" for k in range(n)],
            "label": ["praise", "blame"] * (n // 2),
            "code": [f"c{k}" for k in range(n)],
            "number": list(range(n)),
            "amount": [k / 2 for k in range(n)],
            "gaps": ["NA", 3] * (n // 2),
            "at": [datetime.datetime(1970, 1, 3), None] * (n // 2),
            "far": [1e308] * n,
            "_key": ["k"] * n,
        }
    )
    assert {c.name: c.kind for c in rows.columns.values()} == {
        "review": TEXT, "label": CATEGORY, "code": ID, "number": ID, "amount": NUMBER,
        "gaps": NUMBER, "at": NUMBER, "far": NUMBER,
    }  # fmt: skip
    assert rows.column("at").values[0] == 2
    assert rows.column("far").values[0] == frame.BIGGEST
    assert rows.take([1, 0]).texts() == ["no 1", "no 0"]
    assert rows.only(["label"]).columns.keys() == {"label"}
    assert frame.from_rows([{"a": 1}, {"b": "x"}]).column("a").kind == NUMBER


def test_twenty_numbers_in_a_row_may_be_a_measurement() -> None:
    kinds_by_rows = {n: frame.measurable("x", list(range(n))).kind for n in (20, 21)}
    assert kinds_by_rows == {20: NUMBER, 21: ID}


def test_a_column_asked_for_as_a_number_holds_numbers() -> None:
    assert frame.measurable("x", list(range(30)), NUMBER).kind == NUMBER
    with pytest.raises(InputError, match="'x' holds 'two', which is no number"):
        frame.measurable("x", [1, "two"], NUMBER)
