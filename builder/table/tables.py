"""Small reference tables: CSV, TSV, JSONL, JSON or Parquet into typed columns.

A column's kind follows from its content: every value an integer, a number, an ISO date, or
else a category. Empty cells are missing values. The whole table is in memory; it is a
reference of some thousand rows, not a corpus.
"""

from __future__ import annotations

import csv
import datetime
import hashlib
import io
import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from builder.errors import InputError, Place, nearest
from builder.table import cells

Kind = Literal["integer", "float", "date", "category"]
LIMIT = 64 * 2**20
"""Bytes of the largest table that is read."""


class Column(NamedTuple):
    """One typed column of n values."""

    name: str
    kind: Kind
    values: NDArray[Any]
    """(n,): float64 for integer, float and date (days since 1970), NaN where missing; str objects
    or None for category."""

    def scalars(self) -> list[Any]:
        """n Python values as a row shows them: int, float, ISO date, str or None."""
        return plain(self.values, self.kind)


@dataclass(frozen=True, slots=True)
class Table:
    """Named columns of equal length."""

    columns: Mapping[str, Column]
    source: Path | None = None
    lines: Sequence[int] = ()
    """Line of each row in its file, where it has one."""

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())).values) if self.columns else 0

    def column(self, name: str, *, place: Place | None = None) -> Column:
        """The column of that name; InputError names the nearest."""
        if name not in self.columns:
            raise InputError(
                f"{self.source.name if self.source else 'the table'} has no column {name!r}."
                f"{nearest(name, self.columns)}",
                place=place,
                hint=f"its columns: {', '.join(self.columns)}",
            )
        return self.columns[name]

    def place(self, row: int) -> Place:
        """Where a row stands."""
        assert self.source is not None
        return Place(self.source, self.lines[row] if row < len(self.lines) else 1, 1)

    def mixed(self, name: str) -> tuple[str, Place] | None:
        """The first cell that is no number in a column that holds numbers as texts, and its place."""
        column = self.columns[name]
        present = [(row, value) for row, value in enumerate(column.values) if value is not None]
        if column.kind != "category" or self.source is None:
            return None
        odd = [row for row, value in present if cells.number(value) is None]
        if not odd or len(odd) == len(present):
            return None
        return str(column.values[odd[0]]), self.place(odd[0])

    def select(self, names: Sequence[str]) -> Table:
        """The same rows, these columns alone."""
        return Table({name: self.column(name) for name in names}, self.source)

    def take(self, rows: NDArray[Any]) -> Table:
        """Rows by index or mask, kinds kept."""
        picked = {
            name: Column(name, column.kind, column.values[rows])
            for name, column in self.columns.items()
        }
        return Table(picked, self.source)

    def records(self) -> Iterator[dict[str, Any]]:
        """One dictionary of Python values per row."""
        listed = {name: column.scalars() for name, column in self.columns.items()}
        for values in zip(*listed.values(), strict=True):
            yield dict(zip(listed, values, strict=True))

    def digest(self) -> str:
        """32 hexadecimal digits of names, kinds and values; the file's form does not count."""
        whole = hashlib.blake2b(digest_size=16)
        for column in self.columns.values():
            whole.update(json.dumps([column.name, column.kind]).encode())
            if column.kind == "category":
                whole.update(json.dumps(list(column.values), ensure_ascii=False).encode())
            else:
                whole.update(np.ascontiguousarray(column.values, dtype="<f8").tobytes())
        return whole.hexdigest()


def stacked(parts: Sequence[Table]) -> Table:
    """The rows of all parts, which have the same columns, the first part's first."""
    first = parts[0]
    columns = {
        name: Column(
            name, column.kind, np.concatenate([part.columns[name].values for part in parts])
        )
        for name, column in first.columns.items()
    }
    return Table(columns, first.source)


def plain(values: NDArray[Any], kind: Kind) -> list[Any]:
    """Drawn or stored values (n,) as n Python scalars, None where missing."""
    if kind == "category":
        return [None if value is None else str(value) for value in values.tolist()]
    numbers = [None if value != value else value for value in values.tolist()]
    if kind == "float":
        return numbers
    whole = [None if value is None else round(value) for value in numbers]
    if kind == "integer":
        return whole
    epoch = datetime.date(1970, 1, 1).toordinal()
    return [
        None if day is None else datetime.date.fromordinal(epoch + day).isoformat() for day in whole
    ]


def load(path: Path, *, place: Place | None = None) -> Table:
    """The table in a file, by its ending. InputError names file and line of what is wrong."""
    if not path.is_file():
        siblings = [p.name for p in path.parent.glob("*")] if path.parent.is_dir() else []
        raise InputError(
            f"table {path.name!r} not found.{nearest(path.name, siblings)}",
            place=place,
            hint=f"looked for {path}",
        )
    if path.stat().st_size > LIMIT:
        raise InputError(f"a reference table holds at most {LIMIT >> 20} MiB", place=Place(path))
    readers = {
        ".csv": _csv,
        ".tsv": _csv,
        ".jsonl": _jsonl,
        ".json": _json,
        ".parquet": _parquet,
    }
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise InputError(
            f"a table ends in {', '.join(readers)}, not {path.suffix!r}",
            place=place or Place(path),
        )
    raw, lines = reader(path)
    if not raw or not next(iter(raw.values())):
        raise InputError("the table has no rows", place=Place(path, 1, 1))
    return Table({name: typed(name, values) for name, values in raw.items()}, path, lines)


def no_strays(table: Table, names: Collection[str]) -> None:
    """InputError where a few cells of a CSV file make texts of all the numbers in their column."""
    if table.source is None or table.source.suffix.lower() not in (".csv", ".tsv"):
        return
    for number, column in enumerate(table.columns.values()):
        if column.name in names and column.kind == "category":
            strays = cells.strays(column.values.tolist())
            if strays:
                _not_quoted(table, table.source, number, strays)


def _not_quoted(table: Table, path: Path, column: int, strays: Sequence[int]) -> None:
    text, separator = read_text(path).split("\n"), _separator(path)
    cell = re.compile(rf'("(?:[^"]|"")*"|[^{separator}\n]*)(?:{separator}|\n|$)')
    values = list(table.columns.values())[column].values
    for row in strays:
        end = table.lines[row + 1] - 1 if row + 1 < len(table) else None
        whole = "\n".join(text[table.lines[row] - 1 : end])
        found = list(islice(cell.finditer(whole), column + 1))[-1]
        if found[1].startswith('"') and not re.search(rf'[{separator}\n"]', found[1][1:-1]):
            continue  # quotes that CSV does not ask for: the text is meant
        ahead = whole[: found.start()]
        line = table.lines[row] + ahead.count("\n")
        count = sum(value is not None for value in values) - len(strays)
        raise InputError(
            f"{values[row]!r} is no number; the other {count} cells are numbers",
            place=Place(path, line, len(ahead) - ahead.rfind("\n")),
            hint=cells.mend(values[row]),
        )


def typed(name: str, values: Sequence[Any]) -> Column:
    """A column of the narrowest kind that holds every value."""
    found = [None if cells.missing(value) else value for value in values]
    present = [value for value in found if value is not None]
    numbers = [cells.number(value) for value in present]
    if present and all(number is not None for number in numbers):
        filled = iter(numbers)
        array = np.array([np.nan if c is None else next(filled) for c in found], dtype=np.float64)
        whole = all(cells.integral(value) for value in present)
        return Column(name, "integer" if whole else "float", array)
    days = [cells.days(value) for value in present]
    if present and all(day is not None for day in days):
        dated = iter(days)
        array = np.array([np.nan if c is None else next(dated) for c in found], dtype=np.float64)
        return Column(name, "date", array)
    texts = np.array([None if cell is None else cells.text(cell) for cell in found], dtype=object)
    return Column(name, "category", texts)


def read_text(path: Path) -> str:
    """A file's text: UTF-8, byte order mark and CRLF forgiven. InputError names the bad byte."""
    data = path.read_bytes()
    if b"\0" in data:
        raise InputError(
            "a NUL byte, which no text holds",
            place=_byte_place(path, data, data.index(b"\0")),
            hint="save the file as UTF-8 (UTF-16 is not read)",
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"not UTF-8: byte 0x{data[error.start]:02x}",
            place=_byte_place(path, data, error.start),
            hint="save the file as UTF-8 (GB18030 and UTF-16 are not read)",
        ) from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _byte_place(path: Path, data: bytes, position: int) -> Place:
    ahead = data[:position].removeprefix(b"\xef\xbb\xbf")
    line = ahead[ahead.rfind(b"\n") + 1 :]
    return Place(path, ahead.count(b"\n") + 1, len(line.decode("utf-8", "replace")) + 1)


Raw = tuple[dict[str, list[Any]], Sequence[int]]
"""Columns as they are read, and the line of each row."""


def _separator(path: Path) -> str:
    return "\t" if path.suffix.lower() == ".tsv" else ","


def _csv(path: Path) -> Raw:
    separator = _separator(path)
    reader = csv.reader(io.StringIO(read_text(path)), delimiter=separator, strict=True)
    rows: list[list[str]] = []
    lines: list[int] = []
    line = 1
    try:
        names = _heading(path, [name.strip() for name in next(reader, [])], separator)
        line = reader.line_num + 1
        for row in reader:
            if row and len(row) != len(names):
                raise InputError(
                    f"this row has {len(row)} cells, the heading {len(names)}",
                    place=Place(path, line, 1),
                    hint="a cell that holds a separator stands in double quotes",
                )
            if row:
                rows.append(row)
                lines.append(line)
            line = reader.line_num + 1
    except csv.Error as error:
        raise InputError(f"not CSV: {error}", place=Place(path, line, 1)) from None
    return {name: [row[i].strip() for row in rows] for i, name in enumerate(names)}, lines


def _heading(path: Path, names: list[str], separator: str) -> list[str]:
    place = Place(path, 1, 1)
    for column, name in enumerate(names, 1):
        if not name or names.index(name) != column - 1:
            raise InputError(
                f"column {column} of the heading is {'empty' if not name else f'{name!r} again'}",
                place=place,
            )
    wrong = next((sign for sign in "，;；\t," if sign in "".join(names[:1])), None)
    if len(names) == 1 and wrong:
        raise InputError(
            f"the heading is a single column, {names[0]!r}",
            place=place,
            hint=f"a {path.suffix} file separates its columns with {separator!r}, not {wrong!r}",
        )
    return names


def _jsonl(path: Path) -> Raw:
    lines = [(i, line) for i, line in enumerate(read_text(path).split("\n"), 1) if line.strip()]
    return _columns(path, [(i, parse_json(path, line, i)) for i, line in lines])


def _json(path: Path) -> Raw:
    whole = parse_json(path, read_text(path))
    if not isinstance(whole, list):
        raise InputError("a JSON table is a list of objects", place=Place(path, 1, 1))
    return _columns(path, [(1, record) for record in whole])


def parse_json(path: Path, text: str, line: int = 1) -> Any:
    """What a JSON text holds that begins on this line of a file. InputError with its place."""
    try:
        found = json.loads(text)
        json.dumps(found, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        place = Place(path, line + error.lineno - 1, error.colno)
        raise InputError(f"not JSON: {error.msg}", place=place) from None
    except (ValueError, RecursionError) as error:  # halves of surrogate pairs, endless numbers
        raise InputError(f"not JSON: {error}", place=Place(path, line, 1)) from None
    return found


def _columns(path: Path, records: list[tuple[int, Any]]) -> Raw:
    for line, record in records:
        if not isinstance(record, dict):
            raise InputError("every row is a JSON object", place=Place(path, line, 1))
    names = list(dict.fromkeys(name for _, record in records for name in record))
    columns = {name: [record.get(name) for _, record in records] for name in names}
    return columns, [line for line, _ in records]


def _parquet(path: Path) -> Raw:
    import pyarrow.parquet

    try:
        table = pyarrow.parquet.read_table(path)
    except (pyarrow.ArrowInvalid, OSError) as error:
        raise InputError(f"not Parquet: {error}", place=Place(path, 1, 1)) from None
    found: dict[str, list[Any]] = table.to_pydict()
    return found, ()
