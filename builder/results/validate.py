"""The schema's verdict: an answer and its case in, a row or a reject out. Pure, and never stored."""

from __future__ import annotations

import math
import re
import traceback
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails, from_json

from builder import limits
from builder.errors import Place, nearest
from builder.plan.plans import Planned, ScenarioPlan
from builder.project.schemas import Schema
from builder.records import (
    Completion,
    Key,
    Reject,
    Row,
    Stage,
)

LIMIT = 1.0
"""Seconds that the validators of one row may take."""

Alarm = Callable[[float], None]


class NoJsonError(ValueError):
    """The answer holds no JSON object."""


def verdict(
    part: ScenarioPlan, planned: Planned, key: Key, answer: Completion, alarm: Alarm
) -> Row | Reject:
    """The row that this answer is, or the reject with its stage and reason."""

    def reject(stage: Stage, reason: str, fault: Place | None = None) -> Reject:
        return Reject(planned.case, key, answer.model, stage, reason, answer.text, fault)

    schema = part.scenario.schema
    field = part.scenario.text_field
    try:
        alarm(LIMIT)
        value = {field: answer.text} if field else parsed(answer.text)
        alarm(0)
    except NoJsonError as error:
        alarm(0)
        return reject("parse", str(error))
    except limits.TooLongError:
        return reject(
            "parse", f"not JSON: finding any in {len(answer.text)} characters took over {LIMIT:g} s"
        )
    context = dict(planned.case.variables)
    try:
        alarm(LIMIT)
        # From JSON text, so that what only JSON can say (dates, tuples, enums) is coerced.
        if isinstance(value, dict):
            model = schema.model.model_validate(value, context=context)
        else:
            model = schema.model.model_validate_json(value, context=context)
        fields = model.model_dump(mode="json", by_alias=schema.by_alias)
        alarm(0)
    except ValidationError as error:
        alarm(0)
        return reject("validate", _reasons(error))
    except limits.TooLongError as error:
        alarm(0)
        return reject("validate", f"a validator took over {LIMIT:g} s", _fault(error, schema))
    except Exception as error:  # noqa: BLE001  (a validator is the user's code and may raise anything)
        alarm(0)
        return reject("validate", _raised_message(error, context), _fault(error, schema))
    wrong = unfit(fields)
    if wrong:
        return reject("validate", wrong)
    return Row(planned.case, key, answer.model, fields)


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


def unfit(value: Any, where: str = "") -> str:
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


def parsed(text: str) -> str:
    """The JSON object in an answer, as JSON text: as it is, or out of a fence or the prose around it.

    Raises NoJsonError where there is none.
    """
    stripped = text.strip()
    if stripped.startswith("{") and _is_object(stripped):
        return stripped
    inner = re.search(r"```(?:json)?\s*(\{.*\})\s*```", stripped, re.DOTALL | re.IGNORECASE)
    candidate = inner[1] if inner else stripped[stripped.find("{") : stripped.rfind("}") + 1]
    if not candidate:
        raise NoJsonError(f"no JSON object in the answer: {_short(stripped) or 'it is empty'}")
    if _is_object(candidate):
        return candidate
    return _repaired(candidate)


def _is_object(text: str) -> bool:
    try:
        return isinstance(from_json(text), dict)
    except ValueError:
        return False


def _repaired(text: str) -> str:
    """Trailing commas, single quotes and the like put right; a cut answer is not completed."""
    import json

    from json_repair import repair_json

    try:
        repaired = repair_json(text, return_objects=True, ensure_ascii=False)
        whole = json.dumps(repaired, ensure_ascii=False)
    except (RecursionError, ValueError, IndexError) as error:
        raise NoJsonError(f"not JSON: {_short(text)}") from error
    if not isinstance(repaired, dict) or not repaired or text.count("{") > text.count("}"):
        raise NoJsonError(f"not JSON: {_short(text)}")
    return whole


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
        else f" (found {_short(repr(problem['input']))})"
    )
    return f"{where + ': ' if where else ''}{message[0].lower() + message[1:] if message else 'refused'}{input_}"


def _short(text: str) -> str:
    flat = " ".join(text[:400].split())
    return flat if len(flat) <= 80 and len(text) <= 400 else flat[:79] + "…"
