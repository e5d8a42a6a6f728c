"""Fields that are taken from names and not asked for: the answer and they are one object."""

from collections.abc import Mapping
from typing import Any, get_args

import orjson
from pydantic import BaseModel, ValidationError

from builder.project.carriers import Record


def validated(
    model: type[BaseModel],
    answer: str | Mapping[str, str],
    filled: Mapping[str, Any],
    context: Mapping[str, Any],
) -> BaseModel:
    """The object of an answer, as JSON text or by field, and of the fields that are filled.

    A row of a source that fills a field of a class is that object, which was validated where it
    was made. Raises ValidationError.
    """
    objects = {name: _object(model, name, value) for name, value in filled.items()}
    fields = dict(answer) if isinstance(answer, Mapping) else orjson.loads(answer)
    if not any(isinstance(value, BaseModel) for value in objects.values()):
        # From JSON text, so that what only JSON can say (dates, tuples, enums) is coerced.
        text = orjson.dumps({**fields, **filled}, default=_plain)
        return model.model_validate_json(text, context=context)
    return model.model_validate({**fields, **objects}, context=context)


def _object(model: type[BaseModel], name: str, value: object) -> object:
    """The value for a field; the upstream object where the field is of a class."""
    info = model.model_fields.get(name)
    kinds = [info.annotation, *get_args(info.annotation)] if info else []
    kind = next((k for k in kinds if isinstance(k, type) and issubclass(k, BaseModel)), None)
    if kind is None or not isinstance(value, Record):
        return value
    known = {field: value[field] for field in kind.model_fields if field in value}
    try:
        return kind.model_validate(known)
    except ValidationError:
        # Its validators looked at what was around it then.
        return kind.model_construct(**known)


def _plain(value: object) -> object:
    for base in (str, int, float):
        if isinstance(value, base):
            return base(value)
    raise TypeError(f"{type(value).__name__} has no JSON")
