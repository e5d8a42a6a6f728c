"""The one reader of rows: CSV, TSV, JSON lines, JSON, Parquet and Excel, each row with its line.

A row is a mapping of plain values; what they mean is for `column` to say. InputError names
file, line and column of what cannot be read.
"""

import contextlib
import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from builder import extras
from builder.errors import InputError, Place, nearest

SNIFFED = 40  # Lines that tell what parts the cells of a file.
BATCH = 4096  # Rows of a Parquet file that are in memory at a time.
Row = dict[str, Any]


def rows(path: Path, *, foreign: bool = False) -> Iterator[tuple[int, Row]]:
    """The rows of a file in their order, each with the line that it begins at, 1 where none counts.

    Every column of a CSV file has a name, and the space around a cell goes. `foreign` rows, which
    nobody here wrote, may have columns without a name, and keep every character. Of a workbook the
    first sheet is read.
    """
    match path.suffix.lower():
        case ".parquet":
            with _parquet(path) as file:
                batches = file.iter_batches(BATCH)
                yield from ((1, row) for batch in batches for row in batch.to_pylist())
        case ".jsonl" | ".ndjson" | ".json" as ending:
            yield from _json(path, by_line=ending != ".json")
        case ".xlsx":
            yield from _sheet(path, foreign=foreign)
        case _:
            yield from _csv(path, foreign=foreign)


def columns(path: Path, *, foreign: bool = False) -> tuple[dict[str, list[Any]], list[int]]:
    """The rows of a file as columns, None where a row lacks one, and the line of each row."""
    lines: list[int] = []
    values: dict[str, list[Any]] = {}
    for count, (line, row) in enumerate(rows(path, foreign=foreign)):
        lines.append(line)
        for name, cell in row.items():
            column = values.setdefault(name, [])
            column.extend([None] * (count - len(column)))
            column.append(cell)
    for column in values.values():
        column.extend([None] * (len(lines) - len(column)))
    return values, lines


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


def parse_json(path: Path, text: str, line: int = 1) -> Any:
    """What a JSON text holds that begins on this line of a file. InputError with its place."""
    try:
        value = json.loads(text)
        # What may hold halves of surrogate pairs, or is nested so deep that nothing can write it.
        if "\\u" in text or text.count("[") + text.count("{") > 500:
            json.dumps(value, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        place = Place(path, line + error.lineno - 1, error.colno)
        raise InputError(f"not JSON: {error.msg}", place=place) from None
    except (ValueError, RecursionError) as error:  # halves of surrogate pairs, endless numbers
        raise InputError(f"not JSON: {error}", place=Place(path, line, 1)) from None
    return value


def siblings(path: Path) -> str:
    """The nearest name beside a path that is not there, as a sentence; empty where none is near."""
    return nearest(path.name, (file.name for file in path.parent.glob("*")))


def separator(path: Path) -> str:
    """What parts the cells of a CSV or TSV file: what parts its heading and its first rows into
    equally many cells; the mark of its ending where several do or none does."""
    csv.field_size_limit(2**31 - 1)
    marks = "\t,;|" if path.suffix.lower() == ".tsv" else ",\t;|"
    lines = list(islice(_lines(path, ""), SNIFFED))
    # The last of so many lines may end within a cell.
    end = -1 if len(lines) == SNIFFED else None

    def parted(mark: str) -> tuple[bool, int]:
        counts = [len(row) for row in csv.reader(lines, delimiter=mark) if row][:end] or [0]
        return len(set(counts)) == 1 and counts[0] > 1, counts[0]

    return max(marks, key=parted)


def _lines(path: Path, newline: str | None = None) -> Iterator[str]:
    """The lines of a text file, one in memory at a time."""
    try:
        with path.open(encoding="utf-8-sig", newline=newline) as stream:
            for line in stream:
                if "\0" in line:
                    read_text(path)  # names the place
                yield line
    except UnicodeDecodeError:
        read_text(path)  # names the place


def _byte_place(path: Path, data: bytes, position: int) -> Place:
    ahead = data[:position].removeprefix(b"\xef\xbb\xbf")
    line = ahead[ahead.rfind(b"\n") + 1 :]
    return Place(path, ahead.count(b"\n") + 1, len(line.decode("utf-8", "replace")) + 1)


def _csv(path: Path, *, foreign: bool) -> Iterator[tuple[int, Row]]:
    line = 1
    mark = separator(path)
    reader = csv.reader(_lines(path, "" if foreign else None), delimiter=mark, strict=True)
    try:
        names = _heading(path, [name.strip() for name in next(reader, [])], mark, foreign=foreign)
        line = reader.line_num + 1
        for cells in reader:
            if cells and len(cells) != len(names):
                raise InputError(
                    f"this row has {len(cells)} cells, the heading {len(names)}",
                    place=Place(path, line, 1),
                    hint="a cell that holds a separator stands in double quotes",
                )
            if cells:
                whole = cells if foreign else [cell.strip() for cell in cells]
                yield line, dict(zip(names, whole, strict=True))
            line = reader.line_num + 1
    except csv.Error as error:
        raise InputError(f"not CSV: {error}", place=Place(path, line, 1)) from None


def _heading(path: Path, names: list[str], mark: str, *, foreign: bool) -> list[str]:
    place = Place(path, 1, 1)
    for number, name in enumerate(names, 1):
        if foreign and not name and any(names):
            # The row numbers that some programs write: bookkeeping.
            names[number - 1] = f"_{number}"
        elif not name or names.index(name) != number - 1:
            raise InputError(
                f"column {number} of the heading is {'empty' if not name else f'{name!r} again'}",
                place=place,
            )
    wrong = next((sign for sign in "，；" if sign in "".join(names[:1])), None)
    if len(names) == 1 and wrong:
        raise InputError(
            f"the heading is a single column, {names[0]!r}",
            place=place,
            hint=f"a {path.suffix} file separates its columns with {mark!r}, not {wrong!r}",
        )
    return names


def _json(path: Path, *, by_line: bool) -> Iterator[tuple[int, Row]]:
    values: Iterable[tuple[int, Any]]
    if by_line:
        lines = ((k, line) for k, line in enumerate(_lines(path), 1) if line.strip())
        values = ((k, parse_json(path, line.rstrip("\n"), k)) for k, line in lines)
    else:
        whole = parse_json(path, read_text(path))
        if not isinstance(whole, list):
            raise InputError("a JSON table is a list of objects", place=Place(path, 1, 1))
        values = ((1, value) for value in whole)
    for number, value in values:
        if not isinstance(value, Mapping):
            raise InputError("every row is a JSON object", place=Place(path, number, 1))
        yield number, dict(value)


def _sheet(path: Path, *, foreign: bool) -> Iterator[tuple[int, Row]]:
    """The rows of the first sheet of a workbook, whole numbers as such: it knows floats alone."""
    with extras.importing("excel"):
        import python_calamine as calamine
    try:
        cells = calamine.load_workbook(path).get_sheet_by_index(0).to_python()
    except calamine.CalamineError as error:
        raise InputError(f"not a workbook: {error}", place=Place(path, 1, 1)) from None
    names = [str(cell).strip() for cell in next(iter(cells), [])]
    names = _heading(path, names, "", foreign=foreign)
    for line, row in enumerate(cells[1:], 2):
        if any(cell != "" for cell in row):
            yield line, dict(zip(names, map(_plain_cell, row), strict=True))


def _plain_cell(cell: object) -> object:
    if isinstance(cell, float) and cell.is_integer() and abs(cell) <= 2**53:
        return int(cell)
    return cell


@contextlib.contextmanager
def _parquet(path: Path) -> Iterator[Any]:
    """The open file, its errors with its place."""
    import pyarrow
    from pyarrow import parquet

    try:
        # Buffered beforehand, all that a file holds would be in memory.
        with parquet.ParquetFile(path, pre_buffer=False) as file:
            yield file
    except (pyarrow.ArrowException, OSError) as error:
        raise InputError(f"not Parquet: {error}", place=Place(path, 1, 1)) from None


def unpacked(path: Path) -> int:
    """Bytes of a file as it is in memory: a Parquet file's before it was compressed."""
    if path.suffix.lower() != ".parquet":
        return path.stat().st_size
    with _parquet(path) as file:
        groups = (file.metadata.row_group(k) for k in range(file.metadata.num_row_groups))
        return int(sum(group.total_byte_size for group in groups))
