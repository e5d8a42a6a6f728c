"""What a column of anybody's rows is, by what it holds: a text, a number, a category or an id.

Strings that are long are texts, as are varied ones in a column that is named like one; other
short ones are categories where they repeat and ids where they do not. Numbers that only count
the rows are ids too. Nested values are read as the text in them.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from builder.errors import InputError
from builder.stats import shingles

Kind = Literal["text", "number", "category", "id"]
BIGGEST = 1e60
"""Numbers further from 0 count as this one: their fourth power is still a number."""
MISSING = frozenset(("", "na", "n/a", "nan", "null", "none", "-"))
"""What a column of numbers may hold where it holds none."""
FEW = 20
"""Rows up to which a run of whole numbers may be a measurement."""
TEXTS = frozenset((
    "answer", "comment", "completion", "content", "input", "instruction", "message", "messages",
    "output", "prompt", "question", "query", "response", "review", "sentence", "text", "utterance",
    "内容", "句子", "回答", "文本", "正文", "评论", "问题",
))  # fmt: skip
"""Names of columns that hold texts, however short."""
_LONG, _SHORT, _WORDS = 40, 20, 6
"""Mean characters from which strings are texts, and from which varied ones are, half for CJK; mean words."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of n values."""

    name: str
    kind: Kind
    values: NDArray[Any]
    """(n,): float64 with NaN where missing for a number, else str or None objects."""


def typed(name: str, cells: Sequence[Any], kind: Kind | None = None) -> Column:
    """A column of the given kind, or of the one that its values show."""
    if kind in (None, "number"):
        numbers = _numbers(cells)
        if numbers is not None and not (kind is None and _counts_rows(numbers)):
            return Column(name, "number", numbers)
        if kind == "number":
            wrong = next(cell for cell in cells if _numbers([cell]) is None)
            raise InputError(f"column {name!r} holds {wrong!r}, which is no number")
    found = [None if cell is None or cell == "" else flat(cell) for cell in cells]
    return Column(name, kind or _kind(name, found), np.array(found, dtype=object))


def flat(cell: Any) -> str:
    """The text of a value; of a list or mapping, the strings in it, one a line."""
    found: list[str] = []
    left = [cell]
    while left:
        part = left.pop()
        if isinstance(part, Mapping):
            left.extend(reversed(list(part.values())))
        elif isinstance(part, list | tuple | np.ndarray):
            left.extend(reversed(part))
        elif part is not None:
            found.append(str(part))
    return "\n".join(found)


def _kind(name: str, cells: list[str | None]) -> Kind:
    present = [cell for cell in cells if cell]
    if not present:
        return "category"
    sample = present[:: max(1, len(present) // 2000)]
    mean = sum(len(cell) * (2 if shingles.is_cjk(cell) else 1) for cell in sample) / len(sample)
    words = sum(cell.count(" ") for cell in sample) / len(sample) + 1
    distinct = len(set(present))
    varied = distinct > max(20, len(present) // 20)
    short = 0 if name.casefold() in TEXTS else _SHORT
    if mean >= _LONG or words >= _WORDS or (mean >= short and varied):
        return "text"
    return "id" if varied and distinct > len(present) // 2 else "category"


def _counts_rows(numbers: NDArray[np.float64]) -> bool:
    """Whether a column only numbers its rows, in whatever order: an id, whose drift means nothing."""
    first, last = numbers.min(), numbers.max()
    whole = len(numbers) > FEW and last - first == len(numbers) - 1
    return bool(whole and (np.sort(numbers) == np.arange(first, last + 1)).all())


def _numbers(cells: Sequence[Any]) -> NDArray[np.float64] | None:
    """(n,) when every present cell is a number or an ISO date (as days), else None."""
    found = np.full(len(cells), np.nan)
    present = 0
    for at, cell in enumerate(cells):
        if _missing(cell):
            continue
        value = _number(cell)
        if value is None:
            return None
        found[at] = value
        present += 1
    return found if present else None


def _missing(cell: Any) -> bool:
    """Whether a cell holds no number: nothing, NaN, or a word that people write for nothing."""
    if isinstance(cell, str):
        return cell.strip().casefold() in MISSING
    return cell is None or (isinstance(cell, float) and math.isnan(cell))


def _number(cell: Any) -> float | None:
    if isinstance(cell, bool | np.bool_):
        return None
    if isinstance(cell, int | float | np.number):
        return float(min(max(cell, -BIGGEST), BIGGEST))
    if isinstance(cell, datetime.datetime):
        return cell.timestamp() / 86_400
    if isinstance(cell, datetime.date):
        return float(cell.toordinal())
    if not isinstance(cell, str) or len(cell) > 40:
        return None
    plain = cell.strip()
    # A code with a leading zero is a name, not a number.
    if plain.lstrip("+-")[:1] == "0" and plain.lstrip("+-")[1:2].isdigit():
        return None
    try:
        value = float(plain)
    except ValueError:
        return _day(plain)
    return min(max(value, -BIGGEST), BIGGEST) if math.isfinite(value) else None


def _day(text: str) -> float | None:
    if len(text) != 10 or text[4] != "-":
        return None
    try:
        return float(datetime.date.fromisoformat(text).toordinal())
    except ValueError:
        return None
