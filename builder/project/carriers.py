"""Values of an axis that carry the attributes which the scenario gave them."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import orjson

_NONE: Mapping[str, Any] = MappingProxyType({})


class Text(str):
    """A text value that carries the attributes the scenario gave it."""

    attributes: Mapping[str, Any] = _NONE


class Whole(int):
    """An integer value that carries attributes."""

    attributes: Mapping[str, Any] = _NONE


class Real(float):
    """A number that carries attributes."""

    attributes: Mapping[str, Any] = _NONE


Carrier = Text | Whole | Real
_CARRIERS: Mapping[type, type[Text] | type[Whole] | type[Real]] = {
    str: Text,
    int: Whole,
    float: Real,
}


def carrier(value: object, attributes: Mapping[str, Any]) -> Carrier | None:
    """The value with these attributes; None for true, false, nothing, lists and mappings."""
    kind = _CARRIERS.get(type(value))
    if kind is None or not isinstance(value, str | int | float):
        return None
    carrying = kind(value)
    carrying.attributes = attributes
    return carrying


def attributes(value: object) -> Mapping[str, Any]:
    """The attributes that a value carries; none for most values."""
    if isinstance(value, Record):
        return value
    return value.attributes if isinstance(value, Carrier) else _NONE


class Record(dict[str, Any]):
    """A row of a source: its fields by name, printed as JSON."""

    __slots__ = ()

    def __str__(self) -> str:
        return orjson.dumps(self).decode()
