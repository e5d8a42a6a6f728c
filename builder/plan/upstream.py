"""The rows of one source, handed down to a plan: on disk, so that memory does not grow with them.

A row is a line of JSON in a temporary file; what stays in memory is where each begins, 64 bits of
its id and the number of its root: 24 bytes a row.
"""

from __future__ import annotations

import datetime
import decimal
import hashlib
import os
import tempfile
import weakref
from array import array
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from builder.errors import InputError, Place
from builder.plan import roots, spread
from builder.project import sources
from builder.project.carriers import Record
from builder.project.sources import Source
from builder.records import canonical, digest_of
from builder.table import reader, tables
from builder.table.tables import BOOLEAN, INTEGER, JSON, NUMBER, STRING, Kind

READ = 2**22  # Bytes that are read of the file at a time.
DENSE = 8  # Times the bytes of the rows that are asked for, which may be read for them.
DIGITS = 16  # Of the id of a case.
BITS = 63  # Of a whole number, beside its sign.
_SIMPLE = {bool: BOOLEAN, int: INTEGER, float: NUMBER, str: STRING}


NOTHING = Source("", "scenario", "", Place(Path()))


class Handed(NamedTuple):
    """One row of a source."""

    id: str
    root: float
    """The number of its root, in [0, 1), which says in which split it stands."""
    fields: Mapping[str, Any]
    model: str = ""
    case: str = ""

    def record(self) -> Record:
        """The row as templates and expressions see it: its own fields before id, model, case."""
        return Record({"id": self.id, "model": self.model, "case": self.case, **self.fields})


class Scratch:
    """A temporary file that is closed when the last plan that reads it goes."""

    def __init__(self) -> None:
        self.file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  (closed by the next line)
        # Held from outside: in a cycle of garbage the file might be met first, and warn.
        weakref.finalize(self, self.file.close)


@dataclass(slots=True)
class SourceRows:
    """The rows of one source in plan order, written once, then read by number."""

    source: Source = NOTHING
    kinds: Mapping[str, Kind] = field(default_factory=dict)
    """The kind of each field."""
    settled: bool = True
    """Whether no row can come to it or go any more."""
    expected: int = 0
    """Rows that it is likely to have in the end."""
    most: int | None = 0
    """Rows that it can have at most; None where nothing bounds them."""
    unbounded: str = ""
    """What has no bound, with its line."""
    lists: Mapping[str, tuple[int, int | None, Place | None]] = field(default_factory=dict)
    """The least and the most entries of each field that is a list, and where it is declared."""
    splits: Mapping[str, float] | None = None
    """The splits of the dataset that it is of; None where it has none of its own."""
    notes: tuple[str, ...] = ()
    copied: frozenset[str] = frozenset()
    """The fields that hold text of a table, which nobody generated."""
    generated: frozenset[str] = frozenset()
    """The fields that hold what a model wrote."""
    title: str = ""
    """The class that its rows are of; empty for a table, and where they are of several."""
    _scratch: Scratch = field(default_factory=Scratch)
    _ends: array[int] = field(default_factory=lambda: array("q", [0]))
    _words: array[int] = field(default_factory=lambda: array("Q"))
    _roots: array[float] = field(default_factory=lambda: array("d"))
    _equals: dict[int, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._words)

    @property
    def words(self) -> NDArray[np.uint64]:
        """(n,) 64 bits of each row's id."""
        return np.frombuffer(self._words, np.uint64)

    def add(self, row: Handed) -> None:
        """Takes one more row, behind the others; before the first is read."""
        line = orjson.dumps([*row])
        self._scratch.file.write(line)
        self._ends.append(self._ends[-1] + len(line))
        self._words.append(id_word(row.id))
        self._roots.append(row.root)

    def fill(self, rows: Iterable[Handed]) -> SourceRows:
        """Takes all these rows, in order."""
        for row in rows:
            self.add(row)
        return self

    def digest(self) -> str:
        """BLAKE2b over the rows in their order, 32 hexadecimal digits."""
        self._scratch.file.flush()
        digest, at = hashlib.blake2b(digest_size=16), 0
        while block := os.pread(self._scratch.file.fileno(), READ, at):
            digest.update(block)
            at += len(block)
        return digest.hexdigest()

    def number_equals(self, equals: Mapping[int, int]) -> None:
        """Has rows known by their number among equals, too: row to that number."""
        for number, row in zip(equals, self.rows(np.array([*equals], np.int64)), strict=True):
            name = f"{row.id}-{equals[number]}"
            self._words[number] = id_word(name)
            self._roots[number] = root_of(row.case, name)
        self._equals = dict(equals)

    def rows(self, numbers: NDArray[np.int64]) -> list[Handed]:
        """The rows of these numbers, in their order."""
        unique, inverse = np.unique(numbers, return_inverse=True)
        rows = list(self._read(unique))
        return [rows[number] for number in inverse.tolist()]

    def each(self) -> Iterator[Handed]:
        """Every row, some megabytes in memory at a time."""
        return self._read(np.arange(len(self)))

    def _read(self, numbers: NDArray[np.int64]) -> Iterator[Handed]:
        self._scratch.file.flush()
        descriptor = self._scratch.file.fileno()
        ends = np.frombuffer(self._ends, np.int64)
        starts, stops = ends[numbers].tolist(), ends[numbers + 1].tolist()
        # Where most of the bytes between the rows are theirs, they are read in one go.
        span = stops[-1] - starts[0] if starts else 0
        dense = span < DENSE * (sum(stops) - sum(starts))
        begin, end, chunk = 0, 0, b""
        for number, start, stop in zip(numbers.tolist(), starts, stops, strict=True):
            if start < begin or stop > end:
                ahead = min(READ, stops[-1] - start) if dense else 0
                chunk = os.pread(descriptor, max(stop - start, ahead), start)
                begin, end = start, start + len(chunk)
            row = Handed(*orjson.loads(chunk[start - begin : stop - begin]))
            if self._equals and (equal := self._equals.get(number)):
                row = row._replace(id=f"{row.id}-{equal}", root=self._roots[number])
            yield row


def id_word(name: str) -> int:
    """64 bits that stand for an id; the digits of a case are those already."""
    if len(name) == DIGITS:
        with suppress(ValueError):
            return int.from_bytes(bytes.fromhex(name), "big")
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big")


def root_of(path: str, name: str) -> float:
    """The number of a row that was made from nothing: the hash of its source's path and its id."""
    return roots.number(["table", path, name])


def of_table(source: Source, home: Callable[[Path], str]) -> SourceRows:
    """The rows of a file or a glob, streamed. `home` gives a path as it stands in the project.

    InputError for a file that cannot be read, for a table without rows, and for an id that is empty or
    stands twice.
    """
    rows = SourceRows(source)
    kinds: dict[str, Kind | None] = {}
    notes: list[str] = []
    lines = array("q")
    rows.fill(_table_rows(source, home, kinds, notes, lines))
    if not len(rows):
        raise InputError("the table has no rows", place=Place(source.files[0], 1, 1))
    rows.number_equals(_apart(rows, lines))
    rows.kinds = {name: kind or STRING for name, kind in kinds.items()}
    if not source.id:
        notes.append(
            f"{source.name}: the rows of {source.target} are known by their whole content: an edit of "
            "any column makes a new row; `id: column` makes them stay"
        )
    rows.notes, rows.copied = tuple(notes), frozenset(kinds)
    rows.expected = rows.most = len(rows)
    return rows


def _table_rows(
    source: Source,
    home: Callable[[Path], str],
    kinds: dict[str, Kind | None],
    notes: list[str],
    lines: array[int],
) -> Iterator[Handed]:
    for file in source.files:
        path = home(file)
        for line, fields in _rows_of(file, notes):
            lines.append(line)
            for name, value in fields.items():
                kinds[name] = _joined(kinds.get(name), kind_of(value))
            if source.id:
                name = _written_id(source, fields, kinds, Place(file, line, 1))
            else:
                name = digest_of(fields).hex()[:16]
            yield Handed(name, root_of(path, name), fields, case=path)


def _apart(rows: SourceRows, lines: Sequence[int]) -> dict[int, int]:
    """The number among its equals of each row that is not the first with its id. InputError where
    the ids were written, for they say that two rows are one."""
    words = rows.words
    order = np.argsort(words, kind="stable")
    ranked = words[order]
    again = np.flatnonzero(ranked[1:] == ranked[:-1]) + 1
    if rows.source.id and len(again):
        first = int(again[np.argmin(order[again])])
        before, after = (int(order[at]) for at in (first - 1, first))
        one, two = rows.rows(np.array([before, after]))
        files = {file.name: file for file in rows.source.files}
        places = [
            Place(files.get(Path(row.case).name, rows.source.files[0]), lines[number], 1)
            for row, number in ((one, before), (two, after))
        ]
        raise InputError(
            f"the id {two.id!r} stands here again; first at {places[0]}", place=places[1]
        )
    starts = np.searchsorted(ranked, ranked[again])
    return dict(zip(order[again].tolist(), (again - starts).tolist(), strict=True))


def _rows_of(file: Path, notes: list[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    """The rows of a file with their lines: those of CSV and workbooks typed as everywhere."""
    if file.suffix.lower() in (".jsonl", ".ndjson", ".json", ".parquet"):
        for line, row in reader.rows(file):
            try:
                yield line, {name: plain(value) for name, value in row.items()}
            except OverflowError as error:
                raise InputError(
                    str(error), place=Place(file, line, 1), hint="write it as text, in quotes"
                ) from error
        return
    table = tables.load(file)
    notes += table.remarks(table.columns)
    for number, record in enumerate(table.records()):
        yield table.place(number).line or 1, dict(record)


def _written_id(
    source: Source, fields: Mapping[str, Any], known: Collection[str], place: Place
) -> str:
    for column in source.id:
        if column not in known:
            raise sources.no_field(source, column, fields, source.at("id"))
    values = [fields.get(column) for column in source.id]
    if any(value is None or value == "" for value in values):
        raise InputError(f"the id is empty: {', '.join(source.id)}", place=place)
    return printed(values[0]) if len(values) == 1 else canonical(values).decode()


def printed(value: object) -> str:
    """A value as it is printed: what prints alike agrees."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value) if isinstance(value, str | int | float) else canonical(value).decode()


def plain(value: object) -> object:
    """A value of Parquet or JSON as JSON has it; moments and dates as their ISO text.

    OverflowError for a whole number that no column holds.
    """
    if isinstance(value, datetime.datetime) and value.time() == datetime.time():
        return value.date().isoformat()
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, int) and value.bit_length() > BITS:
        raise OverflowError(f"no 64 bits hold the whole number {value}")
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    if isinstance(value, dict):
        return {str(name): plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    if isinstance(value, decimal.Decimal):
        return float(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value


def kind_of(value: object) -> Kind | None:
    """The kind of one value; None of nothing, which is of any."""
    if value is None:
        return None
    if isinstance(value, list):
        parts: Kind | None = None
        for part in value:
            parts = _joined(parts, kind_of(part))
        return Kind("list", of=parts) if parts else None
    if isinstance(value, dict):
        fields = tuple((str(name), kind_of(part) or STRING) for name, part in value.items())
        return Kind("struct", fields=fields) if fields else None
    return _SIMPLE.get(type(value), JSON)


def _joined(one: Kind | None, other: Kind | None) -> Kind | None:
    """The kind that holds the values of both; JSON where nothing narrower does."""
    if one == other or other is None:
        return one
    if one is None:
        return other
    if {one, other} == {INTEGER, NUMBER}:
        return NUMBER
    if one.name == other.name == "list":
        return Kind("list", of=_joined(one.of, other.of))
    if one.name == other.name == "struct":
        fields = dict(one.fields)
        for name, kind in other.fields:
            fields[name] = _joined(fields.get(name), kind) or STRING
        return Kind("struct", fields=tuple(fields.items()))
    return JSON


def looked_up(rows: SourceRows, theirs: Sequence[str]) -> LookUp:
    """An index of rows by what these fields print; a row that lacks one of them agrees with none."""
    words, numbers = array("Q"), array("q")
    for number, row in enumerate(rows.each()):
        record = row.record()
        values = [record.get(name) for name in theirs]
        if not any(value is None for value in values):
            words.append(int(spread.word(*map(printed, values))))
            numbers.append(number)
    ranked = np.frombuffer(words, np.uint64)
    order = np.argsort(ranked, kind="stable")
    return LookUp(ranked[order], np.frombuffer(numbers, np.int64)[order])


class LookUp(NamedTuple):
    """Rows by 64 bits of what some of their fields print: (n,) in order, and the row of each."""

    words: NDArray[np.uint64]
    order: NDArray[np.int64]

    def spans(self, compared: Sequence[Sequence[object]]) -> tuple[list[int], list[int]]:
        """For each of these values where in `order` the rows begin and end that agree with them;
        none where a value is missing."""
        missing = np.array([None in values for values in compared], dtype=bool)
        words = np.fromiter(
            (
                0 if lacks else spread.word(*map(printed, values))
                for values, lacks in zip(compared, missing.tolist(), strict=True)
            ),
            np.uint64,
            len(compared),
        )
        first = np.searchsorted(self.words, words)
        last = np.where(missing, first, np.searchsorted(self.words, words, side="right"))
        return first.tolist(), last.tolist()
