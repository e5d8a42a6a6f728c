"""Fields that are taken from names and not asked for: the answer and they are one object."""

from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import orjson
from pydantic import BaseModel, SkipValidation, TypeAdapter, create_model

from builder.project.carriers import Record
from builder.project.schemas import title
from builder.records import canonical

KEPT = 128  # Classes and fields whose validators are kept.
_AS_IT_IS: Any = SkipValidation()  # type: ignore[type-arg]  # a marker, not a type


def validated(
    model: type[BaseModel],
    answer: str | Mapping[str, str],
    filled: Mapping[str, Any],
    context: Mapping[str, Any],
    classes: Mapping[str, str],
) -> BaseModel:
    """The object of an answer, as JSON text or by field, and of the fields that are filled.

    `classes` names the class of each source's rows. A row that fills a field of its class, or rows
    that fill a list of it, are those objects, which were validated where they were made. Raises
    ValidationError.
    """
    fields = dict(answer) if isinstance(answer, Mapping) else orjson.loads(answer)
    objects: dict[str, Any] = {}
    for name, value in filled.items():
        kind = _class_of(model, name, listed=isinstance(value, list))
        if kind is None or not _made(value):
            fields[name] = value
        elif title(kind) == classes.get(name):
            objects[name] = _each(value, partial(_object, kind))
        else:  # of another class, or of a table: validated as any other value
            fields[name] = _each(value, partial(_known, kind))
    if not objects:
        # From JSON text, so that what only JSON can say (dates, tuples, enums) is coerced.
        return model.model_validate_json(canonical(fields), context=context)
    taking = _taking(model, frozenset(objects))
    return taking.model_validate({**fields, **objects}, context=context)


def _made(value: object) -> bool:
    """Whether this is a row of a source, or several."""
    rows = value if isinstance(value, list) else [value]
    return bool(rows) and all(isinstance(row, Record) for row in rows)


def _each(value: Any, made: Callable[[Mapping[str, Any]], object]) -> object:
    return [made(row) for row in value] if isinstance(value, list) else made(value)


def _class_of(model: type[BaseModel], name: str, *, listed: bool) -> type[BaseModel] | None:
    """The class that a field is of, or a list of; None where it is of none, or of several."""
    info = model.model_fields.get(name)
    kinds: list[Any] = [info.annotation] if info else []
    kinds = [k for kind in kinds for k in (get_args(kind) if _is_union(kind) else (kind,))]
    if listed:
        kinds = [k for kind in kinds if get_origin(kind) is list for k in get_args(kind)]
    classes = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]
    return classes[0] if len(classes) == 1 else None


def _is_union(annotation: object) -> bool:
    return get_origin(annotation) in (Union, UnionType)


def _known(kind: type[BaseModel], row: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a row that a class has."""
    names = {info.alias or name: name for name, info in kind.model_fields.items()}
    return {name: row[name] for name in (*names, *names.values()) if name in row}


def _object(kind: type[BaseModel], row: Mapping[str, Any]) -> BaseModel:
    """The object that a row is."""
    known = _known(kind, row)
    try:
        return kind.model_validate_json(canonical(known), by_alias=True, by_name=True)
    except Exception:  # noqa: BLE001  (its validators looked at what was around it then)
        parts = {
            name: _part(kind, name, known[key])
            for name, info in kind.model_fields.items()
            for key in (name, info.alias)
            if key in known
        }
        return kind.model_construct(_fields_set={*parts}, **parts)


def _part(kind: type[BaseModel], name: str, value: Any) -> object:
    """The value of a field, without what the class says of the whole."""
    inner = _class_of(kind, name, listed=isinstance(value, list))
    rows = value if isinstance(value, list) else [value]
    if inner is not None and all(isinstance(row, dict) for row in rows):
        return _each(value, partial(_object, inner))
    try:
        return _adapter(kind, name).validate_json(canonical(value))
    except Exception:  # noqa: BLE001  (as above)
        return value


@lru_cache(KEPT)
def _adapter(kind: type[BaseModel], name: str) -> TypeAdapter[Any]:
    annotation: Any = kind.model_fields[name].annotation
    return TypeAdapter(annotation)


@lru_cache(KEPT)
def _taking(model: type[BaseModel], names: frozenset[str]) -> type[BaseModel]:
    """The class, but that it takes these fields as they are: validators of another class that looked
    at `info.context` would look at the wrong one here."""
    infos = {name: model.model_fields[name] for name in sorted(names)}
    fields: dict[str, Any] = {
        name: (_as_made(info.annotation), info) for name, info in infos.items()
    }
    return create_model(model.__name__, __base__=model, __module__=model.__module__, **fields)


def _as_made(annotation: Any) -> Any:
    """The annotation, but that objects of a class are taken as they are; lists keep their bounds."""
    if _is_union(annotation):
        return Union[tuple(map(_as_made, get_args(annotation)))]  # noqa: UP007  (of a tuple)
    if get_origin(annotation) is list:
        return list[_as_made(get_args(annotation)[0])]  # type: ignore[misc]  # made here
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return Annotated[annotation, _AS_IT_IS]
    return annotation
