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
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from builder.errors import InputError, Place, nearest
from builder.table import cells, forms, reader
from builder.table.forms import Form

LIMIT = 64 * 2**20  # Bytes of the largest table that is read.
ENDINGS = (".csv", ".tsv", ".jsonl", ".json", ".parquet", ".xlsx")
# A value as a row shows it; a date is its ISO text.
Scalar = str | int | float | list[Any] | dict[str, Any] | None


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
OF_CODE = {kind.code: kind for kind in (INTEGER, NUMBER, DATE, CATEGORY, BOOLEAN, JSON)}


class Column(NamedTuple):
    """One typed column of n values."""

    name: str
    kind: Kind
    # (n,): float64 for integer, number and date (days since 1970), NaN where missing; str
    # objects or None for any other kind: `True` or `False` of a boolean, the JSON text of json.
    values: NDArray[Any]

    @property
    def numeric(self) -> bool:
        """Whether the values are floats."""
        return self.kind in (INTEGER, NUMBER, DATE)

    @property
    def missing(self) -> int:
        """How many values are missing."""
        if self.numeric:
            return int(np.isnan(self.values).sum())
        return sum(value is None for value in self.values.tolist())

    def take(self, rows: NDArray[Any]) -> Column:
        """The column of some of its rows, by index or mask."""
        return Column(self.name, self.kind, self.values[rows])

    def scalars(self) -> list[Scalar]:
        """n Python values, None where missing."""
        if not self.numeric:
            reads: dict[Kind, Callable[[str], Scalar]] = {BOOLEAN: "True".__eq__, JSON: json.loads}
            read = reads.get(self.kind, str)
            return [None if value is None else read(value) for value in self.values.tolist()]
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
    # Of columns that were not plain, how they were read.
    notes: Mapping[str, str] = field(default_factory=dict)

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

    def remarks(self, names: Collection[str]) -> tuple[str, ...]:
        """How those of these columns were read that were not plain, a line each."""
        file = f"{self.source.name}: " if self.source else ""
        return tuple(file + note for name, note in self.notes.items() if name in names)

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
            if values.dtype == object:
                whole.update(json.dumps(list(values), ensure_ascii=False).encode())
            else:
                whole.update(np.ascontiguousarray(values, dtype="<f8").tobytes())
        return whole.hexdigest()


def typed(name: str, values: Sequence[object]) -> Column:
    """The column of the narrowest kind that holds every value."""
    return read(name, values)[0]


def read(name: str, values: Sequence[object]) -> tuple[Column, Form | None]:
    """The column of the narrowest kind that holds every value, and the form in which numbers or
    dates are written where it is not the plain one.

    Integer, number, date, boolean, json (where a cell is a list or an object), else category. The
    words of `cells.NOTHING` are missing among numbers and dates, and words everywhere else.
    """
    if (plain := _numeric(name, values)) is not None:
        return plain, None
    if (form := forms.agreed(values)) is not None:
        rewritten = [None if cells.missing(v, cells.NOTHING) else form.plain(v) for v in values]
        if (numeric := _numeric(name, rewritten)) is not None:
            return numeric, form
    if any(isinstance(value, list | dict) for value in values):
        return Column(name, JSON, _objects(values, cells.json_text)), None
    present = [value for value in values if not cells.missing(value)]
    kind = BOOLEAN if present and all(isinstance(v, bool) for v in present) else CATEGORY
    return Column(name, kind, _objects(values, cells.text)), None


def noted(name: str, values: Sequence[object], places: Sequence[str]) -> tuple[Column, str]:
    """The column, and how it was read where it was not plain; `places` tells where each row stands."""
    column, form = read(name, values)
    if column.numeric:
        return column, forms.remark(name, values, form)
    words = column.kind == CATEGORY
    return column, forms.remark_on_words(name, values, places) if words else ""


def _objects(values: Sequence[object], write: Callable[[object], str]) -> NDArray[Any]:
    return np.array([None if cells.missing(v) else write(v) for v in values], dtype=object)


def _numeric(name: str, values: Sequence[object]) -> Column | None:
    """The column of plain numbers or dates; None where some value is neither."""
    if (numbers := _floats(values, cells.number)) is not None:
        whole = all(cells.integral(v) for v in values if not cells.missing(v, cells.NOTHING))
        return Column(name, INTEGER if whole else NUMBER, numbers)
    if (dates := _floats(values, cells.days)) is not None:
        return Column(name, DATE, dates)
    return None


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
    values: Sequence[object], read: Callable[[object], float | None]
) -> NDArray[np.float64] | None:
    """(n,) when every present value reads as a float, and there is one; else None."""
    floats = np.full(len(values), np.nan)
    empty = True
    for row, value in enumerate(values):
        if not cells.missing(value, cells.NOTHING):
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
    places = [f"line {line}: " for line in lines]
    columns = {name: noted(name, listed, places) for name, listed in values.items()}
    notes = {name: note for name, (_, note) in columns.items() if note}
    return Table({name: c for name, (c, _) in columns.items()}, path, lines, notes)


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
