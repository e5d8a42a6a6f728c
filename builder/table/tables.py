"""Tables that are drawn from and compared with: their columns, each of one kind, whole in memory.

Numbers, dates and whole numbers are floats, all else texts. Empty cells are missing values; the
digest of a table does not hang on the form of its file. The kinds are those of the rows that gates
measure and of datasets, too.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from builder.errors import InputError, Place, nearest
from builder.table import cells, reader

LIMIT = 64 * 2**20  # Bytes of the largest table that is read.
ENDINGS = (".csv", ".tsv", ".jsonl", ".json", ".parquet")
Scalar = str | int | float | None  # A value as a row shows it; a date is its ISO text.


class Kind(NamedTuple):
    """What a column holds.

    Of a dataset: string, integer, number, boolean, list (of one kind), struct (of named kinds), or
    json: a value of no fixed form, kept as JSON text. A table also knows dates and categories, and
    gates part what is not a number into text, category and id.
    """

    name: str
    of: Kind | None = None
    fields: tuple[tuple[str, Kind], ...] = ()

    def __str__(self) -> str:
        if self.of is not None:
            return f"list of {self.of}"
        if self.fields:
            return "{" + ", ".join(f"{name}: {kind}" for name, kind in self.fields) + "}"
        return self.name

    @property
    def code(self) -> str:
        """The word of digests, kept fits and the page of `draw`: it never changes."""
        return "float" if self == NUMBER else self.name


STRING, INTEGER, NUMBER, BOOLEAN, JSON, DATE, CATEGORY, TEXT, ID = (
    Kind(name)
    for name in (
        "string", "integer", "number", "boolean", "json", "date", "category", "text", "id",
    )
)  # fmt: skip
OF_CODE = {kind.code: kind for kind in (INTEGER, NUMBER, DATE, CATEGORY)}


class Column(NamedTuple):
    """One typed column of n values."""

    name: str
    kind: Kind
    # (n,): float64 for integer, number and date (days since 1970), NaN where missing; str
    # objects or None for any other kind.
    values: NDArray[Any]

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


@dataclass(frozen=True, slots=True)
class Table:
    """Named columns of equal length."""

    columns: Mapping[str, Column]
    source: Path | None = None
    lines: Sequence[int] = ()  # line of each row in its file, where it has one

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())).values) if self.columns else 0

    def column(self, name: str, *, place: Place | None = None) -> Column:
        """The column of that name; InputError names the nearest."""
        return named(self.columns, name, self.source, place)

    def place(self, row: int) -> Place:
        """Where a row stands."""
        assert self.source is not None
        return Place(self.source, self.lines[row] if row < len(self.lines) else 1, 1)

    def mixed(self, name: str) -> tuple[str, Place] | None:
        """The first cell that is no number in a column that holds numbers as texts, and its place."""
        kind, values = self.columns[name].kind, self.columns[name].values
        if kind != CATEGORY or self.source is None:
            return None
        present = [(row, value) for row, value in enumerate(values) if value is not None]
        odd = [row for row, value in present if cells.number(value) is None]
        if not odd or len(odd) == len(present):
            return None
        return str(values[odd[0]]), self.place(odd[0])

    def select(self, names: Sequence[str]) -> Table:
        """The same rows, these columns alone."""
        return Table({name: self.column(name) for name in names}, self.source)

    def take(self, rows: NDArray[Any]) -> Table:
        """Rows by index or mask, kinds kept."""
        return Table({name: c.take(rows) for name, c in self.columns.items()}, self.source)

    def records(self) -> Iterator[dict[str, Scalar]]:
        """One dictionary of Python values per row."""
        listed = {name: c.scalars() for name, c in self.columns.items()}
        for values in zip(*listed.values(), strict=True):
            yield dict(zip(listed, values, strict=True))

    def digest(self) -> str:
        """32 hexadecimal digits of names, kinds and values; the file's form does not count."""
        whole = hashlib.blake2b(digest_size=16)
        for name, kind, values in self.columns.values():
            whole.update(json.dumps([name, kind.code]).encode())
            if kind == CATEGORY:
                whole.update(json.dumps(list(values), ensure_ascii=False).encode())
            else:
                whole.update(np.ascontiguousarray(values, dtype="<f8").tobytes())
        return whole.hexdigest()


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


def stacked(parts: Sequence[Table]) -> Table:
    """The rows of all parts, which have the same columns, the first part's first."""
    columns = {
        name: Column(name, c.kind, np.concatenate([part.columns[name].values for part in parts]))
        for name, c in parts[0].columns.items()
    }
    return Table(columns, parts[0].source)


def load(path: Path, *, place: Place | None = None) -> Table:
    """The table in a file, by its ending. InputError names file and line of what is wrong."""
    if not path.is_file():
        raise InputError(
            f"table {path.name!r} not found.{reader.siblings(path)}",
            place=place,
            hint=f"looked for {path}",
        )
    if path.stat().st_size > LIMIT:
        raise InputError(f"a reference table holds at most {LIMIT >> 20} MiB", place=Place(path))
    if path.suffix.lower() not in ENDINGS:
        raise InputError(
            f"a table ends in {', '.join(ENDINGS)}, not {path.suffix!r}",
            place=place or Place(path),
        )
    values, lines = reader.columns(path)
    if not lines:
        raise InputError("the table has no rows", place=Place(path, 1, 1))
    return Table({name: typed(name, listed) for name, listed in values.items()}, path, lines)


def no_strays(table: Table, names: Collection[str]) -> None:
    """InputError where a few cells of a CSV file make texts of all the numbers in their column."""
    if table.source is None or table.source.suffix.lower() not in (".csv", ".tsv"):
        return
    for number, (name, kind, values) in enumerate(table.columns.values()):
        if name in names and kind == CATEGORY and (strays := cells.strays(values.tolist())):
            _refuse_unquoted(table, table.source, number, strays)


def _refuse_unquoted(table: Table, path: Path, number: int, strays: Sequence[int]) -> None:
    text, separator = reader.read_text(path).split("\n"), reader.separator(path)
    cell = re.compile(rf'("(?:[^"]|"")*"|[^{separator}\n]*)(?:{separator}|\n|$)')
    values = list(table.columns.values())[number].values
    for row in strays:
        end = table.lines[row + 1] - 1 if row + 1 < len(table) else None
        whole = "\n".join(text[table.lines[row] - 1 : end])
        match = list(islice(cell.finditer(whole), number + 1))[-1]
        if match[1].startswith('"') and not re.search(rf'[{separator}\n"]', match[1][1:-1]):
            continue  # quotes that CSV does not ask for: the text is meant
        ahead = whole[: match.start()]
        line = table.lines[row] + ahead.count("\n")
        count = sum(value is not None for value in values) - len(strays)
        raise InputError(
            f"{values[row]!r} is no number; the other {count} cells are numbers",
            place=Place(path, line, len(ahead) - ahead.rfind("\n")),
            hint=cells.repair(values[row]),
        )
