"""The words of a scenario file: what each may hold, and the JSON Schema that editors read."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    StrictInt,
    WithJsonSchema,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from builder.plan.spread import Rows
from builder.project import expect
from builder.project.settings import NAME

LATER = {
    "from": "rows of another scenario as background",
    "judge": "a model's verdict on each row",
    "drop": "valid answers that are no row",
    "reasoning": "the provider's reasoning text as a column",
}
"""Words that the format reserves and this version refuses."""


def parse_rows(value: Any) -> Rows:
    """What `rows` means; ValueError where it means nothing."""
    if isinstance(value, Rows):
        return value
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return Rows(total=value)
    if isinstance(value, str) and (match := re.fullmatch(r"([1-9]\d*) each", value, re.ASCII)):
        return Rows(each=int(match[1]))
    if isinstance(value, dict) and set(value) == {"total", "least"}:
        total, least = value["total"], value["least"]
        numbers = all(isinstance(n, int) and not isinstance(n, bool) for n in (total, least))
        if numbers and total > 0 and least > 0:
            return Rows(total=total, least=least)
    raise ValueError('expected 200, "5 each" or {total: 5000, least: 20}')


def parse_name(value: Any) -> str:
    """A name that may become a path."""
    if not isinstance(value, str) or not NAME.match(value):
        bare = PurePosixPath(value).stem if isinstance(value, str) else ""
        ending = ", without its ending" if NAME.match(bare) and bare != value else ""
        raise ValueError(
            "expected a name of letters, digits, _ and -, at most 64, not beginning with -" + ending
        )
    return value


def _models(value: Any) -> tuple[str, ...]:
    found = tuple(value) if isinstance(value, list) else (value,)
    for model in found:
        if not isinstance(model, str) or not re.fullmatch(r"[\w.-]+:\S.*", model):
            raise ValueError("expected provider:model, e.g. openai:gpt-5-mini, or a list of them")
    if len(set(found)) < len(found) or not found:
        raise ValueError("expected models, each once")
    return found


_POSITIVE = {"type": "integer", "minimum": 1}
_SCALAR = {"type": ["string", "number", "boolean"]}
_AXIS = {
    "oneOf": [
        {"type": "array", "items": _SCALAR, "minItems": 1},
        {
            "type": "object",
            "minProperties": 1,
            "additionalProperties": {
                "oneOf": [
                    {"type": "number", "exclusiveMinimum": 0},
                    {"type": "object", "properties": {"weight": {"type": "number"}}},
                    {"type": "string"},
                ]
            },
        },
    ],
    "description": "values; {value: weight}; {value: {attribute: …}}; {file: …}; {table: …}; {of: axis.attribute}",
}
_ROWS = {
    "oneOf": [
        _POSITIVE,
        {"type": "string", "pattern": "^[1-9][0-9]* each$"},
        {
            "type": "object",
            "properties": {"total": _POSITIVE, "least": _POSITIVE},
            "required": ["total", "least"],
            "additionalProperties": False,
        },
    ],
    "default": "1 each",
}
_MODEL = {"type": "string", "pattern": "^[^:]+:.+$"}
Name = Annotated[
    str,
    BeforeValidator(parse_name),
    WithJsonSchema({"type": "string", "pattern": r"^[^-/].{0,63}$"}),
]


class _ExpectSchema:
    """The JSON Schema of `expect`, made when it is asked for: a plan loads no gate for it."""

    def __get_pydantic_json_schema__(
        self, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return expect.json_schema()


class Words(BaseModel):
    """One scenario as it is written."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, title="A scenario")

    prompt: Name | None = Field(
        None, description="template under prompts/; default: this file's name"
    )
    schema_: str = Field(alias="schema", description="a class in a module under schemas/")
    dataset: Name | None = Field(
        None, description="where the rows go; default: the class in snake_case"
    )
    rows: Annotated[Rows, BeforeValidator(parse_rows), WithJsonSchema(_ROWS)] = Field(
        Rows(each=1), description="accepted rows wanted: in all, per combination, or both"
    )
    seed: StrictInt = Field(0, description="every draw follows from it")
    model: Annotated[
        tuple[str, ...] | None,
        BeforeValidator(_models),
        WithJsonSchema({"oneOf": [_MODEL, {"type": "array", "items": _MODEL, "minItems": 1}]}),
    ] = Field(None, description="provider:model, or a list that shares the cases")
    params: dict[str, Any] = Field(
        default_factory=dict, description="temperature, max_tokens … as the provider names them"
    )
    tries: int = Field(3, ge=1, le=20, description="answers asked for a case before it is given up")
    answer: Literal["json", "text"] = Field(
        "json", description="structured output, or the whole reply"
    )
    similarity_below: float | None = Field(
        default=None,
        gt=0,
        le=1,
        description="a row at least this near (Jaccard) to an accepted one is a reject",
    )
    unlike: list[str] = Field(
        default_factory=list,
        description="files whose texts no row may be near to: benchmarks, references",
    )
    unused: list[str] = Field(
        default_factory=list, description="axes that neither template nor schema need mention"
    )
    given: dict[str, Any] = Field(
        default_factory=dict, description="the fixed background of every row"
    )
    vary: Annotated[
        dict[str, Any],
        WithJsonSchema({"type": "object", "additionalProperties": _AXIS}),
    ] = Field(default_factory=dict, description="axes, crossed")
    draw: Annotated[
        list[Any],
        WithJsonSchema(
            {"type": "array", "items": {"type": "object", "minProperties": 1, "maxProperties": 1}}
        ),
    ] = Field(default_factory=list, description="values from statistics, never from the model")
    keep: list[Any] = Field(default_factory=list, description="what every planned row must satisfy")
    expect: Annotated[dict[str, Any], _ExpectSchema()] = Field(
        default_factory=dict, description="gates of this scenario's rows; docs/gates.md"
    )


def json_schema() -> dict[str, Any]:
    """The JSON Schema of a scenario file, as editors use it."""
    made = Words.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made}
