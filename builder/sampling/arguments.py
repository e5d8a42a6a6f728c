"""Reads what stands after a sampler's name; every complaint is a ValueError of one sentence."""

import datetime
import math
from collections.abc import Mapping, Sequence
from typing import Any

from builder.errors import nearest

EPOCH = datetime.date(1970, 1, 1).toordinal()


def named(
    sampler: str, given: object, positions: Sequence[str], extra: Sequence[str] = ()
) -> dict[str, Any]:
    """Options by name from a list (by position), one value (the first position) or a mapping."""
    known = (*positions, *extra)
    if given is None:
        return {}
    if isinstance(given, Mapping):
        for word in given:
            if word not in known:
                listed = ", ".join(known) or "none"
                raise ValueError(
                    f"{sampler} has no option {word!r}.{nearest(str(word), known)}"
                    f" Its options: {listed}"
                )
        return dict(given)
    values = given if isinstance(given, list | tuple) else [given]
    if len(values) > len(positions):
        form = f"[{', '.join(positions)}]" if positions else "a mapping of options"
        raise ValueError(f"{sampler} takes {form}, not {given!r}")
    return dict(zip(positions, values, strict=False))


def required(sampler: str, options: Mapping[str, Any], words: Sequence[str]) -> None:
    """Passes when every word is there."""
    if missing := [word for word in words if word not in options]:
        raise ValueError(f"{sampler} needs {' and '.join(missing)}")


def number(sampler: str, word: str, value: object) -> float:
    """A finite number; a text that looks like one is refused, as YAML kept it a text for a reason."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{sampler}: {word} is a number, not {value!r}")
    return float(value)


def positive(sampler: str, word: str, value: object) -> float:
    """A number above 0."""
    size = number(sampler, word, value)
    if size <= 0:
        raise ValueError(f"{sampler}: {word} is above 0, not {value!r}")
    return size


def whole(sampler: str, word: str, value: object) -> int:
    """An integer that a float holds exactly."""
    size = number(sampler, word, value)
    if size != round(size) or abs(size) > 2**53:
        raise ValueError(f"{sampler}: {word} is a whole number, not {value!r}")
    return int(size)


def choice(sampler: str, word: str, value: object, known: Sequence[str]) -> str:
    """One of the known words."""
    if value not in known:
        raise ValueError(
            f"{sampler}: {word} is {' or '.join(known)}, not {value!r}."
            f"{nearest(str(value), known)}".rstrip(".")
        )
    return str(value)


def day(sampler: str, word: str, value: object) -> int:
    """Days since 1970 of an ISO date."""
    if isinstance(value, datetime.date) and not isinstance(value, datetime.datetime):
        return value.toordinal() - EPOCH
    try:
        if isinstance(value, str) and len(value) == 10:
            return datetime.date.fromisoformat(value).toordinal() - EPOCH
    except ValueError:
        pass
    raise ValueError(f"{sampler}: {word} is a date such as 2026-03-31, not {value!r}")


def ordered(sampler: str, options: Mapping[str, Any], low: str, high: str) -> None:
    """Passes when both are there and low is not above high."""
    if low in options and high in options and options[low] > options[high]:
        raise ValueError(
            f"{sampler}: {low} {options[low]!r} is above {high} {options[high]!r}; swap them"
        )
