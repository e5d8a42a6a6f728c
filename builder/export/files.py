"""Files of a dataset: Parquet or JSONL, a few thousand rows in memory at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Protocol

import jsonlines
import orjson

from builder.plan.columns import Kind

Format = Literal["parquet", "jsonl"]
GROUP = 5000
"""Rows of one Parquet row group: what is in memory before it is written."""
GROUP_BYTES = 16 * 2**20
"""The same as JSON, for long rows."""


class Writer(Protocol):
    """Takes records of one file."""

    def write(self, record: dict[str, Any]) -> None: ...

    def close(self) -> None: ...


class Parquet:
    """One Parquet file, its types fixed beforehand.

    Records wait as JSON lines, which Arrow reads by itself: from Python objects it would take
    them through pandas, for 50 MB and twice the time.
    """

    def __init__(self, path: Path, kinds: Mapping[str, Kind]) -> None:
        import pyarrow
        import pyarrow.json
        import pyarrow.parquet

        self._arrow = pyarrow
        self._schema = pyarrow.schema([(name, arrow_type(kind)) for name, kind in kinds.items()])
        self._writer = pyarrow.parquet.ParquetWriter(path, self._schema, compression="zstd")
        self._lines = bytearray()
        self._rows = 0

    def write(self, record: dict[str, Any]) -> None:
        self._lines += orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)
        self._rows += 1
        if self._rows >= GROUP or len(self._lines) >= GROUP_BYTES:
            self._flush()

    def _flush(self) -> None:
        lines, self._lines, self._rows = self._lines, bytearray(), 0
        json = self._arrow.json
        table = json.read_json(
            self._arrow.BufferReader(lines),
            json.ReadOptions(use_threads=False, block_size=len(lines)),
            json.ParseOptions(explicit_schema=self._schema, unexpected_field_behavior="error"),
        )
        self._writer.write_table(table)

    def close(self) -> None:
        if self._rows:
            self._flush()
        self._writer.close()


class Lines:
    """One JSONL file, Chinese left readable."""

    def __init__(self, path: Path, kinds: Mapping[str, Kind]) -> None:
        self._stream = path.open("w", encoding="utf-8", newline="\n")
        self._writer = jsonlines.Writer(self._stream)

    def write(self, record: dict[str, Any]) -> None:
        self._writer.write(record)

    def close(self) -> None:
        self._writer.close()
        self._stream.close()


WRITERS: Mapping[Format, type[Parquet] | type[Lines]] = {"parquet": Parquet, "jsonl": Lines}


def arrow_type(kind: Kind) -> Any:
    """The Arrow type of a column."""
    import pyarrow

    if kind.name == "list" and kind.of is not None:
        return pyarrow.list_(arrow_type(kind.of))
    if kind.name == "struct":
        return pyarrow.struct([(name, arrow_type(inner)) for name, inner in kind.fields])
    simple = {
        "integer": pyarrow.int64(),
        "number": pyarrow.float64(),
        "boolean": pyarrow.bool_(),
    }
    return simple.get(kind.name, pyarrow.string())


class Folder:
    """A folder of files being written: whole under other names when `with` ends, in their places
    after `publish`, gone again where writing fails. Files of an earlier export that are no longer
    wanted go."""

    def __init__(self, folder: Path, kinds: Mapping[str, Kind], kind: Format) -> None:
        self.folder = folder
        self.kinds = kinds
        self.format: Format = kind
        self._parts: dict[str, tuple[Path, Writer]] = {}

    def __enter__(self) -> Folder:
        self.folder.mkdir(parents=True, exist_ok=True)
        for left in self.folder.glob("*.part"):
            left.unlink()
        return self

    def write(self, split: str, record: dict[str, Any]) -> None:
        """Adds a record to its split's file."""
        if split not in self._parts:
            path = self.folder / f"{split}.part"
            self._parts[split] = (path, WRITERS[self.format](path, self.kinds))
        self._parts[split][1].write(record)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if error is None:
                for _, writer in self._parts.values():
                    writer.close()
                return
        except BaseException:
            self._remove()
            raise
        self._remove()

    def _remove(self) -> None:
        for path, writer in self._parts.values():
            # A full disk fails here once more; the first error is the one to tell.
            with suppress(Exception):
                writer.close()
            path.unlink(missing_ok=True)

    def made(self) -> dict[str, Path]:
        """The names that the files are to have, and where they are until then."""
        return {
            f"{split}-00000-of-00001.{self.format}": path
            for split, (path, _) in self._parts.items()
        }

    def publish(self) -> None:
        """Puts the files in their places."""
        names = self.made()
        for name, path in names.items():
            path.replace(self.folder / name)
        for old in self.folder.iterdir():
            if old.suffix in (".parquet", ".jsonl") and old.name not in names:
                old.unlink()


def digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
