"""What was written is what `load_dataset` gives back, in each format, whatever a text holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests import projects

NASTY = (
    "plain", "", " space around ", "NA", "N/A", "n/a", "NaN", "nan", "null", "None", "NULL", "<NA>",
    "#N/A", "-", "true", "False", "007", "1.0", "1e5", "-1", "1,037", "inf", "0x1f",
    "2024-01-05", "2024-01-05T10:00:00Z", "2024-01-05 10:00", "2024-01-05T10:00:00+08:00",
    "2024-01-05T10:00:00.123456", "10:00:00", "bare\rreturn", "both\r\nof them", "line\nfeed\n",
    "\r", "\n", "tab\there", 'quote " and ""', "'", "a,b;c|d", "back\\slash", "\\n", "\\",
    "{\"a\": 1}", "[1, 2]", "[]", "{}", "\u2028 and \u2029 and \x85", "\x0b\x0c\x1c\x1e", "\ufeffmark", "nul \0 and \x1b\x7f",
    "\u200b\u202e", "中文，标点", "👩‍👩‍👧 \U0001f600", "e\u0301", "<!-- -->", "#comment", "% & $",
)  # fmt: skip
SCHEMA = f"""\
import datetime
from typing import Any

from pydantic import BaseModel, ValidationInfo, model_validator

NASTY = {NASTY!r}


class Turn(BaseModel):
    who: str
    at: str | None = None


class Letter(BaseModel):
    text: str
    only: str | None = None
    tags: list[str] = []
    turns: list[Turn] = []
    count: int | None = None
    share: float | None = None
    sure: bool | None = None
    day: datetime.date | None = None
    at: datetime.datetime | None = None
    anything: Any = None

    @model_validator(mode="after")
    def swap(self, info: ValidationInfo) -> "Letter":
        i = info.context["i"]
        text, full = NASTY[i], i % 2 == 0
        self.text = text
        self.only = (text or "x") if full else None
        self.tags = [text, "b"] if full else []
        self.turns = [Turn(who=text, at="2024-01-05")] if full else []
        self.count = 2**62 + 1 if full else None
        self.share = 0.1 + 0.2 if full else None
        self.sure = i % 4 == 0 if full else None
        self.day = datetime.date(2024, 1, 5) if full else None
        self.at = datetime.datetime(2024, 1, 5, 10, 0, 0, i, tzinfo=datetime.UTC) if full else None
        self.anything = {{"a": [text, None, 1]}} if full else text
        return self
"""
FIELDS = (
    "text", "only", "tags", "turns", "count", "share", "sure", "day", "at", "anything",
)  # fmt: skip


def expected(i: int) -> dict[str, Any]:
    """The fields of row i as the schema made them."""
    text, full = NASTY[i], i % 2 == 0
    at = f"2024-01-05T10:00:00.{i:06}".removesuffix(".000000") + "Z"
    return {
        "text": text,
        "only": (text or "x") if full else None,
        "tags": [text, "b"] if full else [],
        "turns": [{"who": text, "at": "2024-01-05"}] if full else [],
        "count": 2**62 + 1 if full else None,
        "share": 0.1 + 0.2 if full else None,
        "sure": i % 4 == 0 if full else None,
        "day": "2024-01-05" if full else None,
        "at": at if full else None,
        "anything": json.dumps({"a": [text, None, 1]} if full else text, ensure_ascii=False),
    }


def loaded(folder: Path, *options: str, schema: str = SCHEMA) -> tuple[list[dict[str, Any]], str]:
    """The rows that load_dataset gives of a run with these options, and what the run said."""
    from datasets import disable_progress_bars, load_dataset

    scenario = f"schema: Letter\nrows: 1 each\nvary:\n  i: {list(range(len(NASTY)))}\n"
    files = {
        "schemas/letters.py": schema,
        "scenarios/letters.yaml": scenario,
        "prompts/letters.j2": "{{ i }}",
    }
    ran = projects.run(projects.write(folder, files), "run", *options)
    assert ran.code == 0, ran.err
    disable_progress_bars()
    rows = load_dataset(str(folder / "outputs/letter"), cache_dir=str(folder / "cache"))["train"]
    return sorted(rows.to_list(), key=lambda row: int(row["i"])), ran.err


def test_parquet_gives_every_value_back(tmp_path: Path) -> None:
    rows, said = loaded(tmp_path, "--format", "parquet")
    assert [{name: row[name] for name in FIELDS} for row in rows] == [
        expected(i) for i in range(len(NASTY))
    ]
    assert "readers" not in said


def test_jsonl_gives_every_value_back_or_says_which_it_cannot(tmp_path: Path) -> None:
    rows, said = loaded(tmp_path, "--format", "jsonl")
    for i, row in enumerate(rows):
        share = expected(i)["share"]
        wanted = {**expected(i), "share": share if share is None else pytest.approx(share)}
        assert {name: row[name] for name in FIELDS} == wanted
    assert (
        "  share: beside a column of dates, load_dataset rounds numbers of JSONL to ten digits"
        in said
    )
    before = (tmp_path / "outputs/letter/README.md").read_bytes()
    assert projects.run(tmp_path, "export", "--format", "jsonl").code == 0
    assert (tmp_path / "outputs/letter/README.md").read_bytes() == before


def test_jsonl_without_dates_keeps_every_digit(tmp_path: Path) -> None:
    dated = ("day", "at", "turns")
    schema = "\n".join(
        line
        for line in SCHEMA.split("\n")
        if not any(line.strip().startswith((f"{name}:", f"self.{name} =")) for name in dated)
    )
    rows, said = loaded(tmp_path, "--format", "jsonl", schema=schema)
    assert [row["share"] for row in rows] == [expected(i)["share"] for i in range(len(NASTY))]
    assert [row["text"] for row in rows] == list(NASTY)
    assert "readers" not in said
    assert "rounds" not in said


def test_csv_gives_every_value_back_or_says_which_it_cannot(tmp_path: Path) -> None:
    rows, said = loaded(
        tmp_path,
        "--format",
        "csv",
    )
    formulas = [
        i for i, text in enumerate(NASTY) if text.startswith(("=", "+", "-", "@", "\t", "\r"))
    ]
    for i, row in enumerate(rows):
        for name, wanted in expected(i).items():
            value = json.dumps(wanted, ensure_ascii=False) if isinstance(wanted, list) else wanted
            if i in formulas and name in ("text", "only") and value is not None:
                assert row[name] == f"'{value}"
            elif name == "count" and value is not None:
                assert row[name] == pytest.approx(value)
            else:
                assert row[name] == value, name
    assert f"  text: {len(formulas)} cells begin with an apostrophe, so that no spreadsheet" in said
    assert "  count: beside missing values, CSV readers round whole numbers beyond 2^53" in said


def test_raw_csv_gives_every_text_back(tmp_path: Path) -> None:
    projects.write(tmp_path)
    loaded(tmp_path, "--format", "csv")
    exported = projects.run(tmp_path, "export", "--format", "csv", "--raw")
    assert exported.code == 0, exported.err
    assert "apostrophe" not in exported.err
    from datasets import load_dataset

    rows = load_dataset(str(tmp_path / "outputs/letter"), cache_dir=str(tmp_path / "other"))[
        "train"
    ]
    texts = {int(row["i"]): row["text"] for row in rows.to_list()}
    assert texts == dict(enumerate(NASTY))


def test_csv_says_where_it_cannot_tell_missing_from_empty(tmp_path: Path) -> None:
    schema = (
        "from pydantic import BaseModel, ValidationInfo, field_validator\n\n\nclass Letter(BaseModel):\n"
        "    text: str | None\n\n    @field_validator('text')\n    def swap(cls, value: str, info: ValidationInfo) -> str | None:\n"
        "        return {'glad': '', 'sad': None}[info.context['tone']]\n"
    )
    ran = projects.run(projects.write(tmp_path, {"schemas/letters.py": schema}), "run", "--format", "csv")  # fmt: skip
    assert ran.code == 0, ran.err
    assert (
        "  text: CSV cannot tell a missing text from an empty one: both are read as empty"
        in ran.err
    )
