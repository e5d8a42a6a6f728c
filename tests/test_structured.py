"""Schemas for the wire, keyword by keyword, and the order in which modes are tried."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from builder.engines import structured
from builder.engines.structured import ModeFallback
from builder.records import Message

OBJECT: dict[str, Any] = {"type": "object", "properties": {"a": {"type": "string"}}}


def node(turn: Any, **given: Any) -> Any:
    """What a transform makes of one property."""
    schema = {"type": "object", "properties": {"a": given}, "required": ["a"]}
    return turn(schema)["properties"]["a"]


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"type": "integer", "minimum": 1, "maximum": 5}, {"type": "integer", "minimum": 1, "maximum": 5}),
        ({"type": "string", "maxLength": 5}, {"type": "string", "description": '{"maxLength":5}'}),
        ({"type": "string", "maxLength": 5, "description": "short"}, {"type": "string", "description": 'short {"maxLength":5}'}),
        ({"type": "string", "title": "A", "default": "x", "examples": ["y"]}, {"type": "string"}),
        ({"type": "string", "format": "date"}, {"type": "string", "format": "date"}),
        ({"type": "string", "format": "uri"}, {"type": "string", "description": '{"format":"uri"}'}),
        ({"type": "string", "pattern": "^a+$"}, {"type": "string", "pattern": "^a+$"}),
        ({"type": "string", "pattern": "^(?=a)"}, {"type": "string", "description": '{"pattern":"^(?=a)"}'}),
        ({"type": "array", "items": {"type": "string", "title": "T"}, "minItems": 2}, {"type": "array", "items": {"type": "string"}, "minItems": 2}),
        ({"oneOf": [{"type": "null"}, {"type": "string", "title": "T"}]}, {"anyOf": [{"type": "null"}, {"type": "string"}]}),
        ({"allOf": [{"type": "string"}], "title": "T"}, {"type": "string"}),
    ],
)  # fmt: skip
def test_strict_mode_keeps_what_it_takes_and_describes_the_rest(
    given: dict[str, Any], kept: dict[str, Any]
) -> None:
    assert node(structured.strict, **given) == kept


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"type": "string", "minLength": 2, "maxLength": 5, "title": "A"}, {"type": "string", "minLength": 2, "maxLength": 5}),
        ({"type": "string", "maxLength": 1000}, {"type": "string", "maxLength": 1000}),
        ({"type": "string", "maxLength": 1001}, {"type": "string", "description": '{"maxLength":1001}'}),
        ({"type": "string", "pattern": r"^\d{4}-[\w.]+$"}, {"type": "string", "pattern": "^[0-9]{4}-[A-Za-z0-9_.]+$"}),
        ({"type": "string", "pattern": "^(?=a)"}, {"type": "string", "description": '{"pattern":"^(?=a)"}'}),
        ({"type": "array", "prefixItems": [{"type": "integer", "title": "T"}, {"type": "string"}], "minItems": 2}, {"type": "array", "prefixItems": [{"type": "integer"}, {"type": "string"}], "minItems": 2}),
        ({"type": "array", "items": {"type": "string"}, "uniqueItems": True}, {"type": "array", "items": {"type": "string"}, "uniqueItems": True}),
    ],
)  # fmt: skip
def test_the_whole_schema_keeps_what_grammars_enforce(
    given: dict[str, Any], kept: dict[str, Any]
) -> None:
    assert node(structured.whole, **given) == kept


def test_the_whole_schema_is_closed_and_asks_for_every_field() -> None:
    turned = structured.whole({**OBJECT, "properties": {"a": {}, "b": {}}, "required": ["b"]})
    assert (turned["required"], turned["additionalProperties"]) == (["a", "b"], False)


def test_a_pattern_that_looks_around_is_enforced_by_nobody() -> None:
    fields = {
        "a": {"type": "string", "pattern": "^(?=x)y"},
        "b": {"anyOf": [{"type": "string", "pattern": r"\bword\b"}, {"type": "null"}]},
        "c": {"type": "string", "pattern": r"^\d+$"},
        "d": {"type": "array", "items": {"type": "string", "pattern": "(?<!a)b"}},
    }
    schema = {"type": "object", "properties": fields}
    assert structured.unenforced(schema) == ["a", "b", "d"]


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"type": "integer", "minimum": 1}, {"type": "integer", "description": '{"minimum":1}'}),
        ({"type": "string", "format": "uri"}, {"type": "string", "format": "uri"}),
        ({"type": "array", "items": {"type": "string"}, "minItems": 1}, {"type": "array", "items": {"type": "string"}, "minItems": 1}),
        ({"type": "array", "items": {"type": "string"}, "minItems": 2}, {"type": "array", "items": {"type": "string"}, "description": '{"minItems":2}'}),
    ],
)  # fmt: skip
def test_anthropics_copy_moves_bounds_into_descriptions(
    given: dict[str, Any], kept: dict[str, Any]
) -> None:
    assert node(structured.constrained, **given) == kept


def test_a_tuple_becomes_a_list_of_its_length() -> None:
    places = [{"type": "integer"}, {"type": "string"}]
    turned = node(structured.strict, type="array", prefixItems=places)
    assert turned == {
        "type": "array",
        "items": {"anyOf": places},
        "minItems": 2,
        "maxItems": 2,
    }


def test_every_property_is_required_where_strictness_asks_for_it() -> None:
    schema = {**OBJECT, "properties": {"a": {}, "b": {}}, "required": ["b"]}
    assert structured.strict(schema)["required"] == ["a", "b"]
    assert structured.constrained(schema)["required"] == ["b"]
    assert structured.constrained(OBJECT)["required"] == []
    assert structured.strict(schema)["additionalProperties"] is False


def test_free_names_stay_free() -> None:
    free = {"type": "object", "additionalProperties": {"type": "integer", "title": "T"}}
    assert structured.constrained(free) == {
        "type": "object",
        "additionalProperties": {"type": "integer"},
    }


def test_a_reference_with_a_description_stands_in_a_choice() -> None:
    schema = {
        "$defs": {"Cat": {**OBJECT, "title": "Cat"}},
        "type": "object",
        "properties": {"pet": {"$ref": "#/$defs/Cat", "description": "a cat"}},
    }
    turned = structured.strict(schema)
    assert turned["properties"]["pet"] == {
        "description": "a cat",
        "anyOf": [{"$ref": "#/$defs/Cat"}],
    }
    assert turned["$defs"]["Cat"]["required"] == ["a"]
    assert (
        structured.strict({**schema, "$ref": "#/$defs/Cat"})["properties"] == OBJECT["properties"]
    )


@pytest.mark.parametrize(
    ("schema", "is_object", "is_closed"),
    [
        (OBJECT, True, True),
        ({"type": "object"}, False, True),
        ({"type": "array", "items": OBJECT}, False, True),
        ({"$defs": {"A": OBJECT}, "$ref": "#/$defs/A"}, True, True),
        ({**OBJECT, "additionalProperties": True}, True, False),
        ({**OBJECT, "properties": {"a": {"anyOf": [{"additionalProperties": {}}, {"additionalProperties": {"type": "string"}}]}}}, True, False),
        ({**OBJECT, "additionalProperties": False}, True, True),
    ],
)  # fmt: skip
def test_what_can_be_asked_as_an_object_of_named_fields(
    schema: dict[str, Any], is_object: bool, is_closed: bool
) -> None:
    assert structured.is_object(schema) is is_object
    assert structured.is_closed(schema) is is_closed


def test_the_schema_stands_in_the_system_turn_where_the_mode_does_not_carry_it() -> None:
    user = Message("user", "Write.")
    first, second = structured.described((Message("system", "Be brief."), user), OBJECT)
    assert first.role == "system"
    assert first.content.startswith("Be brief.\n\nAnswer with one JSON value")
    assert first.content.endswith('{"type":"object","properties":{"a":{"type":"string"}}}')
    assert second == user
    alone, after = structured.described([user], OBJECT)
    assert (alone.role, after) == ("system", user)
    assert alone.content.startswith("Answer with one JSON value")


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"type": "string"}, {"type": "string", "maxLength": 300}),
        ({"type": "string", "minLength": 400}, {"type": "string", "maxLength": 401, "minLength": 400}),
        ({"type": "string", "minLength": 5000}, {"type": "string", "maxLength": 1000, "minLength": 999}),
        ({"type": "string", "enum": ["x"], "title": "T"}, {"type": "string", "enum": ["x"]}),
        ({"type": "string", "format": "date"}, {"type": "string", "format": "date"}),
        ({"type": "string", "format": "email"}, {"type": "string", "format": "email", "maxLength": 300}),
        ({"type": "string", "pattern": r"^\w\s\d$"}, {"type": "string", "pattern": "^[A-Za-z0-9_] [0-9]$"}),
        ({"type": "string", "pattern": "a"}, {"type": "string", "maxLength": 300}),
        ({"type": "array", "items": {"type": "boolean", "title": "T"}}, {"type": "array", "items": {"type": "boolean"}, "maxItems": 6}),
        ({"type": "array", "minItems": 9}, {"type": "array", "minItems": 9, "maxItems": 9}),
        ({"type": "array", "maxItems": 5000}, {"type": "array", "maxItems": 1000}),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, {"anyOf": [{"type": "string", "maxLength": 300}, {"type": "null"}]}),
    ],
)  # fmt: skip
def test_the_embedded_models_copy_bounds_every_text_and_list(
    given: dict[str, Any], kept: dict[str, Any]
) -> None:
    assert node(structured.small, **given) == kept


def test_modes_are_left_one_by_one_and_only_from_the_one_that_was_refused() -> None:
    async def walk() -> None:
        fallback = ModeFallback(("json_schema", "json_object", "prompt"))
        assert await fallback.mode() == "json_schema"
        assert fallback.step_down("json_schema") == "json_object"
        # Somebody who was refused a mode that was left already takes the one of now.
        assert fallback.step_down("json_schema") == "json_object"
        assert fallback.step_down("json_object") == "prompt"
        assert fallback.step_down("prompt") is None
        fallback.settle()
        assert await fallback.mode() == "prompt"

    asyncio.run(walk())


def test_the_second_caller_waits_for_the_first_but_not_for_ever() -> None:
    async def walk() -> None:
        fallback = ModeFallback(("json_schema", "prompt"))
        await fallback.mode()
        second = asyncio.create_task(fallback.mode())
        await asyncio.sleep(0)
        assert not second.done()
        fallback.step_down("json_schema")
        fallback.settle()
        assert await second == "prompt"
        alone = ModeFallback(("prompt",))
        assert [await alone.mode(), await alone.mode()] == ["prompt", "prompt"]

    asyncio.run(asyncio.wait_for(walk(), 2))
