"""The words of a scenario file: what each may hold, and the JSON Schema that editors read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal, TypeGuard

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    StrictInt,
    ValidationError,
    WithJsonSchema,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, ErrorDetails

from builder.errors import InputError, Place, combine, nearest
from builder.project import axes, documents, draws, expect, settings, sources, typos

# Words that the format reserves and this version refuses.
LATER = {
    "judge": "a model's verdict on each row",
    "drop": "valid answers that are no row",
    "reasoning": "the provider's reasoning text as a column",
}


# The model that asks nobody, and the dataset that is none.
NOBODY = NOWHERE = "none"
# Words about asking, which mean nothing where nobody is asked.
_OF_ASKING = ("prompt", "params", "tries", "answer")


@dataclass(frozen=True, slots=True)
class Rows:
    """What `rows` says: so many in all, or so many of each combination."""

    total: int | None = None
    least: int = 0
    each: int | None = None

    @classmethod
    def parse(cls, value: object) -> Rows:
        """The rows that a person wrote; ValueError where it means nothing.

        >>> Rows.parse("5 each").each
        5
        """
        if isinstance(value, Rows):
            return value
        if _is_count(value):
            return cls(total=value)
        if isinstance(value, str) and (match := re.fullmatch(r"([1-9]\d*) each", value, re.ASCII)):
            return cls(each=int(match[1]))
        if isinstance(value, dict) and set(value) == {"total", "least"}:
            total, least = value["total"], value["least"]
            if _is_count(total) and _is_count(least):
                return cls(total=total, least=least)
        raise ValueError('expected 200, "5 each" or {total: 5000, least: 20}')


def _is_count(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _name(value: object) -> str:
    if not isinstance(value, str) or not settings.NAME.match(value):
        bare = PurePosixPath(value).stem if isinstance(value, str) else ""
        ending = ", without its ending" if settings.NAME.match(bare) and bare != value else ""
        raise ValueError(
            "expected a name of letters, digits, _ and -, at most 64, not beginning with -" + ending
        )
    return value


def _models(value: object) -> tuple[str, ...]:
    if value == NOBODY:
        return (NOBODY,)
    models = tuple(value) if isinstance(value, list) else (value,)
    names = [
        model for model in models if isinstance(model, str) and re.fullmatch(r"[\w.-]+:\S.*", model)
    ]
    if len(names) < len(models):
        raise ValueError("expected provider:model, e.g. openai:gpt-5-mini, or a list of them")
    if len(set(names)) < len(names) or not names:
        raise ValueError("expected models, each once")
    return tuple(names)


_WIDE_COLON = "a full-width '：' stands here; YAML wants ': '"
_POSITIVE = {"type": "integer", "minimum": 1}
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
_MODELS = {"oneOf": [_MODEL, {"const": NOBODY}, {"type": "array", "items": _MODEL, "minItems": 1}]}
Name = Annotated[
    str,
    BeforeValidator(_name),
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
    rows: Annotated[Rows, BeforeValidator(Rows.parse), WithJsonSchema(_ROWS)] = Field(
        Rows(each=1), description="accepted rows wanted: in all, per combination, or both"
    )
    seed: StrictInt = Field(0, description="every draw follows from it")
    model: Annotated[tuple[str, ...] | None, BeforeValidator(_models), WithJsonSchema(_MODELS)] = (
        Field(None, description="provider:model, or a list that shares the cases")
    )
    from_: Annotated[
        dict[str, Any],
        WithJsonSchema({"type": "object", "additionalProperties": sources.JSON_SCHEMA}),
    ] = Field(
        default_factory=dict,
        alias="from",
        description="rows that these are made from; docs/chains.md",
    )
    fill: list[str] = Field(
        default_factory=list, description="fields that are taken from names and not asked for"
    )
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
        WithJsonSchema({"type": "object", "additionalProperties": axes.JSON_SCHEMA}),
    ] = Field(default_factory=dict, description="axes, crossed")
    draw: Annotated[list[Any], WithJsonSchema({"type": "array", "items": draws.JSON_SCHEMA})] = (
        Field(default_factory=list, description="values from statistics, never from the model")
    )
    keep: list[Any] = Field(default_factory=list, description="what every planned row must satisfy")
    expect: Annotated[dict[str, Any], _ExpectSchema()] = Field(
        default_factory=dict, description="gates of this scenario's rows; docs/gates.md"
    )

    @property
    def asks_nobody(self) -> bool:
        """Whether every field is filled or computed."""
        return self.model == (NOBODY,)

    @classmethod
    def read(cls, document: documents.Document) -> Words:
        """The words of a scenario's file. InputError for what is none, or means nothing."""
        if not isinstance(document.data, dict):
            colon = typos.wide_colon(document.data) if isinstance(document.data, str) else -1
            raise InputError(
                f"expected the words of a scenario, found {documents.describe(document.data)}",
                place=Place(document.file, 1, max(colon, 0) + 1),
                hint=_WIDE_COLON if colon >= 0 else "at least `schema: Class`",
            )
        for word in document.data:
            if word in LATER:
                raise InputError(
                    f"{word!r} is not supported yet: {LATER[word]}",
                    place=document.place((word,), key=True),
                )
        try:
            words = cls.model_validate(document.data)
        except ValidationError as error:
            raise combine([_problem(document, problem) for problem in error.errors()]) from None
        for word in _OF_ASKING:
            if words.asks_nobody and word in document.data:
                raise InputError(
                    f"{word!r} stands beside `model: none`, which asks nobody",
                    place=document.place((word,), key=True),
                )
        if problems := list(expect.problems(words.expect)):
            raise combine(
                InputError(
                    problem.message,
                    place=document.place(("expect", *problem.path), key=problem.at_key),
                    hint=problem.hint,
                )
                for problem in problems
            )
        return words


def json_schema() -> dict[str, Any]:
    """The JSON Schema of a scenario file, as editors use it."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Words.model_json_schema()}


def _problem(document: documents.Document, problem: ErrorDetails) -> InputError:
    path = tuple(step for step in problem["loc"] if not str(step).startswith("function-"))
    kind, word, value = problem["type"], path[0] if path else "", problem["input"]
    if kind == "extra_forbidden":
        words = [field.alias or name for name, field in Words.model_fields.items()]
        return InputError(
            f"unknown word {word!r}.{nearest(str(word), words)}",
            place=document.place(path, key=True),
            hint=f"words: {', '.join(words)}",
        )
    if kind == "missing":
        return InputError(
            f"the word {word!r} is missing",
            place=Place(document.file, 1, 1),
            hint="e.g. schema: SupportMessage",
        )
    place, hint = document.place(path), typos.hint(value)
    if word == "model" and isinstance(value, str) and typos.model(value):
        hint = f"write {typos.model(value)}"
    colon = typos.wide_colon(value) if isinstance(value, str) else -1
    if colon >= 0:
        place = place._replace(column=document.text_place(path).column + colon)
        hint = _WIDE_COLON
    wanted = settings.expected(problem, mapping="a mapping (key: value)")
    message = f"{'.'.join(map(str, path))}: {wanted}, found {documents.describe(value)}"
    return InputError(message, place=place, hint=hint)
