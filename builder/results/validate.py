"""The schema's verdict: an answer and its case in, a row or a reject out. Pure, and never stored."""

import math
import traceback
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from builder import jsonschema, limits
from builder.errors import Place, nearest
from builder.plan.planned import Planned, ScenarioPlan
from builder.project.schemas import Schema
from builder.records import (
    Completion,
    Key,
    Reject,
    Row,
    Stage,
)
from builder.results import extract, filling

LIMIT = 1.0  # Seconds that the validators of one row may take.

Alarm = Callable[[float], None]


def verdict(
    part: ScenarioPlan, planned: Planned, key: Key, answer: Completion, alarm: Alarm
) -> Row | Reject:
    """The row that this answer is, or the reject with its stage and reason."""

    def reject(stage: Stage, reason: str, fault: Place | None = None) -> Reject:
        return Reject(planned.case, key, answer.model, stage, reason, answer.text, fault)

    field = part.scenario.text_field
    try:
        alarm(LIMIT)  # what validates sets it anew
        candidates = [extract.text_of(answer.text)] if field else extract.objects(answer.text)
    except extract.NoJsonError as error:
        alarm(0)
        return reject("parse", str(error))
    except limits.TooLongError:
        alarm(0)
        return reject(
            "parse", f"not JSON: finding any in {len(answer.text)} characters took over {LIMIT:g} s"
        )
    if len(candidates) == 1:
        value = {field: candidates[0]} if field else candidates[0]
        return _validated(part, value, planned, key, answer, alarm)
    verdicts = [
        _validated(part, {field: text} if field else text, planned, key, answer, alarm)
        for text in candidates
    ]
    rows = [verdict for verdict in verdicts if isinstance(verdict, Row)]
    if len(rows) > 1 and any(row.fields != rows[0].fields for row in rows):
        return reject("parse", f"{len(rows)} different objects in the answer fit the schema")
    if rows:
        return rows[0]
    longest = max(range(len(candidates)), key=lambda number: len(candidates[number]))
    return verdicts[longest]


def _validated(
    part: ScenarioPlan,
    value: str | dict[str, str],
    planned: Planned,
    key: Key,
    answer: Completion,
    alarm: Alarm,
) -> Row | Reject:
    """The row that one object is by its schema, from JSON text, or the reject."""

    def reject(reason: str, fault: Place | None = None) -> Reject:
        return Reject(planned.case, key, answer.model, "validate", reason, answer.text, fault)

    schema = part.scenario.schema
    context = dict(planned.case.variables)
    try:
        alarm(LIMIT)
        # From JSON text, so that what only JSON can say (dates, tuples, enums) is coerced.
        if fill := part.scenario.words.fill:
            filled = {name: context.get(name) for name in fill}
            made_as = {rows.source.name: rows.title for rows in part.feed.rows} if part.feed else {}
            model = filling.validated(schema.model, value, filled, context, made_as)
        elif isinstance(value, dict):
            model = schema.model.model_validate(value, context=context)
        else:
            model = schema.model.model_validate_json(value, context=context)
        fields = model.model_dump(mode="json", by_alias=schema.by_alias)
        if schema.has_sets:
            fields = jsonschema.ordered(fields, schema.row, schema.row)
    except ValidationError as error:
        return reject(_reasons(error))
    except limits.TooLongError as error:
        return reject(f"a validator took over {LIMIT:g} s", _fault(error, schema))
    except Exception as error:  # noqa: BLE001  (a validator is the user's code and may raise anything)
        return reject(_raised_message(error, context), _fault(error, schema))
    finally:
        alarm(0)
    wrong = unfit(fields)
    return reject(wrong) if wrong else Row(planned.case, key, answer.model, fields)


def _raised_message(error: Exception, context: Mapping[str, Any]) -> str:
    """What a validator raised, in one line; with the names it could have had of its context."""
    message = " ".join(f"a validator raised {type(error).__name__}: {error}".split())
    missing = error.args[0] if isinstance(error, KeyError) and error.args else None
    if not isinstance(missing, str) or missing in context:
        return message
    return (
        f"{message}, which is no name of info.context.{nearest(missing, context)} "
        f"Its names: {', '.join(context)}"
    )


def _fault(error: BaseException, schema: Schema) -> Place:
    """The line of the schema's folder that raised this, or that was running."""
    folder = schema.file.parent
    frames = traceback.walk_tb(error.__traceback__)
    lines = [(Path(frame.f_code.co_filename), line) for frame, line in frames]
    places = [Place(file, line) for file, line in lines if file.is_relative_to(folder)]
    return places[-1] if places else schema.place()


def unfit(value: object, where: str = "") -> str:
    """Why no column can hold this value: the first such part of it; empty where all can."""
    if isinstance(value, str):
        return _unwritable(value, where)
    if isinstance(value, bool) or value is None:
        return ""
    if isinstance(value, int):
        return "" if -(2**63) <= value < 2**63 else f"{where}: no 64 bits hold this whole number"
    if isinstance(value, float):
        return "" if math.isfinite(value) else f"{where}: expected a finite number, found {value}"
    parts: Iterable[tuple[Any, Any]] = ()
    if isinstance(value, dict):
        parts = value.items()
    elif isinstance(value, list):
        parts = enumerate(value)
    for name, part in parts:
        if type(part) is str and part.isascii() and (type(name) is int or name.isascii()):
            continue  # as most are
        path = f"{where}.{name}" if where else str(name)
        if wrong := _unwritable(str(name), where) or unfit(part, path):
            return wrong
    return ""


def _unwritable(text: str, where: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        return f"{where}: half of a character (a lone surrogate), which no file can hold"
    return ""


def _reasons(error: ValidationError) -> str:
    problems = error.errors(include_url=False, include_context=False)
    reasons = "; ".join(_reason(problem) for problem in problems[:5])
    return reasons + (f"; and {len(problems) - 5} more" if len(problems) > 5 else "")


def _reason(problem: ErrorDetails) -> str:
    where = ".".join(str(part) for part in problem["loc"])
    message = problem["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    input_ = (
        ""
        if problem["type"] in ("missing", "value_error")
        else f" (found {extract.short(repr(problem['input']))})"
    )
    return f"{where + ': ' if where else ''}{message[0].lower() + message[1:] if message else 'refused'}{input_}"
