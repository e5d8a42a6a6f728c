"""A total over the rows of a source: shared among the axes first, then taken from a pool."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests import projects

SCHEMA = """\
import zlib

from pydantic import BaseModel, ValidationInfo, field_validator

SHARES = {shares}


class Note(BaseModel):
    text: str

    @field_validator("text")
    @classmethod
    def asked_for_by_luck(cls, text: str, info: ValidationInfo) -> str:
        doc, tone = (info.context or {{}})["doc"], info.context["tone"]
        luck = zlib.crc32(f"{{doc['id']}} {{tone}}".encode()) % 100
        assert luck >= SHARES[tone], "refused"
        return text
"""
PROMPT = "A {{ tone }} note on {{ doc.text }}."
DOC = """\
from pydantic import BaseModel, ValidationInfo, field_validator


class Doc(BaseModel):
    text: str

    @field_validator("text")
    @classmethod
    def not_the_third(cls, text: str, info: ValidationInfo) -> str:
        assert (info.context or {})["title"] != "document 2", "refused"
        return text
"""
SCENARIO = """\
schema: Note
rows: {rows}
tries: 1
from:
  doc: {{table: ../pool.csv, id: id, take: {{text: source}}}}
vary:
  tone: [glad, sad, calm]
"""


def project(
    folder: Path,
    *,
    pool: int,
    rows: object,
    glad: int = 0,
    sad: int = 0,
    calm: int = 0,
    more: str = "",
) -> Path:
    """Notes in three tones on the documents of a pool; so many in a hundred of each tone are
    refused, whatever is answered."""
    shares = {"glad": glad, "sad": sad, "calm": calm}
    lines = [f"{number},document {number},{'ab'[number % 2]}" for number in range(pool)]
    files = {
        "pyproject.toml": projects.SETTINGS,
        "pool.csv": "\n".join(["id,text,half", *lines, ""]),
        "schemas/notes.py": SCHEMA.format(shares=shares),
        "prompts/notes.j2": PROMPT,
        "scenarios/notes.yaml": SCENARIO.format(rows=rows) + more,
    }
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return folder


def exported(folder: Path, *words: str, code: int = 0) -> list[dict[str, Any]]:
    """The rows that a run leaves."""
    ran = projects.run(folder, "run", "--quiet", *words)
    assert ran.code == code, ran.err
    return projects.rows(folder, "notes")


def by_tone(rows: Sequence[Mapping[str, Any]]) -> Counter[str]:
    return Counter(row["tone"] for row in rows)


def shared_fairly(folder: Path, total: int, **more: str) -> None:
    project(folder, pool=5000, rows=total, glad=20, sad=40, calm=20, **more)
    rows = exported(folder)
    assert len(rows) == total
    assert len(by_tone(rows)) == 3
    assert all(abs(n - total / 3) <= 1 for n in by_tone(rows).values())
    # A row of the pool is used again only when all were used once.
    assert len({(row["tone"], row["source"]) for row in rows}) == total


def test_each_value_has_its_share_of_a_pool_though_one_is_refused_twice_as_often(
    tmp_path: Path,
) -> None:
    shared_fairly(tmp_path, 100)


@pytest.mark.slow
@pytest.mark.parametrize("keep", ["", "keep: [doc.half == 'a']\n"])
def test_each_value_has_its_share_of_thousands(keep: str, tmp_path: Path) -> None:
    shared_fairly(tmp_path, 4001, more=keep)


def test_rows_that_make_no_case_are_passed_over_by_replacements_too(tmp_path: Path) -> None:
    shared_fairly(tmp_path, 100, more="keep: [doc.half == 'a']\n")


def test_a_pool_that_is_too_small_ends_short_and_says_by_how_much(tmp_path: Path) -> None:
    project(tmp_path, pool=10, rows=30, glad=0, sad=100, calm=100)
    ran = projects.run(tmp_path, "run")
    assert ran.code == 5
    assert "20 rows short" in ran.err
    assert "20 rows are missing" in ran.err
    assert by_tone(projects.rows(tmp_path, "notes")) == {"glad": 10}
    assert "20 rows cannot be had" in projects.run(tmp_path, "plan").out


def test_a_value_that_keep_leaves_no_row_of_the_pool_is_short_from_the_beginning(
    tmp_path: Path,
) -> None:
    project(tmp_path, pool=10, rows=30, more="keep: [\"tone != 'sad' or doc.half == 'c'\"]\n")
    planned = projects.run(tmp_path, "plan")
    assert planned.code == 0
    assert "10 rows too small" in projects.run(tmp_path, "run").err
    assert "the pool is 10 rows too small for 30" in planned.out
    assert by_tone(exported(tmp_path, code=5)) == {"glad": 10, "calm": 10}


def test_rows_of_a_pool_are_used_again_when_all_were_used_once(tmp_path: Path) -> None:
    rows = exported(project(tmp_path, pool=7, rows=42))
    assert set(Counter((row["tone"], row["source"]) for row in rows).values()) == {2}


@pytest.mark.parametrize("rows", ["12", "2 each"])
def test_a_source_row_that_can_never_be_had_holds_nothing_up(rows: str, tmp_path: Path) -> None:
    project(tmp_path, pool=6, rows=rows)
    source = "schema: Doc\nfrom:\n  row: {table: ../pool.csv, id: id, take: {text: title}}\n"
    text = (tmp_path / "scenarios/notes.yaml").read_text("utf-8")
    files = {
        "scenarios/docs.yaml": source,
        "prompts/docs.j2": "Write {{ row.text }}.",
        "schemas/docs.py": DOC,
        "scenarios/notes.yaml": text.replace("{table: ../pool.csv, id: id,", "{scenario: docs,"),
    }
    for name, content in files.items():
        (tmp_path / name).write_text(content, "utf-8")
    written = exported(tmp_path)
    assert len(projects.rows(tmp_path, "docs")) == 5
    assert len(written) == (12 if rows == "12" else 5 * 3 * 2)
    planned = projects.run(tmp_path, "plan")
    assert "docs: 1 case refused for good" in planned.out
    again = projects.run(tmp_path, "run")
    assert again.code == 0
    assert "docs: 1 case refused for good" in again.err
