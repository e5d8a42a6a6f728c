"""Which split a row stands in: the number of its root, cut by the shares that a dataset asks for.

A root is what a row was made from; that of a planned case is the case itself. Its number is the
hash of scenario and combination plus occurrence times the golden ratio, mod 1: a sequence that
fills [0, 1) as evenly as any does (Weyl 1916; Kronecker), so each combination has its share of
every split, and no number hangs on how many rows there are.
"""

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from builder.plan import columns, roots
from builder.plan.planned import ScenarioPlan
from builder.plan.plans import DatasetPlan
from builder.records import Row

# The manifest's word for this rule; the one before it dealt equal requests into one split.
RULE = 2
GOLDEN = 0.6180339887498949


@dataclass(frozen=True, slots=True)
class Sides:
    """Deals the rows of one dataset into its splits."""

    splits: Mapping[str, float]
    # Columns of which rows that agree in all of them have one root.
    together: Sequence[str] = ()

    def number(self, row: Row) -> float:
        """The number of a row's root, in [0, 1)."""
        case = row.case
        if self.together:
            agreed = [_cell(row, name) for name in self.together]
            if any(value is not None for value in agreed):
                return roots.number(["together", agreed])
        if case.root is not None:
            return case.root
        start = roots.number([case.scenario, sorted(case.combination.items())])
        return (start + case.occurrence * GOLDEN) % 1.0

    def split(self, row: Row) -> str:
        """The split that a row stands in."""
        return self.at(self.number(row))

    def at(self, number: float) -> str:
        """The split that holds the roots of this number."""
        return roots.side(self.splits, number)


def sides(dataset: DatasetPlan) -> Sides:
    """How the rows of a dataset are dealt."""
    return Sides(dataset.splits, dataset.together)


def copies(dataset: DatasetPlan, rows: Iterable[tuple[ScenarioPlan, Row]]) -> frozenset[int]:
    """The hashes of the keys of rows that are none, for another root has their text.

    Of rows with one text those of the smallest number stay, whatever order they come in: else a
    text could stand on both sides of a split. Takes 24 bytes a row.
    """
    fields = {part.name: columns.text_fields(part, dataset.text) for part in dataset.scenarios}
    number = sides(dataset).number
    hashes, numbered, addresses = array("q"), array("d"), array("q")
    for part, row in rows:
        if text := columns.text_of(part.scenario.schema.row, row.fields, fields[part.name]):
            hashes.append(hash(text))
            numbered.append(number(row))
            addresses.append(hash(row.key))
    texts, numbers, keys = map(np.asarray, (hashes, numbered, addresses))
    order = np.lexsort((numbers, texts))
    texts, numbers = texts[order], numbers[order]
    first = np.searchsorted(texts, texts)  # where the rows of the same text begin
    return frozenset(keys[order][numbers > numbers[first]].tolist())


def _cell(row: Row, name: str) -> Any:
    columns = row.case.columns
    return columns[name] if name in columns else row.fields.get(name)
