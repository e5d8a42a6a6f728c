"""Anybody's rows as typed columns: a JSONL, JSON, CSV, TSV or Parquet file, or a dataset folder.

A column is a text, a number, a category or an id by what it holds, unless the caller says so;
ids are left alone.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from builder.errors import InputError, Place, nearest
from builder.table.column import Column, Kind, typed

__all__ = ["Column", "Frame", "Kind", "build", "from_rows", "read", "typed"]

LIMIT = 2**30
"""Bytes of the largest input, as stored, or as unpacked from Parquet."""
ENDINGS = (".parquet", ".jsonl", ".ndjson", ".json", ".csv", ".tsv")
BESIDE = ("report.json", "manifest.json", "dataset_info.json", "dataset_infos.json")
"""What lies beside the data of a folder and is no data."""
SCENARIO = "_scenario"


@dataclass(frozen=True, slots=True)
class Frame:
    """Rows as columns of equal length; a name that begins with an underscore is bookkeeping."""

    columns: Mapping[str, Column]
    rows: int
    scenarios: tuple[str, ...] = ()
    """(n,) each row's scenario, or nothing."""
    source: Path | None = None
    released: bool = False
    """Whether these are an earlier release of the rows that they are held against: being equal to
    it gives nobody away."""

    def of(self, kind: Kind) -> list[Column]:
        """The columns of one kind, in their order."""
        return [column for column in self.columns.values() if column.kind == kind]

    def column(self, name: str) -> Column:
        """The column of that name; InputError names the nearest."""
        if name not in self.columns:
            raise InputError(
                f"no column {name!r}.{nearest(name, self.columns)}",
                place=Place(self.source) if self.source else None,
                hint=f"its columns: {', '.join(self.columns)}",
            )
        return self.columns[name]

    def take(self, rows: Sequence[int]) -> Frame:
        """Some of the rows, by number."""
        at = np.asarray(rows, dtype=np.int64)
        columns = {c.name: Column(c.name, c.kind, c.values[at]) for c in self.columns.values()}
        scenarios = tuple(self.scenarios[k] for k in at.tolist()) if self.scenarios else ()
        return Frame(columns, len(at), scenarios, self.source)

    def only(self, names: Sequence[str]) -> Frame:
        """The same rows, these columns alone."""
        return Frame({name: self.column(name) for name in names}, self.rows, (), self.source)

    def texts(self, names: Sequence[str] = ()) -> list[str]:
        """Each row's text: the named columns, or all text columns, one under the other."""
        chosen = [self.column(name) for name in names] if names else self.of("text")
        parts = [column.values for column in chosen]
        return ["\n".join(str(cell) for cell in row if cell) for row in zip(*parts, strict=True)]


def read(path: Path, *, kinds: Mapping[str, Kind] | None = None) -> Frame:
    """The rows of a file, or of all the files of a dataset folder; InputError names file:line."""
    files = _files(path)
    size = sum(file.stat().st_size for file in files)
    if size > LIMIT:
        raise InputError(
            f"{size >> 20} MiB; at most {LIMIT >> 20} are read",
            place=Place(path),
            hint="check a sample of the rows",
        )
    values: dict[str, list[Any]] = {}
    rows = 0
    for file in files:
        found = _READERS[file.suffix.lower()](file)
        many = len(next(iter(found.values()), []))
        for name in {**values, **found}:
            values.setdefault(name, [None] * rows).extend(found.get(name, [None] * many))
        rows += many
    if not rows:
        raise InputError("no rows", place=Place(path))
    return build(values, kinds=kinds, source=path)


def build(
    values: Mapping[str, Sequence[Any]],
    *,
    kinds: Mapping[str, Kind] | None = None,
    source: Path | None = None,
) -> Frame:
    """A frame of columns given as lists of equal length; `kinds` settles some of them."""
    rows = len(next(iter(values.values()), []))
    known = kinds or {}
    for name in known:
        if name not in values:
            raise InputError(
                f"no column {name!r}.{nearest(name, values)}",
                place=Place(source) if source else None,
                hint=f"its columns: {', '.join(values)}",
            )
    columns = {
        name: typed(name, cells, known.get(name))
        for name, cells in values.items()
        if not name.startswith("_")
    }
    scenarios = tuple(str(cell) for cell in values.get(SCENARIO, ()))
    return Frame(columns, rows, scenarios, source)


def from_rows(
    rows: Iterable[Mapping[str, Any]], *, kinds: Mapping[str, Kind] | None = None
) -> Frame:
    """A frame of rows given as mappings; a name that a row lacks is missing there."""
    listed = list(rows)
    names = dict.fromkeys(name for row in listed for name in row)
    return build({name: [row.get(name) for row in listed] for name in names}, kinds=kinds)


def _files(path: Path) -> list[Path]:
    if path.is_file():
        if path.suffix.lower() not in ENDINGS:
            raise InputError(
                f"rows are read from {', '.join(ENDINGS)}, not {path.suffix!r}", place=Place(path)
            )
        return [path]
    if not path.is_dir():
        siblings = [p.name for p in path.parent.glob("*")] if path.parent.is_dir() else []
        raise InputError(f"{path} not found.{nearest(path.name, siblings)}")
    for folder in (path / "data", path):
        held = [p for p in folder.glob("[!.]*") if p.is_file() and p.name not in BESIDE]
        for ending in ENDINGS:
            if found := sorted(p for p in held if p.suffix.lower() == ending):
                return found
    raise InputError(f"{path} holds no {', '.join(ENDINGS)} file", hint="name a file or a dataset")


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Numbered lines; InputError at the first byte that is not UTF-8."""
    with path.open("rb") as stream:
        for number, line in enumerate(stream, 1):
            part = line[3:] if number == 1 and line.startswith(b"\xef\xbb\xbf") else line
            try:
                yield number, part.decode()
            except UnicodeDecodeError as error:
                raise InputError(
                    f"not UTF-8: byte 0x{part[error.start]:02x}",
                    place=Place(path, number, error.start + 1),
                    hint="save the file as UTF-8 (GB18030 and UTF-16 are not read)",
                ) from None


def _jsonl(path: Path) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    rows = 0
    for number, line in _lines(path):
        if not line.strip():
            continue
        _gather(found, rows, _object(path, number, line))
        rows += 1
    return _evened(found, rows)


def _json(path: Path) -> dict[str, list[Any]]:
    whole = _parsed(path, 1, "".join(line for _, line in _lines(path)))
    if not isinstance(whole, list) or not all(isinstance(row, dict) for row in whole):
        raise InputError("expected a list of objects", place=Place(path, 1, 1))
    found: dict[str, list[Any]] = {}
    for at, row in enumerate(whole):
        _gather(found, at, row)
    return _evened(found, len(whole))


def _gather(found: dict[str, list[Any]], rows: int, row: Mapping[str, Any]) -> None:
    for name, cell in row.items():
        cells = found.setdefault(name, [])
        cells.extend([None] * (rows - len(cells)))
        cells.append(cell)


def _evened(found: dict[str, list[Any]], rows: int) -> dict[str, list[Any]]:
    for cells in found.values():
        cells.extend([None] * (rows - len(cells)))
    return found


def _object(path: Path, line: int, text: str) -> dict[str, Any]:
    row = _parsed(path, line, text)
    if not isinstance(row, dict):
        raise InputError("every row is a JSON object", place=Place(path, line, 1))
    return row


def _parsed(path: Path, line: int, text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        place = Place(path, line + error.lineno - 1, error.colno)
        raise InputError(f"not JSON: {error.msg}", place=place) from None


def _csv(path: Path) -> dict[str, list[Any]]:
    whole = "".join(line for _, line in _lines(path))
    if not whole.strip():
        return {}
    separator = "\t" if path.suffix.lower() == ".tsv" else _separator(whole)
    csv.field_size_limit(LIMIT)
    reader = csv.reader(io.StringIO(whole, newline=""), delimiter=separator, strict=True)
    try:
        names = [name.strip() for name in next(reader, [])]
        if len(set(filter(None, names))) < len(list(filter(None, names))) or not any(names):
            raise InputError("the heading repeats a name or has none", place=Place(path, 1, 1))
        # A column without a name is the row numbers that some programs write: bookkeeping.
        names = [name or f"_{at}" for at, name in enumerate(names, 1)]
        found: dict[str, list[Any]] = {name: [] for name in names}
        for row in reader:
            if row and len(row) != len(names):
                raise InputError(
                    f"{len(row)} cells in a row, {len(names)} in the heading",
                    place=Place(path, reader.line_num, 1),
                )
            for name, cell in zip(names, row, strict=False):
                found[name].append(cell)
    except csv.Error as error:
        raise InputError(f"not CSV: {error}", place=Place(path, reader.line_num, 1)) from None
    return found


def _separator(text: str) -> str:
    """Of commas, tabs and semicolons the one that the heading has most of."""
    heading = text.partition("\n")[0]
    return max(",\t;", key=heading.count)


def _parquet(path: Path) -> dict[str, list[Any]]:
    import pyarrow
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path) as file:
            groups = (file.metadata.row_group(k) for k in range(file.metadata.num_row_groups))
            if sum(group.total_byte_size for group in groups) > LIMIT:
                raise InputError(f"over {LIMIT >> 20} MiB unpacked", place=Place(path))
            found: dict[str, list[Any]] = file.read().to_pydict()
    except (pyarrow.ArrowException, OSError) as error:
        raise InputError(f"not Parquet: {error}", place=Place(path)) from None
    return found


_READERS = {
    ".parquet": _parquet,
    ".jsonl": _jsonl,
    ".ndjson": _jsonl,
    ".json": _json,
    ".csv": _csv,
    ".tsv": _csv,
}
