"""Rows that one did not mean: one prompt for many rows, and answers that are copies of others."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import projects

SAID = "only sampling makes them differ"


def planned(folder: Path, scenario: str, prompt: str = projects.PROMPT) -> list[str]:
    """The lines of a plan that speak of equal prompts."""
    projects.write(folder, {"scenarios/letters.yaml": scenario, "prompts/letters.j2": prompt})
    ran = projects.run(folder, "plan")
    assert ran.code == 0, ran.err
    return [line for line in ran.out.split("\n") if SAID in line]


def test_many_rows_of_few_prompts_are_said_once_with_the_ways_out(tmp_path: Path) -> None:
    assert planned(tmp_path, projects.SCENARIO + "rows: 400 each\n") == [
        f"letters: 800 rows, 2 different prompts: {SAID}; draw something into the prompt, or set "
        "similarity_below."
    ]


@pytest.mark.parametrize(
    ("more", "prompt"),
    [
        ("rows: 1 each\n", projects.PROMPT),
        ("rows: 3 each\n", projects.PROMPT),
        ("rows: 400 each\nsimilarity_below: 0.9\n", projects.PROMPT),
        ("rows: 400 each\ndraw:\n  - days: {uniform: [0, 1000]}\n", "{{ tone }} {{ days }}"),
    ],
)
def test_rows_that_differ_by_their_prompts_are_no_matter(
    tmp_path: Path, more: str, prompt: str
) -> None:
    assert planned(tmp_path, projects.SCENARIO + more, prompt) == []


def ended(folder: Path, schema: str, scenario: str) -> str:
    """What a run of these files says of copies."""
    files = {"schemas/letters.py": schema, "scenarios/letters.yaml": scenario}
    ran = projects.run(projects.write(folder, files), "run")
    assert ran.code == 0, ran.err
    return next((line for line in ran.err.split("\n") if "exact copies" in line), "")


SAME = projects.SCHEMA.replace("min_length=5, max_length=80", 'pattern="^good day$"')


def test_copies_of_accepted_texts_are_named_at_the_end_of_a_run(tmp_path: Path) -> None:
    assert ended(tmp_path, SAME, projects.SCENARIO + "rows: 3 each\n") == (
        "  5 of 6 rows are exact copies of another: similarity_below refuses copies"
    )
    again = projects.run(tmp_path, "export")
    assert "5 of 6 rows are exact copies of another" in again.err


def test_many_equal_answers_in_a_row_are_named(tmp_path: Path) -> None:
    assert "39 of 40 rows are exact copies of another, 40 in a row:" in ended(
        tmp_path, SAME, projects.SCENARIO + "rows: 20 each\n"
    )


def test_texts_that_differ_are_no_copies_whatever_else_is_equal(tmp_path: Path) -> None:
    assert ended(tmp_path, projects.SCHEMA, projects.SCENARIO + "rows: 20 each\n") == ""
    labels = (
        "from typing import Literal\nfrom pydantic import BaseModel\n\n\n"
        "class Letter(BaseModel):\n    mood: Literal['glad', 'sad']\n"
    )
    assert ended(tmp_path, labels, projects.SCENARIO + "rows: 20 each\n") == ""


def test_texts_within_lists_are_copies_too(tmp_path: Path) -> None:
    nested = (
        "from pydantic import BaseModel, Field\n\n\nclass Turn(BaseModel):\n"
        '    words: str = Field(pattern="^good day$")\n\n\n'
        "class Letter(BaseModel):\n    turns: list[Turn] = Field(min_length=1, max_length=1)\n"
    )
    assert "5 of 6 rows are" in ended(tmp_path, nested, projects.SCENARIO + "rows: 3 each\n")
