"""Rows as the dataset holds them: in order, column by column, each with its split."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import NoneType
from typing import Any, NamedTuple, cast

from builder.plan import columns
from builder.plan.plans import DatasetPlan
from builder.records import Reject, Row, canonical
from builder.results import settle, splits
from builder.results.settle import Settlement
from builder.results.step import Standing
from builder.results.tally import Tallies
from builder.store import Store
from builder.table.tables import Kind
from builder.text import model_name

BLOCK = 20_000  # Planned cases whose rows share a file.
REST = -1  # The block of rows that came from reserves.
BATCH = 1024  # Rows that are laid out together, at most.
BATCH_TEXT = 2**24  # The same as characters of their answers, for long rows.

# Why a row is none whose text another root has.
COPY = "the text of another row, word for word; a dataset with splits holds it once"

# The type of a value that its column holds as it is: most of them, so that few are converted.
EXACT = {"string": str, "number": float, "integer": int, "boolean": bool}

Columns = Mapping[str, Sequence[Any]]  # Columns by name, all of one length.


class Batch(NamedTuple):
    """Some rows of one scenario and of one block of its plan, in their order."""

    scenario: str
    block: int
    splits: Sequence[str]
    """The split of each row."""
    columns: Columns
    """Every column of the dataset, null where the scenario has none."""


@dataclass(slots=True)
class Reading:
    """One pass over a dataset: what it yields, and the counts that fill as it goes."""

    settlement: Settlement
    kinds: dict[str, Kind]
    # The hashes of rows that are none for their text stands elsewhere; None before they were sought.
    copies: frozenset[int] | None = None

    def again(self) -> "Reading":
        """The same reading, not yet walked; it does not seek copies that this one sought."""
        return Reading(self.settlement.again(), self.kinds, self.copies)

    @property
    def dataset(self) -> DatasetPlan:
        """The dataset that is read."""
        return self.settlement.dataset

    @property
    def splits(self) -> Mapping[str, float]:
        """The splits with their shares."""
        return self.dataset.splits

    @property
    def tallies(self) -> Tallies:
        """The counts of its scenarios."""
        return self.settlement.tallies

    def batches(self) -> Iterator[Batch | Reject]:
        """Rejects as they come, and rows in batches: of each scenario the blocks in their order,
        then what further rounds and the reserves brought."""
        if self.copies is None:
            self.copies = self._copies()
        waiting: list[Standing] = []
        place: tuple[str, int] = ("", 0)
        size = 0
        for case in self.settlement:
            yield from case.rejects
            if case.row is None:
                continue
            if self.copies and hash(case.row.key) in self.copies:
                yield self._without(case, case.row)
                continue
            here = (case.part.name, case.position // BLOCK)
            full = len(waiting) == BATCH or size >= BATCH_TEXT
            if waiting and (full or here != place):
                yield self._batch(place, waiting)
                waiting, size = [], 0
            place = here
            waiting.append(case)
            size += len(case.answers[-1].text)
        if waiting:
            yield self._batch(place, waiting)

    def cases(self) -> Iterator[Standing]:
        """The cases that have a row, in the order of the dataset."""
        if self.copies is None:
            self.copies = self._copies()
        for case in self.settlement:
            if case.row is None:
                continue
            if self.copies and hash(case.row.key) in self.copies:
                self._without(case, case.row)
            else:
                yield case

    def _batch(self, place: tuple[str, int], cases: Sequence[Standing]) -> Batch:
        rows = [case.row for case in cases if case.row is not None]
        return Batch(*place, self._splits(rows), columns_of(rows, self.kinds))

    def _splits(self, rows: Sequence[Row]) -> list[str]:
        if len(self.splits) == 1:
            return [*self.splits] * len(rows)
        return list(map(splits.sides(self.dataset).split, rows))

    def _copies(self) -> frozenset[int]:
        """The rows that are none for their text stands elsewhere: a walk before the walk."""
        if len(self.splits) == 1:
            return frozenset()
        cases = self.settlement.again()
        return splits.copies(
            self.dataset, ((case.part, case.row) for case in cases if case.row is not None)
        )

    def _without(self, case: Standing, row: Row) -> Reject:
        """The reject that a row is whose text stands elsewhere."""
        tally = self.tallies[case.part.name]
        tally.accepted -= 1
        tally.rejects += 1
        raw = case.answers[-1].text
        return Reject(row.case, row.key, row.model, "similar", COPY, raw)


def read(settlement: Settlement) -> Reading:
    """The reading of a dataset that was not walked yet."""
    return Reading(settlement, columns.of_dataset(settlement.dataset.scenarios))


def first(dataset: DatasetPlan, store: Store, n: int) -> list[dict[str, Any]]:
    """The first n rows as records, a turn for each scenario."""
    kinds = columns.of_dataset(dataset.scenarios)
    rows = settle.first(dataset, store, n, lambda case: [case.row] if case.row else [])
    return [next(records(columns_of([row], kinds))) for row in rows]


def first_rejects(dataset: DatasetPlan, store: Store, n: int) -> list[Reject]:
    """The first n rejects, a turn for each scenario."""
    return settle.first(dataset, store, n, lambda case: case.rejects)


def columns_of(rows: Sequence[Row], kinds: Mapping[str, Kind]) -> Columns:
    """The columns of some rows of one scenario; in a dataset of several, null where it has none."""
    cases = [row.case for row in rows]
    variables = [case.columns for case in cases]
    fields = [row.fields for row in rows]
    models = {model: model_name(model) for model in {row.model for row in rows}}
    origins = {
        "_scenario": [case.scenario for case in cases],
        "_model": [models[row.model] for row in rows],
        "_case": [case.id for case in cases],
        "_key": [str(row.key) for row in rows],
    }
    columns: dict[str, Sequence[Any]] = {}
    for name, kind in kinds.items():
        records = variables if name in variables[0] else fields
        values = origins[name] if name in origins else [record.get(name) for record in records]
        exact = set(map(type, values)) <= {EXACT.get(kind.name), NoneType}
        columns[name] = values if exact else [converted(value, kind) for value in values]
    return columns


def records(columns: Columns) -> Iterator[dict[str, Any]]:
    """The rows of some columns as flat records."""
    for values in zip(*columns.values(), strict=True):
        yield dict(zip(columns, values, strict=True))


def converted(value: object, kind: Kind) -> object:
    """A value as its column holds it."""
    if value is None:
        return None
    if kind.name == "json":
        return json.dumps(value, ensure_ascii=False)
    if kind.name == "list" and kind.of is not None:
        return [converted(part, kind.of) for part in cast("list[object]", value)]
    if kind.name == "struct":
        fields = cast("dict[str, object]", value)
        return {name: converted(fields.get(name), inner) for name, inner in kind.fields}
    if kind.name == "number":
        return float(cast("float", value))
    return str(value) if kind.name == "string" else value


class ContentDigest:
    """Digests of a dataset's rows, and of them with their splits and form, fed by batches.

    SHA-256, for which processors have instructions: half the time of BLAKE2b over every byte.
    """

    def __init__(self) -> None:
        self._rows = hashlib.sha256()
        self._splits = hashlib.sha256()

    def add(self, batch: Batch) -> None:
        self._rows.update(canonical(batch.columns))
        self._splits.update(canonical(batch.splits))

    def rows(self) -> str:
        """Of the rows alone, whatever form they get."""
        return self._rows.hexdigest()

    def whole(self, *about: object) -> str:
        """Of the rows, their splits, and what else the files follow from."""
        parts = [self.rows(), self._splits.hexdigest(), *about]
        return hashlib.blake2b(canonical(parts), digest_size=16).hexdigest()
