"""What was written is what `load_dataset` gives back, in each format, whatever a text holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests import projects
from tests.scripted import Scripted, chat, project

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


SOURCES = """\
import datetime
from pydantic import BaseModel


class Turn(BaseModel):
    who: str
    words: list[str] = []


class Letter(BaseModel):
    text: str
    why: str | None = None
    score: float | None = None
    at: datetime.datetime | None = None
    last: Turn | None = None
    turns: list[Turn] = []
"""
FULL = {
    "text": "a full one", "why": "2024-01-05", "score": 0.5, "at": "2024-01-05T10:00:00.5+08:00",
    "last": {"who": "a", "words": ["hi"]}, "turns": [{"who": "b", "words": []}],
}  # fmt: skip


@pytest.mark.parametrize("form", ["parquet", "jsonl", "csv"])
def test_columns_that_are_empty_in_the_first_files_are_loaded_from_the_others(
    form: str, tmp_path: Path
) -> None:
    from datasets import disable_progress_bars, load_dataset

    def script(number: int, sent: Any) -> Any:
        full = "full" in sent["messages"][-1]["content"]
        return chat(json.dumps(FULL if full else {"text": "a bare one"}))

    with Scripted(script) as server:
        files = {
            "schemas/letters.py": SOURCES,
            "scenarios/letters.yaml": "schema: Letter\nrows: 4\n",
            "scenarios/others.yaml": "schema: Letter\nprompt: full\nrows: 4\n",
            "prompts/letters.j2": "bare",
            "prompts/full.j2": "full",
        }
        ran = projects.run(project(tmp_path, server, files=files), "run", "--format", form)
    assert ran.code == 0, ran.err
    disable_progress_bars()
    rows = load_dataset(str(tmp_path / "outputs/letter"), cache_dir=str(tmp_path / "cache"))[
        "train"
    ].to_list()
    bare, full = (
        [row for row in rows if row["text"] == f"a {kind} one"] for kind in ("bare", "full")
    )
    assert (len(bare), len(full)) == (4, 4)

    def nested(value: Any) -> Any:
        return json.dumps(value) if form == "csv" else value

    for name in ("why", "score"):
        assert ({row[name] for row in bare}, {row[name] for row in full}) == ({None}, {FULL[name]})
    assert {row["at"] for row in full} == {"2024-01-05T10:00:00.500000+08:00"}
    for name in ("last", "turns"):
        assert [row[name] for row in full] == [nested(FULL[name])] * 4
    assert [row["turns"] for row in bare] == [nested([])] * 4


KINDS = """\
import datetime
import enum
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, Field


class Tone(enum.StrEnum):
    GLAD = "高兴"
    SAD = "déçu"


class Call(BaseModel):
    kind: Literal["call"] = "call"
    minutes: int = 5


class Visit(BaseModel):
    kind: Literal["visit"] = "visit"
    places: list[str] = []


class Part(BaseModel):
    name: str
    parts: list["Part"] = []


class Letter(BaseModel):
    text: str = Field(alias="the text", max_length=60)
    tone: Tone = Tone.GLAD
    price: Decimal = Field(max_digits=8, decimal_places=2)
    day: datetime.date
    pair: tuple[int, str]
    note: int | None = None
    contacts: list[Annotated[Call | Visit, Field(discriminator="kind")]] = []
    whole: Part
"""
DEEP = {"name": "a", "parts": [{"name": "b", "parts": [{"name": "c", "parts": []}]}]}
ANSWER = {
    "the text": "a letter", "tone": "déçu", "price": "12.50", "day": "2024-02-29", "pair": [7, "b"],
    "note": None, "contacts": [{"kind": "visit", "places": ["Rome"]}, {"kind": "call", "minutes": 2}],
    "whole": DEEP,
}  # fmt: skip
# What OpenAI's strict mode refuses in a schema.
REFUSED = {"oneOf", "allOf", "prefixItems", "default", "discriminator", "uniqueItems", "title"}


def objects(schema: Any) -> list[dict[str, Any]]:
    """Every node of a schema that is no mapping of names to schemas."""
    if isinstance(schema, list):
        return [node for part in schema for node in objects(part)]
    if not isinstance(schema, dict):
        return []
    named = [part for group in ("properties", "$defs") for part in schema.get(group, {}).values()]
    parts = [part for word in ("items", "anyOf") if (part := schema.get(word)) is not None]
    return [schema, *objects(named), *objects(parts)]


@pytest.mark.parametrize("form", ["parquet", "jsonl"])
def test_unions_tuples_enums_and_classes_within_themselves_are_asked_strictly_and_loaded_whole(
    form: str, tmp_path: Path
) -> None:
    from datasets import disable_progress_bars, load_dataset

    with Scripted(lambda number, sent: chat(json.dumps(ANSWER))) as server:
        files = {"schemas/letters.py": KINDS}
        strict = 'structured = "json_schema"'
        folder = project(tmp_path, server, docs=2, extra=strict, files=files)
        ran = projects.run(folder, "run", "--format", form)
        assert ran.code == 0, ran.err
        asked = server.bodies[0]["response_format"]["json_schema"]
    assert asked["strict"]
    for node in objects(asked["schema"]):
        assert not REFUSED & set(node), node
        if node.get("type") == "object":
            assert node["additionalProperties"] is False
            assert set(node["required"]) == set(node["properties"])
    disable_progress_bars()
    rows = load_dataset(str(folder / "outputs/letter"), cache_dir=str(tmp_path / "cache"))["train"]
    row = rows.to_list()[0]
    assert (row["tone"], row["price"], row["day"]) == ("déçu", "12.50", "2024-02-29")
    assert (row["note"], row.get("text", row.get("the text"))) == (None, "a letter")
    assert '"c"' in json.dumps(row["whole"]).replace("\\", "")
    assert "Rome" in json.dumps(row["contacts"])
    assert json.loads(row["pair"]) == [7, "b"]
