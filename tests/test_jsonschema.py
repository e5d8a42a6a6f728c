"""One walk over JSON Schema: references, choices without null, free text."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from builder import jsonschema


class Colour(Enum):
    red = "red"
    blue = "blue"


class Inner(BaseModel):
    kind: Literal["inner"]
    text: str


class Other(BaseModel):
    kind: Literal["other"]
    day: Annotated[str, Field(json_schema_extra={"format": "date"})]


class Outer(BaseModel):
    text: str
    maybe: str | None = None
    colour: Colour
    maybe_colour: Colour | None = None
    constant: Literal["x"]
    number: int
    inner: Inner
    maybe_inner: Inner | None = None
    many: list[Inner]
    either: Inner | Other
    other: Other
    others: list[Other | None]
    tree: Outer | None = None


ROOT = jsonschema.unwrap(Outer.model_json_schema())
INNER = {"kind": "inner", "text": "deep"}


def part(name: str) -> jsonschema.Schema:
    field: jsonschema.Schema = ROOT["properties"][name]
    return field


@pytest.mark.parametrize(
    ("name", "expected"),
    {
        "text": True, "maybe": True, "colour": False, "maybe_colour": False, "constant": False,
        "number": False, "inner": True, "maybe_inner": True, "many": True, "either": True,
        "other": False, "others": False, "tree": True,
    }.items(),
)  # fmt: skip
def test_free_text_is_told_from_enums_constants_and_formats(name: str, *, expected: bool) -> None:
    assert jsonschema.is_free_text(part(name), ROOT) is expected


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("text", "a", ["a"]),
        ("text", None, []),
        ("maybe", "a", ["a"]),
        ("colour", "red", []),
        ("number", 3, []),
        ("inner", INNER, ["deep"]),
        ("inner", {"text": "b", "unknown": "c"}, ["b"]),
        ("maybe_inner", INNER, ["deep"]),
        ("maybe_inner", None, []),
        ("many", [INNER, {"kind": "inner", "text": "more"}], ["deep", "more"]),
        ("tree", {"text": "up", "tree": {"text": "down", "many": [INNER]}}, ["up", "down", "deep"]),
    ],
)
def test_texts_are_found_at_any_depth_in_their_order(
    name: str, value: Any, expected: list[str]
) -> None:
    assert jsonschema.texts(value, part(name), ROOT) == expected


def test_a_class_that_contains_itself_without_text_comes_to_an_end() -> None:
    root = {"$ref": "#/$defs/A", "$defs": {"A": {"properties": {"a": {"$ref": "#/$defs/A"}}}}}
    assert not jsonschema.is_free_text(root, root)


@pytest.mark.parametrize(("levels", "expected"), [(8, True), (9, False)])
def test_text_is_looked_for_eight_levels_deep(levels: int, *, expected: bool) -> None:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(levels):
        schema = {"type": "array", "items": schema}
    assert jsonschema.is_free_text(schema, schema) is expected


@pytest.mark.parametrize("name", ["colour", "maybe_colour"])
def test_a_part_is_found_behind_references_and_null(name: str) -> None:
    assert jsonschema.resolve(part(name), ROOT)["enum"] == ["red", "blue"]


def test_a_choice_of_several_stays_one() -> None:
    assert jsonschema.resolve(part("either"), ROOT) == part("either")
    assert len(jsonschema.options(part("either"))) == 2


@pytest.mark.parametrize("word", ["anyOf", "oneOf", "allOf"])
def test_null_is_no_option(word: str) -> None:
    text = {"type": "string"}
    assert jsonschema.options({word: [{"type": "null"}, text]}) == [text]
    assert jsonschema.options({word: [{"type": "null"}]}) == []
    assert jsonschema.options(text) == []


def test_a_root_that_is_a_reference_is_written_out_with_its_definitions() -> None:
    schema = Outer.model_json_schema()
    assert set(schema) == {"$defs", "$ref"}
    assert list(ROOT) == ["properties", "required", "title", "type", "$defs"]
    assert jsonschema.unwrap(Inner.model_json_schema()) == Inner.model_json_schema()
