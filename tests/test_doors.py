"""Other doors: what else reads the exported folder, and what a spreadsheet must not run."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from builder.dataset import files
from tests import projects

SCHEMA = """\
from pydantic import BaseModel, Field


class Letter(BaseModel):
    text: str = Field(min_length=5, max_length=80)
    words: list[str] = Field(min_length=1, max_length=3)
    score: float = 0.5
    good: bool = True
"""
FILES = {
    "schemas/letters.py": SCHEMA,
    "scenarios/letters.yaml": "schema: Letter\nrows: 8 each\nvary:\n  tone: ['=1+1', 愤怒]\n",
    "scenarios/more.yaml": "prompt: letters\nschema: Letter\nrows: 4\n",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    projects.write(tmp_path, FILES)
    assert projects.run(tmp_path, "run").code == 0
    return tmp_path


def data(folder: Path) -> list[Path]:
    return sorted((folder / "outputs/letter/data").iterdir())


def test_pandas_reads_the_folder(folder: Path) -> None:
    import pandas

    frame = pandas.read_parquet(folder / "outputs/letter/data")
    assert len(frame) == 20
    assert set(frame["tone"].dropna()) == {"=1+1", "愤怒"}
    assert list(frame.columns[-4:]) == ["_scenario", "_model", "_case", "_key"]


def test_polars_reads_the_folder(folder: Path) -> None:
    polars = pytest.importorskip("polars", reason="polars is not installed")
    frame = polars.read_parquet(str(folder / "outputs/letter/data/*.parquet"))
    assert frame.height == 20
    assert frame["words"].dtype == polars.List(polars.String)


def test_duckdb_reads_the_folder(folder: Path) -> None:
    duckdb = pytest.importorskip("duckdb", reason="duckdb is not installed")
    pattern = folder / "outputs/letter/data/*.parquet"
    found = duckdb.sql(
        f"SELECT tone, count(*) FROM '{pattern}' GROUP BY tone ORDER BY tone NULLS LAST"
    ).fetchall()
    assert found == [("=1+1", 8), ("愤怒", 8), (None, 4)]


def test_jsonl_is_one_record_a_line_with_readable_chinese(folder: Path) -> None:
    assert projects.run(folder, "export", "--format", "jsonl").code == 0
    assert {path.suffix for path in data(folder)} == {".jsonl"}
    lines = [line for path in data(folder) for line in path.read_text("utf-8").splitlines()]
    assert len(lines) == 20
    assert any("愤怒" in line for line in lines)
    assert all(isinstance(json.loads(line)["words"], list) for line in lines)


def test_csv_neutralises_what_a_spreadsheet_would_run_unless_told(folder: Path) -> None:
    assert projects.run(folder, "export", "--format", "csv").code == 0
    rows = [row for path in data(folder) for row in table(path)]
    assert {row["tone"] for row in rows} == {"'=1+1", "愤怒", ""}
    assert all(isinstance(json.loads(row["words"]), list) for row in rows)
    assert {row["good"] for row in rows} <= {"true", "false"}
    assert projects.run(folder, "export", "--format", "csv", "--raw").code == 0
    assert {row["tone"] for path in data(folder) for row in table(path)} == {"=1+1", "愤怒", ""}


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_every_way_to_begin_a_formula_is_taken_off_a_cell(start: str) -> None:
    assert files.cell(f"{start}cmd|' /C calc'!A0") == f"'{start}cmd|' /C calc'!A0"
    assert files.plain(f"{start}x") == f"{start}x"
    assert files.cell("a=b") == "a=b"
    assert files.cell(-3.5) == -3.5


def test_a_csv_of_csv_breaking_text_comes_back_as_it_was(tmp_path: Path) -> None:
    text = 'one, "two"\nthree\r\n四'
    writer = files.Table(tmp_path / "a.csv", ["text", "other"], raw=False)
    writer.write({"text": [text], "other": [None]})
    writer.close()
    assert table(tmp_path / "a.csv") == [{"text": text, "other": ""}]
