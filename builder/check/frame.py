"""Anybody's rows as typed columns: a JSONL, JSON, CSV, TSV or Parquet file, or a dataset folder.

A column is text, a number, a category or an id by what it holds, unless the caller says so:
strings that are long are texts, as are varied ones in a column that is named like one; other
short ones are categories where they repeat and ids where they do not, and ids are left alone, as
are numbers that only count the rows. Conversations and other
nested values are read as the text in them.
"""

from __future__ import annotations

import csv
import datetime
import io
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import orjson
from numpy.typing import NDArray

from builder import shingles
from builder.errors import InputError, Place, nearest

Kind = Literal["text", "number", "category", "id"]
LIMIT = 2**30
"""Bytes of the largest input, as stored, or as unpacked from Parquet."""
ENDINGS = (".parquet", ".jsonl", ".ndjson", ".json", ".csv", ".tsv")
BESIDE = ("report.json", "manifest.json", "dataset_info.json", "dataset_infos.json")
"""What lies beside the data of a folder and is no data."""
BIGGEST = 1e60
"""Numbers further from 0 count as this one: their fourth power is still a number."""
MISSING = frozenset(("", "na", "n/a", "nan", "null", "none", "-"))
"""What a column of numbers may hold where it holds none."""
FEW = 20
"""Rows up to which a run of whole numbers may be a measurement."""
TEXTS = frozenset(
    "answer comment completion content input instruction message messages output prompt question "
    "query response review sentence text utterance 内容 句子 回答 文本 正文 评论 问题".split()
)
"""Names of columns that hold texts, however short."""
SCENARIO = "_scenario"
_LONG, _SHORT, _WORDS = 40, 20, 6
"""Mean characters from which strings are texts, and from which varied ones are, half for CJK; mean words."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of n values."""

    name: str
    kind: Kind
    values: NDArray[Any]
    """(n,): float64 with NaN where missing for a number, else str or None objects."""


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
