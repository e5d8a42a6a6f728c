"""Rows as the dataset holds them: flat records, in order, each with its split."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from builder.plan import columns
from builder.plan.columns import Kind
from builder.plan.plan import DatasetPlan
from builder.plan.spread import mix, unit, word
from builder.records import Reject, Row, canonical
from builder.run import results
from builder.run.results import Outcome, Tallies
from builder.store import Store

BLOCK = 20_000
"""Planned cases whose rows share a file."""
REST = -1
"""The block of rows that came from reserves."""


EXACT = {"string": str, "number": float, "integer": int, "boolean": bool}
"""The type of a value that its column holds as it is: most of them, so that few are converted."""


class Placed(NamedTuple):
    """A record with the split and the block of its scenario's plan that it belongs to."""

    split: str
    record: dict[str, Any]
    block: int


@dataclass(slots=True)
class Reading:
    """One pass over a dataset: what it yields, and the counts that fill as it goes."""

    dataset: DatasetPlan
    store: Store
    splits: Mapping[str, float]
    tallies: Tallies
    kinds: dict[str, Kind]

    def records(self) -> Iterator[Placed | Reject]:
        """Rejects as they come, and each row as its record with its place: of each scenario
        the blocks in their order, then what further rounds and the reserves brought."""
        splits: dict[int, str] = {}
        for outcome in results.settle(self.dataset, self.store, self.tallies):
            yield from outcome.rejects
            if outcome.row is not None:
                yield Placed(
                    self._split(outcome, splits),
                    record(outcome.row, self.kinds),
                    outcome.position // BLOCK,
                )

    def _split(self, outcome: Outcome, known: dict[int, str]) -> str:
        """By hash of dataset, combination and occurrence, those of the first case with the same
        request: repeats share a split, and a prompt edit moves no row."""
        if len(self.splits) == 1:
            return next(iter(self.splits))
        if outcome.leader not in known:
            combination, occurrence = self.dataset.combination(outcome.leader)
            chosen = self._draw(combination, occurrence)
            if outcome.first.repeat == 0:
                return chosen  # nearly every request is asked once; only groups are remembered
            known[outcome.leader] = chosen
        return known[outcome.leader]

    def _draw(self, combination: Mapping[str, Any], occurrence: int) -> str:
        seed = word("split", self.dataset.name, sorted(combination.items()), occurrence)
        u = float(unit(mix(np.array([seed])))[0])
        total = 0.0
        for name, share in self.splits.items():
            total += share
            if u < total:
                return name
        return name


def read(dataset: DatasetPlan, store: Store, splits: Mapping[str, float]) -> Reading:
    """A pass over a dataset that has not begun."""
    return Reading(dataset, store, splits, {}, columns.of_dataset(dataset.scenarios))


def first(dataset: DatasetPlan, store: Store, n: int) -> list[dict[str, Any]]:
    """The first n rows as records, a turn for each scenario."""
    kinds = columns.of_dataset(dataset.scenarios)
    found = results.dealt(dataset, store, n, lambda one: [one.row] if one.row else [])
    return [record(row, kinds) for row in found]


def first_rejects(dataset: DatasetPlan, store: Store, n: int) -> list[Reject]:
    """The first n rejects, a turn for each scenario."""
    return results.dealt(dataset, store, n, lambda one: one.rejects)


def record(row: Row, kinds: Mapping[str, Kind]) -> dict[str, Any]:
    """The flat record of a row: every column of its dataset, null where it has none."""
    case = row.case
    own = {
        "_scenario": case.scenario,
        "_model": row.model,
        "_case": case.id,
        "_key": str(row.key),
    }
    get = {**row.fields, **case.columns, **own}.get
    return {
        name: value if type(value) is EXACT.get(kind.name) else converted(value, kind)
        for name, kind in kinds.items()
        for value in (get(name),)
    }


def converted(value: Any, kind: Kind) -> Any:
    """A value as its column holds it."""
    if value is None:
        return None
    if kind.name == "json":
        return json.dumps(value, ensure_ascii=False)
    if kind.name == "list" and kind.of is not None:
        return [converted(part, kind.of) for part in value]
    if kind.name == "struct":
        return {name: converted(value.get(name), inner) for name, inner in kind.fields}
    if kind.name == "number":
        return float(value)
    return str(value) if kind.name == "string" else value


class ContentDigest:
    """Digests of a dataset's rows, and of them with their splits and form, fed one at a time."""

    def __init__(self) -> None:
        self._rows = hashlib.blake2b(digest_size=16)
        self._splits = hashlib.blake2b(digest_size=16)

    def add(self, values: Mapping[str, Any], split: str = "") -> None:
        self._rows.update(canonical(values))
        self._splits.update(split.encode() + b"\n")

    def rows(self) -> str:
        """Of the rows alone, whatever form they get."""
        return self._rows.hexdigest()

    def whole(self, *about: Any) -> str:
        """Of the rows, their splits, and what else the files follow from."""
        parts = [self.rows(), self._splits.hexdigest(), *about]
        return hashlib.blake2b(canonical(parts), digest_size=16).hexdigest()
