"""Anybody's rows as columns that gates can measure: a file, a dataset folder, or rows in memory.

A column is a text, a number, a category or an id by what it holds, unless the caller says so;
ids are left alone. Strings that are long are texts, as are varied ones in a column that is named
like one; other short ones are categories where they repeat and ids where they do not. Numbers
that only count the rows are ids too. Nested values are read as the text in them.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from builder.errors import InputError, Place
from builder.stats import shingles
from builder.table import cells, reader, tables
from builder.table.tables import CATEGORY, ID, NUMBER, TEXT, Column, Kind

LIMIT = 2**30  # Bytes of the largest input, as stored, or as unpacked from Parquet.
ENDINGS = (".parquet", ".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".xlsx")
# What lies in the folder of a dataset and is none of its data.
NO_DATA = ("report.json", "manifest.json", "dataset_info.json", "dataset_infos.json")
SCENARIO, SPLIT = "_scenario", "_split"
# The words by which files and columns name a split, as `datasets` reads them.
SPLITS = frozenset((
    "train", "training", "validation", "valid", "val", "dev", "test", "testing", "eval",
    "evaluation",
))  # fmt: skip
# Numbers further from 0 count as this one: their fourth power is still a number.
BIGGEST = 1e60
FEW = 20  # Rows up to which a run of whole numbers may be a measurement.
# Names of columns that hold texts, however short.
TEXTS = frozenset((
    "answer", "comment", "completion", "content", "input", "instruction", "message", "messages",
    "output", "prompt", "question", "query", "response", "review", "sentence", "text", "utterance",
    "内容", "句子", "回答", "文本", "正文", "评论", "问题",
))  # fmt: skip
# Mean characters from which strings are texts, and from which varied ones are, half for CJK; mean
# words.
_LONG, _SHORT, _WORDS = 40, 20, 6


@dataclass(frozen=True, slots=True)
class Frame:
    """Rows as columns of equal length; a name that begins with an underscore is bookkeeping."""

    columns: Mapping[str, Column]
    rows: int
    scenarios: tuple[str, ...] = ()  # (n,) each row's scenario, or nothing
    splits: tuple[str, ...] = ()  # (n,) each row's split, or nothing
    source: Path | None = None
    # Whether these are an earlier release of the rows that they are held against: being equal
    # to it gives nobody away.
    released: bool = False
    notes: tuple[str, ...] = ()  # how columns were read that were not plain, a line each

    def of(self, kind: Kind) -> list[Column]:
        """The columns of one kind, in their order."""
        return [c for c in self.columns.values() if c.kind == kind]

    def column(self, name: str) -> Column:
        """The column of that name; InputError names the nearest."""
        place = Place(self.source) if self.source else None
        return tables.named(self.columns, name, self.source, place)

    def take(self, rows: Sequence[int]) -> Frame:
        """The frame of some of the rows, by number."""
        at = np.asarray(rows, dtype=np.int64)
        columns = {name: c.take(at) for name, c in self.columns.items()}
        scenarios, splits = (
            tuple(names[k] for k in at.tolist()) if names else ()
            for names in (self.scenarios, self.splits)
        )
        return Frame(columns, len(at), scenarios, splits, self.source)

    def only(self, names: Sequence[str]) -> Frame:
        """The frame of the same rows and of these columns alone."""
        return Frame({name: self.column(name) for name in names}, self.rows, source=self.source)

    def texts(self, names: Sequence[str] = ()) -> list[str]:
        """Each row's text: the named columns, or all text columns, one under the other."""
        chosen = map(self.column, names) if names else self.of(TEXT)
        parts = [c.values for c in chosen]
        return ["\n".join(str(cell) for cell in row if cell) for row in zip(*parts, strict=True)]


def read(path: Path, *, kinds: Mapping[str, Kind] | None = None) -> Frame:
    """The rows of a file, or of all the files of a dataset folder; InputError names file:line."""
    files = _files(path)
    if (size := sum(map(reader.unpacked, files))) > LIMIT:
        raise InputError(
            f"{size >> 20} MiB; at most {LIMIT >> 20} are read",
            place=Place(path),
            hint="check a sample of the rows",
        )
    values: dict[str, list[Any]] = {}
    places: list[str] = []
    splits: list[str] = []
    rows = 0
    for file in files:
        part, lines = reader.columns(file, foreign=True)
        for name in {**values, **part}:
            values.setdefault(name, [None] * rows).extend(part.get(name, [None] * len(lines)))
        rows += len(lines)
        places += [f"{file.name}:{line}: " for line in lines]
        splits += [_split(file)] * len(lines)
    if not rows:
        raise InputError("no rows", place=Place(path))
    notes = (
        tables.noted(name, list(map(_moment, listed)), places)[1]
        for name, listed in values.items()
        if not name.startswith("_") and name not in (kinds or {})
    )
    built = build(values, kinds=kinds, source=path)
    return replace(
        built,
        splits=built.splits or _dealt(values, splits),
        notes=tuple(f"{path.name}: {note}" for note in notes if note),
    )


def build(
    values: Mapping[str, Sequence[Any]],
    *,
    kinds: Mapping[str, Kind] | None = None,
    source: Path | None = None,
) -> Frame:
    """A frame of columns given as lists of equal length; `kinds` settles some of them."""
    known = kinds or {}
    columns = {
        name: measurable(name, values[name], known.get(name))
        for name in values
        if not name.startswith("_")
    }
    for name in known:
        if name not in values:
            tables.named(columns, name, source, Place(source) if source else None)
    scenarios, splits = (tuple(map(str, values.get(name, ()))) for name in (SCENARIO, SPLIT))
    return Frame(columns, len(next(iter(values.values()), [])), scenarios, splits, source)


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
        raise InputError(f"{path} not found.{reader.siblings(path)}")
    for folder in (path / "data", path):
        files = [p for p in folder.glob("[!.]*") if p.is_file() and p.name not in NO_DATA]
        for ending in ENDINGS:
            if chosen := sorted(p for p in files if p.suffix.lower() == ending):
                return chosen
    raise InputError(f"{path} holds no {', '.join(ENDINGS)} file", hint="name a file or a dataset")


def _split(file: Path) -> str:
    """The split that a file's name says, or nothing."""
    if numbered := re.match(r"(\w+)-\d{5}-of-\d{5}", file.name):
        return numbered[1]
    words = re.split(r"[\W\d_]+", file.stem.casefold())
    return next((word for word in words if word in SPLITS), "")


def _dealt(values: Mapping[str, Sequence[Any]], splits: Sequence[str]) -> tuple[str, ...]:
    """Each row's split, by its file or by a column `split`; nothing where a row has none."""
    if not all(splits) or len(set(splits)) == 1:
        splits = [str(cell) for cell in values.get("split", ())]
        if not all(split.casefold() in SPLITS for split in splits):
            return ()
    return tuple(splits)


def measurable(name: str, values: Sequence[Any], kind: Kind | None = None) -> Column:
    """The column of these values as gates measure it: of this kind, or of the one that they show.

    InputError where a number is asked for and the values are none.
    """
    if kind in (None, NUMBER):
        numbers = tables.typed(name, [_moment(value) for value in values])
        if numbers.numeric and not (kind is None and _counts_rows(numbers.values)):
            return Column(name, NUMBER, np.clip(numbers.values, -BIGGEST, BIGGEST))
        if kind == NUMBER:
            present = (v for v in values if not cells.missing(v, cells.NOTHING))
            wrong = next((v for v in present if not tables.typed(name, [v]).numeric), values[0])
            raise InputError(f"column {name!r} holds {wrong!r}, which is no number")
    texts = [None if cells.missing(value) else cells.flat(value) for value in values]
    return Column(name, kind or _text_kind(name, texts), np.array(texts, dtype=object))


def _text_kind(name: str, texts: list[str | None]) -> Kind:
    present = [text for text in texts if text]
    if not present:
        return CATEGORY
    sample = present[:: max(1, len(present) // 2000)]
    mean = sum(len(text) * (2 if shingles.is_cjk(text) else 1) for text in sample) / len(sample)
    words = sum(text.count(" ") for text in sample) / len(sample) + 1
    distinct = len(set(present))
    varied = distinct > max(20, len(present) // 20)
    short = 0 if name.casefold() in TEXTS else _SHORT
    if mean >= _LONG or words >= _WORDS or (mean >= short and varied):
        return TEXT
    return ID if varied and distinct > len(present) // 2 else CATEGORY


def _counts_rows(numbers: NDArray[np.float64]) -> bool:
    """Whether a column only numbers its rows, in whatever order: an id, whose drift means nothing."""
    first, last = numbers.min(), numbers.max()
    whole = len(numbers) > FEW and last - first == len(numbers) - 1
    return bool(whole and (np.sort(numbers) == np.arange(first, last + 1)).all())


def _moment(value: object) -> object:
    """A value, a moment as the days since 1970: time drifts as numbers do."""
    if not isinstance(value, datetime.datetime):
        return value
    return value.replace(tzinfo=value.tzinfo or datetime.UTC).timestamp() / 86_400
