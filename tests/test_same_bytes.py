"""The same store gives the same rows in every process, and what would not is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from builder import jsonschema
from tests import projects

SETS = """\
from pydantic import BaseModel, computed_field


class Part(BaseModel):
    sizes: frozenset[int] = frozenset((30, 4, 200))


class Letter(BaseModel):
    text: str
    order: list[str] = ["z", "a"]
    part: Part = Part()

    @computed_field
    @property
    def letters(self) -> set[str]:
        return set(self.text)

    @computed_field
    @property
    def pairs(self) -> dict[str, list[frozenset[tuple[int, str]]]]:
        return {"pairs": [frozenset(enumerate(self.text))]}
"""


@pytest.mark.parametrize("form", ["jsonl", "parquet", "csv"])
def test_sets_stand_in_one_order_in_every_process(tmp_path: Path, form: str) -> None:
    projects.write(tmp_path, {"schemas/letters.py": SETS})
    contents = set()
    for seed in ("0", "1", "2"):
        ran = projects.process(tmp_path, "run", "--format", form, PYTHONHASHSEED=seed)
        assert ran.code == 0, ran.err
        files = sorted((tmp_path / "outputs/letter/data").iterdir())
        contents.add(b"".join(file.read_bytes() for file in files))
        if seed == "0":
            assert projects.held(tmp_path) == 2
    assert len(contents) == 1
    assert projects.held(tmp_path) == 2


class Tagged(BaseModel):
    kind: str
    tags: set[str]


class Other(BaseModel):
    kind: int
    tags: list[str]


class Whole(BaseModel):
    one: Tagged | Other | None
    many: tuple[set[int], list[int]]
    by_name: dict[str, frozenset[str] | None]
    either: list[str] | set[str]
    mixed: set[int | str]
    children: list[Whole] = []


def test_only_sets_are_sorted_and_lists_stay_as_they_are() -> None:
    value: dict[str, Any] = {
        "one": {"kind": "a", "tags": ["b", "a"]},
        "many": [[10, 9, 2], [3, 1]],
        "by_name": {"x": ["b", "a"], "y": None},
        "either": ["b", "a"],
        "mixed": ["a", 2, 1],
        "children": [],
    }
    schema = jsonschema.unwrap(Whole.model_json_schema(mode="serialization"))
    child = {**value, "one": None}
    ordered = jsonschema.ordered({**value, "children": [child]}, schema, schema)
    expected: dict[str, Any] = {
        "one": {"kind": "a", "tags": ["a", "b"]},
        "many": [[2, 9, 10], [3, 1]],
        "by_name": {"x": ["a", "b"], "y": None},
        "either": ["b", "a"],
        "mixed": ["a", 1, 2],
        "children": [],
    }
    assert ordered == {**expected, "children": [{**expected, "one": None}]}
    assert list(ordered) == list(value)


UNSTEADY = """\
import datetime
import itertools
import random
import uuid
from uuid import uuid4

from pydantic import BaseModel, Field


def stamp() -> str:
    return datetime.date.today().isoformat()


class Turn(BaseModel):
    id: str = Field(default_factory=lambda: uuid4().hex)
    who: str = "a"


class Letter(BaseModel):
    text: str = Field(min_length=5, max_length=80)
    id: uuid.UUID = Field(default_factory=uuid.uuid4)
    day: datetime.date = Field(default_factory=datetime.date.today)
    at: str = Field(default_factory=stamp)
    dice: float = random.random()
    number: int = Field(default_factory=itertools.count().__next__)
    turns: list[Turn] = []
    hidden: str = Field(default_factory=lambda: uuid4().hex, exclude=True)
    tags: list[str] = Field(default_factory=list)
    mood: str = Field(default="now")
    copied: Turn = Field(default_factory=lambda: Turn(id="x"))
    length: int = Field(default_factory=lambda data: len(data["text"]))
"""


def test_defaults_that_differ_from_run_to_run_are_named_with_their_lines(tmp_path: Path) -> None:
    projects.write(tmp_path, {"schemas/letters.py": UNSTEADY})
    ran = projects.run(tmp_path, "plan")
    assert ran.code == 0, ran.err
    lines = [line for line in ran.out.split("\n") if "differs from run to run" in line]
    assert [line.partition(" has")[0] for line in lines] == [
        "schemas/letters.py:21:5: Letter.id",
        "schemas/letters.py:22:5: Letter.day",
        "schemas/letters.py:23:5: Letter.at",
        "schemas/letters.py:24:5: Letter.dice",
        "schemas/letters.py:25:5: Letter.number",
        "schemas/letters.py:15:5: Turn.id",
    ]


def test_fixed_defaults_are_no_matter(tmp_path: Path) -> None:
    ran = projects.run(projects.write(tmp_path, {"schemas/letters.py": SETS}), "plan")
    assert "differs from run to run" not in ran.out + ran.err
