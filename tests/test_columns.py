"""The columns of a dataset, known before anything is asked: names, order, kinds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from builder.errors import InputError
from builder.plan import columns
from builder.plan.plans import DatasetPlan
from builder.quality import contexts
from builder.table.tables import STRING, Kind
from tests import projects

SCHEMA = """\
from enum import Enum
from typing import Any, Literal

from pydantic import BaseModel, Field


class Part(BaseModel):
    word: str
    size: int | None = None


class Tree(BaseModel):
    word: str
    children: list["Tree"] = []


class Mixed(Enum):
    one = 1
    half = 0.5


class Letter(BaseModel):
    text: str
    count: int
    share: float | int
    sure: bool | None
    mood: Literal["good", "bad"]
    level: Literal[1, 2]
    odd: Literal[1, "two"]
    mixed: Mixed
    day: str = Field(json_schema_extra={"format": "date"})
    part: Part
    parts: list[Part | None]
    tree: Tree
    either: Part | str
    free: dict[str, int]
    pair: tuple[int, str]
    anything: Any
    nullable: str = Field(json_schema_extra={"type": ["string", "null"]})
"""
PART = Kind("struct", fields=(("word", STRING), ("size", Kind("integer"))))
KINDS = {
    "text": "string", "count": "integer", "share": "number", "sure": "boolean", "mood": "string",
    "level": "integer", "odd": "json", "mixed": "json", "day": "string",
    "part": "{word: string, size: integer}", "parts": "list of {word: string, size: integer}",
    "either": "json", "free": "json", "pair": "json", "anything": "json", "nullable": "string",
}  # fmt: skip


AXES = ("size", "tone", "share_of", "sure_of", "n", "extra")


def dataset(folder: Path, letters: str = "rows: 1\n", more: str = "") -> DatasetPlan:
    """The plan of one scenario, or of two that share a dataset."""
    files = {
        "schemas/letters.py": SCHEMA,
        "prompts/letters.j2": "Write. " + "".join(f"{{{{ {name} or '' }}}}" for name in AXES),
        "scenarios/letters.yaml": _scenario(letters),
    }
    if more:
        files["scenarios/more.yaml"] = "prompt: letters\n" + _scenario(more)
    projects.write(folder, files)
    return projects.plan(folder).datasets[0]


def _scenario(text: str) -> str:
    """A scenario that gives as empty texts, on one line, what it does not vary."""
    names = [name for name in AXES if f"  {name}: " not in text]
    given = ", ".join(f"{name}: ''" for name in names)
    return f"schema: Letter\ngiven: {{{given}}}\n{text}"


def test_fields_come_as_declared_then_variables_then_our_own(tmp_path: Path) -> None:
    made = dataset(tmp_path, letters=(
        "vary:\n  size: [1, 2]\n  tone: [glad, sad]\n  share_of: [1, 0.5]\n"
        "  sure_of: [true, false]\n"))  # fmt: skip
    kinds = columns.of_dataset(made.scenarios)
    assert list(kinds) == [
        "text", "count", "share", "sure", "mood", "level", "odd", "mixed", "day", "part", "parts",
        "tree", "either", "free", "pair", "anything", "nullable", "size", "tone", "share_of",
        "sure_of", *columns.OWN,
    ]  # fmt: skip
    assert {name: str(kinds[name]) for name in KINDS} == KINDS
    assert kinds["part"] == PART
    axes = {name: str(kinds[name]) for name in ("size", "tone", "share_of", "sure_of")}
    assert axes == {
        "size": "integer", "tone": "string", "share_of": "number", "sure_of": "boolean",
    }  # fmt: skip
    assert all(kinds[name] == STRING for name in columns.OWN)


def test_a_class_that_contains_itself_ends_as_json(tmp_path: Path) -> None:
    made = dataset(tmp_path, letters="rows: 1\n")
    kind: Kind | None = columns.of_dataset(made.scenarios)["tree"]
    depth = 0
    while kind is not None and kind.fields:
        depth += 1
        kind = dict(kind.fields)["children"].of
    assert kind == Kind("json")
    assert depth == 3


def test_datasets_of_several_scenarios_have_the_union_of_their_columns(tmp_path: Path) -> None:
    made = dataset(
        tmp_path,
        letters="vary:\n  n: [1, 2]\n  tone: [glad]\n",
        more="vary:\n  n: [0.5, 2]\n  extra: [x]\n",
    )
    kinds = columns.of_dataset(made.scenarios)
    assert [name for name in kinds if name in ("n", "tone", "extra")] == ["n", "tone", "extra"]
    assert str(kinds["n"]) == "number"
    turned = columns.of_dataset(made.scenarios[::-1])
    assert str(turned["n"]) == "number"


def test_one_name_is_one_kind(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="values of 'n' are integer and string") as caught:
        columns.of_dataset(dataset(
            tmp_path / "a", letters="vary:\n  n: [1, two]\n"
        ).scenarios)  # fmt: skip
    assert str(caught.value.place).endswith("letters.yaml:4:3")
    made = dataset(
        tmp_path / "b",
        letters="vary:\n  n: [1, 2]\n",
        more="vary:\n  n: [one, two]\n",
    )
    with pytest.raises(
        InputError, match=r"'n' is string here and integer in scenario 'letters'"
    ) as caught:
        columns.of_dataset(made.scenarios)
    assert str(caught.value.place).endswith("more.yaml:5:3")


def test_texts_are_every_field_of_free_text_unless_some_are_chosen(tmp_path: Path) -> None:
    made = dataset(tmp_path, letters="rows: 1\n")
    (scenario,) = made.scenarios
    assert columns.text_fields(scenario, None) == (
        "text", "part", "parts", "tree", "either", "nullable",
    )  # fmt: skip
    assert columns.text_fields(scenario, ["mood"]) == ("mood",)
    row: dict[str, Any] = {
        "text": "a", "mood": "good", "day": "2026-01-02", "part": {"word": "b", "size": 3},
        "parts": [{"word": "c"}, None, {"word": "d"}], "tree": None,
    }  # fmt: skip
    schema = scenario.scenario.schema.row
    assert columns.text_of(schema, row, list(row)) == "a\nb\nc\nd"
    assert columns.text_of(schema, row, ["parts", "text"]) == "c\nd\na"
    assert columns.text_of(schema, row, ["mood", "day", "unknown"]) == ""


def test_a_check_reads_fields_of_dates_as_dates_and_short_words_as_classes(tmp_path: Path) -> None:
    schema = (
        "from datetime import date\nfrom typing import Literal\n\nfrom pydantic import BaseModel\n\n\n"
        'class Letter(BaseModel):\n    day: date\n    month: Literal["2026-01", "2026-02"]\n'
    )
    (made,) = projects.plan(projects.write(tmp_path, {"schemas/letters.py": schema})).datasets
    records = [
        {"day": f"2026-01-{n + 1:02}", "month": "2026-01", "tone": "glad", "_scenario": "letters"}
        for n in range(20)
    ]
    rows = contexts.rows(made, records)
    kinds = {name: str(rows.column(name).kind) for name in ("day", "month", "tone")}
    assert kinds == {"day": "number", "month": "category", "tone": "category"}
