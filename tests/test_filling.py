"""Rows that fill fields: objects of their class as they were made, others by the field's rules."""

from __future__ import annotations

from pathlib import Path

from tests import projects

SCHEMAS = """\
from datetime import date
from enum import Enum

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, computed_field, model_validator


class Mood(Enum):
    GLAD = "glad"
    SAD = "sad"


class Visit(BaseModel):
    town: str = Field(min_length=2, max_length=20)
    day: date


class Letter(BaseModel):
    model_config = ConfigDict(extra="forbid")

    text: str = Field(min_length=5, max_length=80)
    mood: Mood
    visits: list[Visit] = Field(min_length=1, max_length=2)
    stars: int = Field(alias="numberOfStars", ge=1, le=5)

    @model_validator(mode="after")
    def of_its_tone(self, info: ValidationInfo) -> "Letter":
        if info.context["tone"] not in ("warm", "cold"):
            raise ValueError("no tone")
        return self


class Report(BaseModel):
    letter: Letter = Field(exclude=True)

    @computed_field
    @property
    def summary(self) -> str:
        first = self.letter.visits[0]
        return f"{self.letter.mood.name} {first.day.year} {self.letter.stars}"


class Pile(BaseModel):
    letters: list[Letter]


class Reply(BaseModel):
    text: str = Field(min_length=5)


class Kept(BaseModel):
    reply: Reply
"""
FILES = {
    "schemas/letters.py": SCHEMAS,
    "scenarios/letters.yaml": (
        "schema: Letter\ndataset: none\nrows: 2 each\nvary:\n  tone: [warm, cold]\n"
    ),
    "prompts/letters.j2": "A {{ tone }} letter.\n",
}


def test_a_row_of_the_class_of_its_field_is_that_object(tmp_path: Path) -> None:
    report = "schema: Report\nmodel: none\nfrom: {letter: letters}\nfill: [letter]\n"
    projects.write(tmp_path, {**FILES, "scenarios/reports.yaml": report})
    ran = projects.run(tmp_path, "run")
    assert ran.code == 0, ran.err
    rows = projects.rows(tmp_path, "reports")
    assert len(rows) == 4
    assert all(row["summary"].split()[0] in ("GLAD", "SAD") for row in rows)


def test_rows_of_the_class_of_a_list_are_those_objects(tmp_path: Path) -> None:
    pile = (
        "schema: Pile\nmodel: none\nfrom:\n  one: letters\n"
        "  letters: {scenario: letters, on: tone, n: 3, least: 1}\nfill: [letters]\n"
    )
    projects.write(tmp_path, {**FILES, "scenarios/piles.yaml": pile})
    ran = projects.run(tmp_path, "run")
    assert ran.code == 0, ran.err
    rows = projects.rows(tmp_path, "piles")
    assert [len(row["letters"]) for row in rows] == [1, 1, 1, 1]
    assert all(set(row["letters"][0]) == {"text", "mood", "visits", "stars"} for row in rows)


def test_a_row_of_a_table_is_held_against_the_class_that_it_fills(tmp_path: Path) -> None:
    kept = (
        "schema: Kept\nmodel: none\nfrom:\n  reply: {table: tables/replies.csv, id: id}\n"
        "fill: [reply]\n"
    )
    table = "id,text\n1,Good morning\n2,No\n"
    projects.write(
        tmp_path, {**FILES, "scenarios/kept.yaml": kept, "scenarios/tables/replies.csv": table}
    )
    assert projects.run(tmp_path, "run", "kept").code == 0
    assert [row["reply"] for row in projects.rows(tmp_path, "kept")] == [{"text": "Good morning"}]
    refused = projects.run(tmp_path, "show", "kept", "--rejects").out
    assert "reply.text: string should have at least 5 characters" in refused


def test_a_list_of_objects_keeps_its_bounds(tmp_path: Path) -> None:
    pile = (
        "schema: Pile\nmodel: none\nfrom:\n  one: letters\n"
        "  letters: {scenario: letters, on: tone, n: 2}\nfill: [letters]\n"
    )
    short = SCHEMAS.replace("letters: list[Letter]", "letters: list[Letter] = Field(max_length=1)")
    more = FILES["scenarios/letters.yaml"].replace("2 each", "3 each")
    projects.write(
        tmp_path,
        {
            **FILES,
            "schemas/letters.py": short,
            "scenarios/letters.yaml": more,
            "scenarios/piles.yaml": pile,
        },
    )
    assert projects.run(tmp_path, "run").code == 0
    assert projects.rows(tmp_path, "piles") == []
    refused = projects.run(tmp_path, "show", "piles", "--rejects").out
    assert "letters: list should have at most 1 item" in refused
