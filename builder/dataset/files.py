"""Files of a dataset: Parquet, JSONL or CSV in shards, a few thousand rows in memory at a time.

A shard holds the rows of one split, of one scenario and of one block of its plan, so that a
dataset that grew, or one scenario of which was made anew, rewrites few files. `datasets` reads
the split off names of the form `SPLIT-00000-of-00001-…`, also without a card; what follows is
the scenario and the block. The two numbers never change, so neither does a name.
"""

import csv
import filecmp
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from io import BytesIO, TextIOWrapper
from itertools import compress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

import orjson

from builder import io
from builder.dataset import shapes
from builder.results.rows import REST, Batch, Columns, records
from builder.table.tables import Kind

if TYPE_CHECKING:
    import pyarrow

Format = Literal["parquet", "jsonl", "csv"]
GROUP = 5000  # rows of one Parquet row group: what is in memory before it is written
GROUP_BYTES = 16 * 2**20  # bytes that are in memory at most before they are written, for long rows
# Columns that hold no value twice: a dictionary or bounds of them help no reader, and take room.
UNIQUE = ("_case", "_key")
ENDINGS = (".parquet", ".jsonl", ".csv")
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # beginnings of cells that a spreadsheet would run

Key = tuple[str, str, int]  # split, scenario and block of a shard


@dataclass(frozen=True, slots=True)
class Layout:
    """How a dataset's rows lie in its files."""

    format: Format
    shape: shapes.Shape
    raw: bool = False  # whether CSV cells stay as they are, also where a spreadsheet would run them


class Parquet:
    """One Parquet file, its types fixed beforehand."""

    def __init__(self, path: Path, kinds: Mapping[str, Kind], schema: "pyarrow.Schema") -> None:
        self._path = path
        self._kinds = kinds
        self._schema = schema
        self._writer: Any = None
        self._waiting: list[Any] = []
        self._rows = self._bytes = 0

    def write(self, columns: Columns) -> int:
        """The bytes that wait because of these rows, which are taken."""
        from builder.dataset import arrow

        batch = arrow.batch(columns, self._kinds, self._schema)
        self._waiting.append(batch)
        self._rows += batch.num_rows
        self._bytes += batch.nbytes
        if self._rows >= GROUP or self._bytes >= GROUP_BYTES:
            self.flush()
        return int(batch.nbytes)

    def flush(self) -> None:
        """Writes what waits."""
        import pyarrow
        from pyarrow import parquet

        from builder.dataset import arrow

        if not self._waiting:
            return
        if self._writer is None:
            others = [
                leaf
                for name, kind in self._kinds.items()
                if name not in UNIQUE
                for leaf in arrow.leaves(name, kind)
            ]
            self._writer = parquet.ParquetWriter(
                self._path,
                self._schema,
                compression="zstd",
                use_dictionary=others,
                write_statistics=others,
            )
        self._writer.write_table(pyarrow.Table.from_batches(self._waiting))
        self._waiting, self._rows, self._bytes = [], 0, 0

    def close(self) -> None:
        """Writes what waits, and ends the file."""
        self.flush()
        if self._writer is not None:
            self._writer.close()


class Lines:
    """One JSONL file, Chinese left readable."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._waiting = BytesIO()

    def write(self, columns: Columns) -> int:
        before = self._waiting.tell()
        self._add(columns)
        after = self._waiting.tell()
        if after >= GROUP_BYTES:
            self.flush()
        return after - before

    def _add(self, columns: Columns) -> None:
        for record in records(columns):
            self._waiting.write(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE))

    def flush(self) -> None:
        with self._path.open("ab") as stream, self._waiting.getbuffer() as content:
            stream.write(content)
        self._waiting.seek(0)
        self._waiting.truncate()

    def close(self) -> None:
        self.flush()


class Table(Lines):
    """One CSV file: nested values as JSON, and no cell that a spreadsheet would run."""

    def __init__(self, path: Path, names: list[str], *, raw: bool) -> None:
        super().__init__(path)
        self._cell = plain if raw else cell
        self._text = TextIOWrapper(self._waiting, "utf-8", newline="")
        self._writer = csv.writer(self._text, lineterminator="\n")
        self._writer.writerow([self._cell(name) for name in names])

    def _add(self, columns: Columns) -> None:
        for values in zip(*columns.values(), strict=True):
            self._writer.writerow(map(self._cell, values))
        self._text.flush()


Writer = Parquet | Lines


def plain(value: object) -> object:
    """A value as CSV holds it.

    >>> plain([{"role": "user"}])
    '[{"role": "user"}]'
    """
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False)
    return str(value).lower() if isinstance(value, bool) else value


def cell(value: object) -> object:
    """A value as CSV holds it, with an apostrophe before what a spreadsheet would take for a formula.

    >>> cell("=cmd()"), cell("plain"), cell(-3)
    ("'=cmd()", 'plain', -3)
    """
    content = plain(value)
    return f"'{content}" if isinstance(content, str) and content.startswith(FORMULA) else content


def opener(layout: Layout) -> Callable[[Path], Writer]:
    """What begins a file of this layout; it is opened when it is written to."""
    if layout.format == "jsonl":
        return Lines
    if layout.format == "csv":
        return lambda path: Table(path, list(layout.shape.kinds), raw=layout.raw)
    schema = arrow_schema(layout.shape)
    return lambda path: Parquet(path, layout.shape.kinds, schema)


def arrow_schema(shape: shapes.Shape) -> "pyarrow.Schema":
    """The Arrow schema of a shape; class names stand in the metadata that `datasets` reads."""
    import pyarrow

    from builder.dataset import arrow

    schema = pyarrow.schema([(name, arrow.kind_type(kind)) for name, kind in shape.kinds.items()])
    if not shape.labels:
        return schema
    metadata = {"info": {"features": shapes.features_in_metadata(shape)}}
    return schema.with_metadata({"huggingface": json.dumps(metadata)})


def shard_name(key: Key, ending: str) -> str:
    """The name of a shard's file.

    >>> shard_name(("train", "notes", 3), "parquet")
    'train-00000-of-00001-notes-00003.parquet'
    """
    split, scenario, block = key
    # No scenario may look like the numbers that the split is read off; ~ is in no name.
    safe = scenario.replace("-of-", "~of~")
    part = "rest" if block == REST else f"{block:05d}"
    return f"{split}-00000-of-00001-{safe}-{part}.{ending}"


def by_split(batch: Batch) -> Iterator[tuple[str, Columns]]:
    """The columns of each split of a batch, the split of its first row first."""
    splits = list(dict.fromkeys(batch.splits))
    if len(splits) == 1:
        yield splits[0], batch.columns
        return
    for split in splits:
        chosen = [name == split for name in batch.splits]
        columns = batch.columns.items()
        yield split, {name: list(compress(values, chosen)) for name, values in columns}


class Folder:
    """A folder of shards being written.

    They are whole as partial files when `with` ends, in their places after `publish`, and gone
    again where writing fails. A shard that stands there already with just
    these bytes is left alone; files of an earlier export that are no longer wanted go.
    """

    def __init__(self, folder: Path, layout: Layout) -> None:
        self.folder = folder
        self._ending = layout.format
        self._open_file = opener(layout)
        self._block: tuple[str, int] = ("", 0)
        self._open: dict[Key, Writer] = {}
        self._closed: set[tuple[str, int]] = set()
        self._late: dict[Key, Writer] = {}
        self._waiting = 0
        self._names: list[str] = []

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.discard()
        return self

    def write(self, batch: Batch) -> None:
        """Adds rows to the shards of their splits.

        Blocks come one after another; what comes when its block is over goes to the rest of its
        scenario.
        """
        block = (batch.scenario, batch.block)
        for split, columns in by_split(batch):
            if self._block != block:
                if batch.block == REST or block in self._closed:
                    self._write_late((split, batch.scenario, REST), columns)
                    continue
                self._close(self._open)
                self._closed.add(self._block)
                self._block = block
            self._shard(self._open, (split, *block)).write(columns)

    def _write_late(self, key: Key, columns: Columns) -> None:
        """Late rows of all scenarios come mixed, so that their shards stay open to the end."""
        self._waiting += self._shard(self._late, key).write(columns)
        if self._waiting >= GROUP_BYTES:
            for writer in self._late.values():
                writer.flush()
            self._waiting = 0

    def _shard(self, shards: dict[Key, Writer], key: Key) -> Writer:
        if key not in shards:
            name = shard_name(key, self._ending)
            self._names.append(name)
            shards[key] = self._open_file(self.folder / f"{name}.part")
        return shards[key]

    def _close(self, shards: dict[Key, Writer]) -> None:
        while shards:
            shards.popitem()[1].close()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with ExitStack() as undo:
            undo.callback(self._remove)
            if error is None:
                self._close(self._open)
                self._close(self._late)
                undo.pop_all()

    def _remove(self) -> None:
        for shard in (*self._open.values(), *self._late.values()):
            # A full disk fails here once more; the first error is the one to tell.
            with suppress(Exception):
                shard.close()
        self.discard()

    def discard(self) -> None:
        """Takes the partial files away."""
        for partial in self.folder.glob("*.part"):
            partial.unlink()

    def partial(self) -> dict[str, Path]:
        """The names that the files are to have, and where they are until then."""
        return {name: self.folder / f"{name}.part" for name in self._names}

    def publish(self) -> None:
        """Puts the files in their places."""
        names = self.partial()
        changed: dict[Path, Path] = {}
        for name, partial in names.items():
            whole = self.folder / name
            if whole.is_file() and filecmp.cmp(partial, whole, shallow=False):
                partial.unlink()
            else:
                changed[partial] = whole
        io.replace(changed)
        for old in self.folder.iterdir():
            if old.suffix in ENDINGS and old.name not in names:
                old.unlink()


def any_in(folder: Path) -> bool:
    """Whether a folder holds a shard of any format."""
    return any(path.suffix in ENDINGS for path in folder.glob("*"))


def unpacked(path: Path) -> int:
    """Bytes of a Parquet file's columns before they were compressed."""
    from pyarrow import parquet

    metadata = parquet.read_metadata(path)
    return sum(metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups))


def digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
