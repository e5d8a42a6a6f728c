"""Tables as people have them: every mark, number and date that they write, at every door."""

from __future__ import annotations

import datetime
import json
import sys
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from pyarrow import parquet

from builder.errors import InputError
from builder.table import frame, reader, tables
from builder.table.tables import BOOLEAN, CATEGORY, DATE, INTEGER, JSON, NUMBER, Kind
from tests import projects, workbooks

D7, D30 = "2024-11-07", "2024-11-30"


@pytest.mark.parametrize(
    ("values", "kind", "scalars"),
    [
        (["1,037", "950", "12,345,678"], INTEGER, [1037, 950, 12345678]),
        (["1,037.50", "-2,000", "0.5"], NUMBER, [1037.5, -2000.0, 0.5]),
        (["1,00,000", "12,34,567"], INTEGER, [100000, 1234567]),
        (["1 037", "2 000 000"], INTEGER, [1037, 2000000]),
        (["1\u202f037,5", "2\u00a0000"], NUMBER, [1037.5, 2000.0]),
        (["1'037.5", "2’000"], NUMBER, [1037.5, 2000.0]),
        (["1.037,50", "12.500", "3,5"], NUMBER, [1037.5, 12500.0, 3.5]),
        (["0,500", "1,037"], NUMBER, [0.5, 1.037]),
        (["1.037", "2.5"], NUMBER, [1.037, 2.5]),
        (["1,037", "NA", "", "n/a", "None"], INTEGER, [1037, None, None, None, None]),
        (["1,037", "a few"], CATEGORY, ["1,037", "a few"]),
        (["007", "1,037"], CATEGORY, ["007", "1,037"]),
        (["1,03", "1,037.5"], CATEGORY, ["1,03", "1,037.5"]),
        (["192.168.0.1", "10.0.0.1"], CATEGORY, ["192.168.0.1", "10.0.0.1"]),
        (["2024/11/7", "2024/11/30"], DATE, [D7, D30]),
        (["2024-11-7", "2024-11-30"], DATE, [D7, D30]),
        (["2024.11.07", "null"], DATE, [D7, None]),
        (["2024年11月7日", "2024年11月30日"], DATE, [D7, D30]),
        (["2024-11-07 00:00:00", "2024-11-30"], DATE, [D7, D30]),
        (["2024-11-07T00:00:00.000Z", "2024-11-30T00:00:00+08:00"], DATE, [D7, D30]),
        (["7.11.2024", "30.11.2024", "NaN"], DATE, [D7, D30, None]),
        (["11/07/2024", "11/30/2024"], DATE, [D7, D30]),
        (["11/7/2024 0:00", "11/30/2024 12:00:00 AM"], DATE, [D7, D30]),
        (["07/11/2024", "30/11/2024"], DATE, [D7, D30]),
        (["07-11-2024", "30-11-2024"], DATE, [D7, D30]),
        (["7 Nov 2024", "30-November-2024", "Nov. 7, 2024"], DATE, [D7, D30, D7]),
        ([datetime.datetime(2024, 11, 7), datetime.date(2024, 11, 30)], DATE, [D7, D30]),
        (["11/07/2024", "10/08/2024"], CATEGORY, ["11/07/2024", "10/08/2024"]),
        (["30/11/2024", "11/30/2024"], CATEGORY, ["30/11/2024", "11/30/2024"]),
        (["2024-11-07 10:30:00"], CATEGORY, ["2024-11-07 10:30:00"]),
        (["31.2.2024", "1.2.2024"], CATEGORY, ["31.2.2024", "1.2.2024"]),
        (["NA", "None", "Ann"], CATEGORY, ["NA", "None", "Ann"]),
    ],
)  # fmt: skip
def test_a_column_is_read_in_the_form_in_which_all_of_it_agrees(
    values: list[Any], kind: Kind, scalars: list[Any]
) -> None:
    typed = tables.typed("x", values)
    assert (typed.kind, typed.scalars()) == (kind, scalars)


PLACES = [f"line {k}: " for k in range(2, 400)]


@pytest.mark.parametrize(
    ("values", "note"),
    [
        (["1", "2"], ""),
        ([D7, ""], ""),
        (["a", "NA"], ""),
        (["S", "M", "40"], ""),
        (["01234", "90210", "10115"], ""),
        (["1", "NA", "n/a", "NA"], "column x: read as 'NA', 'n/a' is missing in 3 rows"),
        (
            ["1,037", "2,000"],
            "column x: read as numbers with thousands separators, '1,037' is 1037",
        ),
        (
            ["7.11.2024", "null"],
            "column x: read as dates, the day first, '7.11.2024' is 2024-11-07; "
            "'null' is missing in 1 row",
        ),
        (
            ["7.11.2024"] * 297 + ["31.12", "soon", "?"],
            "column x: 300 values read as words, 297 of them look like dates; e.g. line 299: '31.12'",
        ),
        (
            ["11/07/2024", "10/08/2024"],
            "column x: 2 values read as words, 2 of them look like dates whose day and month cannot "
            "be told apart; e.g. line 2: '11/07/2024'",
        ),
        (
            [D7, "7.11.2024", "8.11.2024"],
            "column x: 3 values read as words, 3 of them look like dates; e.g. line 2: '2024-11-07'",
        ),
        (
            ["2024-11-07 10:30"],
            "column x: 1 value read as words, 1 of them look like dates; e.g. line 2: "
            "'2024-11-07 10:30'",
        ),
        (
            ["1,037", "€ 2,000", "none yet"],
            "column x: 3 values read as words, 2 of them look like numbers; e.g. line 3: '€ 2,000'",
        ),
    ],
)
def test_what_is_not_plain_is_said_in_one_line(values: list[object], note: str) -> None:
    assert tables.noted("x", values, PLACES)[1] == note


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", "k;t\n1;a, b\n2;c\n"),
        ("a.csv", "\ufeffk\tt\n1\ta, b\n2\tc\n"),
        ("a.tsv", 'k,t\n1,"a, b"\n2,c\n'),
        ("a.csv", "k|t\n1|a, b\n2|c\n"),
        ("a.csv", 'k,t\n1,"a, b"\n2,c\n'),
    ],
)
@pytest.mark.parametrize("foreign", [False, True])
def test_the_mark_that_parts_all_rows_alike_parts_the_cells(
    tmp_path: Path, name: str, content: str, *, foreign: bool
) -> None:
    (tmp_path / name).write_text(content, "utf-8")
    values, _ = reader.columns(tmp_path / name, foreign=foreign)
    assert values == {"k": ["1", "2"], "t": ["a, b", "c"]}


def test_a_mark_within_texts_parts_nothing(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("id,text\n1,a;b;c;d\n2,a|b\n", "utf-8")
    assert list(reader.columns(file)[0]) == ["id", "text"]
    file.write_text("text\nhello\nworld\n", "utf-8")
    assert list(reader.columns(file)[0]) == ["text"]


ROWS: list[dict[str, Any]] = [
    {"item": "lamp", "day": datetime.datetime(2024, 11, 7), "sold": True, "tags": ["a", "b"],
     "maker": {"name": "X", "size": 3}},
    {"item": "pen", "day": datetime.datetime(2024, 11, 30), "sold": False, "tags": [],
     "maker": {"name": "Y", "size": None}},
]  # fmt: skip


def as_parquet(path: Path) -> None:
    parquet.write_table(pyarrow.Table.from_pylist(ROWS), path)


def as_jsonl(path: Path) -> None:
    path.write_text("".join(json.dumps(row, default=str) + "\n" for row in ROWS), "utf-8")


@pytest.mark.parametrize(("name", "write"), [("t.parquet", as_parquet), ("t.jsonl", as_jsonl)])
def test_lists_objects_and_booleans_stay_what_they_are(
    tmp_path: Path, name: str, write: Any
) -> None:
    write(tmp_path / name)
    table = tables.load(tmp_path / name)
    kinds = {c.name: c.kind for c in table.columns.values()}
    assert kinds == {
        "item": CATEGORY, "day": DATE, "sold": BOOLEAN, "tags": JSON, "maker": JSON,
    }  # fmt: skip
    assert list(table.records()) == [{**row, "day": str(row["day"])[:10]} for row in ROWS]
    assert table.digest() == tables.load(tmp_path / name).digest()


@pytest.mark.parametrize("sampler", ["bootstrap", "cart", "examples"])
def test_templates_see_lists_objects_and_booleans(tmp_path: Path, sampler: str) -> None:
    pytest.importorskip("sklearn")
    projects.write(
        tmp_path,
        {
            "scenarios/letters.yaml": f"schema: Letter\nrows: 8\ndraw:\n  - {sampler}: {{table: tables/t.jsonl}}\n"
        },
    )
    file = tmp_path / "scenarios/tables/t.jsonl"
    file.parent.mkdir()
    file.write_text("".join(json.dumps(row, default=str) + "\n" for row in ROWS * 10), "utf-8")
    body = "{{ tags | join('+') }} {{ maker.size }} {% if sold %}yes{% else %}no{% endif %}"
    if sampler == "examples":
        body = f"{{% for shot in shots %}}{body.replace('tags', 'shot.tags').replace('maker', 'shot.maker').replace('sold', 'shot.sold')}\n{{% endfor %}}"
    (tmp_path / "prompts/letters.j2").write_text(body, "utf-8")
    shown = projects.run(tmp_path, "plan", "--show", "8")
    assert shown.code == 0, shown.err
    assert "a+b 3 yes" in shown.out
    assert "[" not in "".join(
        line for line in shown.out.split("\n") if line.endswith(("yes", "no"))
    )
    for words in (["run", "--format", "jsonl"], ["check"], ["draw", "letters", "--rows", "50"]):
        ran = projects.run(tmp_path, *words)
        assert ran.code in (0, 1), ran.err
        assert "fault of the builder" not in ran.err


def test_an_axis_depends_on_a_list_of_a_table(tmp_path: Path) -> None:
    projects.write(
        tmp_path,
        {
            "scenarios/letters.yaml": "schema: Letter\nrows: 1 each\nvary:\n"
            "  item: {table: tables/t.jsonl}\n  tag: {of: item.tags}\n",
            "scenarios/tables/t.jsonl": '{"item": "lamp", "tags": ["a", "b"]}\n{"item": "pen", "tags": ["c"]}\n',
            "prompts/letters.j2": "{{ item }}: {{ tag }}",
        },
    )
    shown = projects.run(tmp_path, "plan", "--show", "3")
    assert shown.code == 0, shown.err
    assert all(text in shown.out for text in ("lamp: a", "lamp: b", "pen: c"))


def test_a_workbook_is_a_table(tmp_path: Path) -> None:
    pytest.importorskip("python_calamine")
    file = tmp_path / "t.xlsx"
    workbooks.write(
        file,
        [
            ["item", "price", "count", "day", "sold"],
            ["lamp", 2.5, 3, datetime.date(2024, 11, 7), True],
            [None] * 5,
            ["007", 4, None, datetime.date(2024, 11, 30), False],
        ],
    )
    table = tables.load(file)
    assert list(table.records()) == [
        {"item": "lamp", "price": 2.5, "count": 3, "day": D7, "sold": True},
        {"item": "007", "price": 4.0, "count": None, "day": D30, "sold": False},
    ]
    assert table.lines == [2, 4]
    assert frame.read(file).rows == 2


def test_a_workbook_without_its_extra_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "python_calamine", None)
    workbooks.write(tmp_path / "t.xlsx", [["a"], [1]])
    with pytest.raises(InputError, match="needs the extra `excel`"):
        tables.load(tmp_path / "t.xlsx")


CSV = "item;read_on;kwh\nlamp;7.11.2024;1.037,50\npen;8.11.2024;NA\n"
SAID = (
    "column read_on: read as dates, the day first, '7.11.2024' is 2024-11-07",
    "column kwh: read as numbers with a decimal comma, '1.037,50' is 1037.50; 'NA' is missing in 1 row",
)


@pytest.mark.parametrize(
    "scenario",
    [
        "vary:\n  item: {table: tables/t.csv}\nrows: 1 each",
        "draw:\n  - bootstrap: {table: tables/t.csv}\nrows: 5",
        "draw:\n  - examples: {table: tables/t.csv, n: 1, as: item}\nrows: 5",
    ],
)
def test_every_door_of_a_scenario_reads_and_says_the_same(tmp_path: Path, scenario: str) -> None:
    projects.write(
        tmp_path,
        {
            "scenarios/letters.yaml": f"schema: Letter\n{scenario}\n",
            "scenarios/tables/t.csv": CSV,
            "prompts/letters.j2": "{{ item }}",
        },
    )
    planned = projects.run(tmp_path, "plan")
    assert planned.code == 0, planned.err
    for note in SAID:
        assert planned.out.count(f"letters: t.csv: {note}.") == 1


def test_check_says_how_it_read_a_reference(tmp_path: Path) -> None:
    projects.write(tmp_path)
    (tmp_path / "t.csv").write_text(CSV * 1 + "cup;9.11.2024;3,5\n" * 20, "utf-8")
    checked = projects.run(tmp_path, "check", "t.csv", "--reference", "t.csv")
    assert checked.code in (0, 1), checked.err
    assert all(checked.err.count(f"t.csv: {note}") == 1 for note in SAID)
    rows = frame.read(tmp_path / "t.csv")
    assert {c.name: c.kind for c in rows.columns.values()}["kwh"] == NUMBER
