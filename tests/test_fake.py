"""The fake engine: answers obey any schema, follow from the key alone, and fail as asked."""

from __future__ import annotations

import asyncio
import random
import re
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import UUID

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AnyUrl, AwareDatetime, BaseModel, Field, PositiveFloat, RootModel

from builder.engines import generate, registry, structured
from builder.engines.fake import Fake
from builder.errors import ProviderError, TransportError
from builder.project.settings import Provider
from builder.records import (
    Call,
    Completion,
    Key,
    Message,
    Request,
)


class Node(BaseModel):
    name: str
    children: list[Node] = []
    left: Node | None = None


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int = Field(gt=0, lt=10)


class Dog(BaseModel):
    kind: Literal["dog"]
    weight: PositiveFloat


class Everything(BaseModel):
    short: str = Field(min_length=1, max_length=3)
    exact: str = Field(min_length=50, max_length=50)
    code: str = Field(pattern=r"^[A-Z]{3}-\d{4}(x|y)?$")
    phone: str = Field(pattern=r"^1[3-9]\d{9}$")
    fives: int = Field(multiple_of=5, ge=11, le=99)
    share: float = Field(gt=0, lt=1)
    cents: float = Field(multiple_of=0.25, ge=1, le=9)
    below: int = Field(lt=-5)
    day: AwareDatetime
    id: UUID
    link: AnyUrl
    pet: Annotated[Cat | Dog, Field(discriminator="kind")]
    place: tuple[int, str]
    tags: set[Literal["a", "b", "c"]] = Field(min_length=2)
    counts: dict[str, int]
    tree: Node
    maybe: int | None = None
    fixed: Literal[True]


class Rooted(RootModel[list[Cat]]):
    pass


@pytest.mark.slow
@pytest.mark.parametrize("schema", [Everything, Node, Rooted])
def test_a_value_obeys_its_schema(schema: type[BaseModel]) -> None:
    shape = schema.model_json_schema()
    for seed in range(300):
        value = generate.value(shape, random.Random(seed), chinese=bool(seed % 2))
        jsonschema.validate(value, shape)
        schema.model_validate(value)


@given(
    st.integers(-1000, 1000),
    st.integers(0, 500),
    st.integers(0, 60),
    st.integers(0, 60),
    st.integers(0, 2**31),
)
def test_bounds_of_any_width_are_kept(
    low: int, width: int, least: int, more: int, seed: int
) -> None:
    shape = {
        "type": "object",
        "properties": {
            "whole": {"type": "integer", "minimum": low, "maximum": low + width},
            "real": {"type": "number", "exclusiveMinimum": low, "maximum": low + width + 0.5},
            "text": {"type": "string", "minLength": least, "maxLength": least + more},
            "list": {"type": "array", "items": {"type": "boolean"}, "minItems": least},
        },
        "required": ["whole", "real", "text", "list"],
    }
    jsonschema.validate(generate.value(shape, random.Random(seed), chinese=seed % 2 == 0), shape)


def test_optional_fields_are_sometimes_absent() -> None:
    drawn = [generate.value(Node.model_json_schema(), random.Random(n)) for n in range(50)]
    assert 0 < sum("left" in dict(value) for value in drawn if isinstance(value, dict)) < 50


def test_a_list_without_bounds_has_one_to_four_items() -> None:
    shape = {"type": "array", "items": {"type": "boolean"}}
    values = [generate.value(shape, random.Random(n)) for n in range(50)]
    assert {len(value) for value in values if isinstance(value, list)} == {1, 2, 3, 4}


@pytest.mark.parametrize("turn", [structured.strict, structured.constrained, structured.small])
@pytest.mark.parametrize("schema", [Everything, Node, Cat])
def test_schemas_for_the_wire_are_valid_schemas(turn: Any, schema: type[BaseModel]) -> None:
    shape = turn(schema.model_json_schema())
    jsonschema.Draft202012Validator.check_schema(shape)
    assert shape["type"] == "object"
    assert "$ref" not in shape


def test_strict_answers_need_no_null_that_the_original_refuses() -> None:
    shape = Node.model_json_schema()
    for seed in range(50):
        Node.model_validate(generate.value(structured.strict(shape), random.Random(seed)))


def test_the_small_schema_bounds_texts_and_rewrites_what_the_grammar_ignores() -> None:
    properties = structured.small(Everything.model_json_schema())["properties"]
    assert properties["code"]["pattern"] == "^[A-Z]{3}-[0-9]{4}(x|y)?$"
    assert "prefixItems" not in properties["place"]
    assert structured.small({"type": "string"})["maxLength"] == structured.SMALL_TEXT
    assert structured.small({"type": "string", "maxLength": 9000})["maxLength"] == 1000
    assert structured.small({"type": "string", "pattern": r"^[\d.]+$"})["pattern"] == "^[0-9.]+$"


def request(prompt: str = "Write a review.", schema: Any = Cat) -> Request:
    shape = schema.model_json_schema() if schema else None
    return Request("fake:any", (Message("user", prompt),), {}, shape)


def ask(engine: Fake, asked: Request, *keys: int) -> list[Any]:
    async def call() -> list[Any]:
        async with engine:
            return [
                await asyncio.gather(
                    engine.complete(Call(asked, Key(asked.digest(), n, 0))), return_exceptions=True
                )
                for n in keys
            ]

    return [found[0] for found in asyncio.run(call())]


def fake(**options: Any) -> Fake:
    return Fake(endpoint=registry.endpoint("fake", Provider.model_validate(options)))


def test_the_same_key_hears_the_same_answer() -> None:
    first = ask(fake(), request(schema=None), *range(20))
    again = ask(fake(), request(schema=None), *range(20))
    assert [one.text for one in first] == [one.text for one in again]
    assert len({one.text for one in first}) == 20
    for one in ask(fake(), request(), *range(20)):
        Cat.model_validate_json(one.text)
        assert one.is_answer
        assert one.usd == 0.0
        assert one.usage.output > 0


def test_a_chinese_prompt_hears_chinese() -> None:
    (one,) = ask(fake(), request("写一段客服对话,语气克制。", schema=None), 0)
    assert any("一" <= char <= "鿿" for char in one.text)
    (other,) = ask(fake(), request(schema=None), 0)
    assert other.text.isascii()


def test_malformed_answers_stay_malformed_and_have_their_share() -> None:
    def broken(one: Completion) -> bool:
        try:
            Cat.model_validate_json(one.text)
        except ValueError:
            return True
        return False

    first = [broken(one) for one in ask(fake(faults={"malformed": 0.2}), request(), *range(500))]
    again = [broken(one) for one in ask(fake(faults={"malformed": 0.2}), request(), *range(500))]
    assert first == again
    assert 70 < sum(first) < 130


def test_errors_and_cut_offs_pass_when_the_key_is_asked_again() -> None:
    engine = fake(faults={"error": 0.2, "limited": 0.1, "length": 0.1, "refusal": 0.1})
    found = ask(engine, request(), *range(300))
    assert 60 < sum(isinstance(one, TransportError) for one in found) < 120
    assert {one.stop for one in found if isinstance(one, Completion)} == {
        "end",
        "length",
        "refusal",
    }
    stubborn = ask(fake(faults={"error": 0.5}), request(), *[7] * 30)
    assert any(isinstance(one, Completion) for one in stubborn)


def test_a_script_sees_every_call_first() -> None:
    def script(call: Call) -> str | ProviderError | None:
        return (f"{len(call.messages)} messages", ProviderError("no"), None)[call.key.repeat]

    scripted, refused, usual = ask(Fake(script), request(), 0, 1, 2)
    assert scripted.text == "1 messages"
    assert isinstance(refused, ProviderError)
    Cat.model_validate_json(usual.text)


def test_an_unknown_fault_is_a_problem() -> None:
    where = registry.endpoint("fake", Provider.model_validate({"faults": {"malfromed": 0.1}}))
    (line,) = Fake.problems(where, request())
    assert "Did you mean 'malformed'" in line


def test_a_list_of_answers_is_used_in_turn_and_then_the_usual_ones() -> None:
    whole = Completion(Key(b"x" * 16, 0, 0), "whole", "fake:any")
    answers = ask(Fake(["first", whole, TransportError("gone"), None]), request(), *range(5))
    assert answers[0].text == "first"
    assert answers[1] is whole
    assert isinstance(answers[2], TransportError)
    for usual in answers[3:]:
        Cat.model_validate_json(usual.text)


def test_a_scripted_text_is_a_whole_answer_to_the_call() -> None:
    asked = request("four words stand here")
    turns = (Message("assistant", "{}"), Message("user", "again"))
    call = Call(asked, Key(asked.digest(), 0, 0), turns)
    completion = asyncio.run(Fake(["x" * 40]).complete(call))
    assert (completion.stop, completion.stop_reason, completion.mode) == (
        "end",
        "end",
        "json_schema",
    )
    assert completion.usage == ((21 + 2 + 5) // 4 + 1, 11, 0)
    assert (completion.sent, completion.key, completion.host) == (turns, call.key, "fake")


def test_the_guide_shows_how_to_script_the_fake() -> None:
    page = (Path(__file__).parents[1] / "docs/engines.md").read_text("utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ['{"text": "Good morning."}', '{"text": "Hello."}']


@pytest.mark.parametrize(
    ("fault", "stop", "reason"),
    [
        ("length", "length", "length"),
        ("refusal", "refusal", "refusal"),
        ("malformed", "end", "end"),
    ],
)
def test_a_fault_that_stops_an_answer_is_its_reason(fault: str, stop: str, reason: str) -> None:
    (reply,) = ask(fake(faults={fault: 1.0}), request(), 1)
    assert isinstance(reply, Completion)
    assert (reply.stop, reply.stop_reason, reply.usage.cached) == (stop, reason, 0)
