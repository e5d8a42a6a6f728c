"""A typed column: numbers, dates and whole numbers as floats, all else as texts."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from builder.errors import InputError, Place, nearest
from builder.table import cells
from builder.table.kinds import CATEGORY, DATE, INTEGER, NUMBER, Kind

Scalar = str | int | float | None  # A value as a row shows it; a date is its ISO text.


class Column(NamedTuple):
    """One typed column of n values."""

    name: str
    kind: Kind
    values: NDArray[Any]
    """(n,): float64 for integer, number and date (days since 1970), NaN where missing; str objects
    or None for any other kind."""

    @property
    def numeric(self) -> bool:
        """Whether the values are floats."""
        return self.kind in (INTEGER, NUMBER, DATE)

    def take(self, rows: NDArray[Any]) -> Column:
        """The column of some of its rows, by index or mask."""
        return Column(self.name, self.kind, self.values[rows])

    def scalars(self) -> list[Scalar]:
        """n Python values, None where missing."""
        if not self.numeric:
            return [None if value is None else str(value) for value in self.values.tolist()]
        numbers = [None if value != value else value for value in self.values.tolist()]
        if self.kind == NUMBER:
            return numbers
        whole = [None if value is None else round(value) for value in numbers]
        if self.kind == INTEGER:
            return whole
        return [
            None if day is None else datetime.date.fromordinal(cells.EPOCH + day).isoformat()
            for day in whole
        ]


def typed(name: str, values: Sequence[object], nothing: Collection[str] = ()) -> Column:
    """The column of the narrowest kind that holds every value: integer, number, date or category.

    The words of `nothing` are missing numbers where all the others are numbers, or dates. A table
    that is drawn from has none: there `NA` is a text like any other, as it always was, since the
    keys of what was drawn follow from it.
    """
    if (numbers := _floats(values, cells.number, nothing)) is not None:
        whole = all(cells.integral(v) for v in values if not cells.missing(v, nothing))
        return Column(name, INTEGER if whole else NUMBER, numbers)
    if (dates := _floats(values, cells.days, nothing)) is not None:
        return Column(name, DATE, dates)
    texts = [None if cells.missing(value) else cells.text(value) for value in values]
    return Column(name, CATEGORY, np.array(texts, dtype=object))


def named(
    columns: Mapping[str, Column], name: str, source: Path | None, place: Place | None = None
) -> Column:
    """The column of that name; InputError names the nearest."""
    if name not in columns:
        raise InputError(
            f"{source.name if source else 'the table'} has no column {name!r}."
            f"{nearest(name, columns)}",
            place=place,
            hint=f"its columns: {', '.join(columns)}",
        )
    return columns[name]


def _floats(
    values: Sequence[object], read: Callable[[object], float | None], nothing: Collection[str]
) -> NDArray[np.float64] | None:
    """(n,) when every present value reads as a float, and there is one; else None."""
    floats = np.full(len(values), np.nan)
    empty = True
    for row, value in enumerate(values):
        if not cells.missing(value, nothing):
            if (number := read(value)) is None:
                return None
            floats[row] = number
            empty = False
    return None if empty else floats
