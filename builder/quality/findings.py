"""What gates are made of: a finding, the limits, and the evidence that gates look at."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, Protocol, Self

import numpy as np

from builder.errors import InputError
from builder.project import expect
from builder.stats import features, near
from builder.table import frame
from builder.table.tables import CATEGORY, ID, TEXT, Column

Verdict = Literal["pass", "fail", "warn", "too-few-rows"]
WORST_FIRST: tuple[Verdict, ...] = ("fail", "warn", "too-few-rows", "pass")
LEAST_POINTS = 50  # texts or rows that a side needs before clouds of points are compared


@dataclass(frozen=True, slots=True)
class Finding:
    """What one measure came to, and what follows from it."""

    gate: str
    """`gate.measure`, as in the table of limits."""
    what: str
    """The column, scenario or label that was measured; empty for the whole dataset."""
    value: float
    limit: float | None
    """None where a figure is shown but never judged."""
    verdict: Verdict
    advice: str = ""
    """One line: what the figure means and what to do."""

    @classmethod
    def too_few(cls, gate: str, what: str, need: str) -> Self:
        """The finding of a measure that so few rows cannot be held to."""
        return cls(gate, what, math.nan, None, "too-few-rows", need)


@dataclass(frozen=True, slots=True)
class Limits:
    """The default limits with those that somebody set over them."""

    measures: Mapping[str, expect.Measure]
    """Every measure that may be judged, as `gate.measure`."""
    chosen: Mapping[str, float] = field(default_factory=dict)
    """The bounds that somebody set, by the same names."""

    def bound(self, name: str) -> float:
        """The bound that holds for a measure; InputError for one that no gate declares."""
        return self.chosen.get(name, self._measure(name).bound)

    def judge(
        self, name: str, what: str, value: float, advice: str, *, significant: bool = True
    ) -> Finding:
        """A finding whose verdict follows from the limit; chance alone never fails."""
        measure, bound = self._measure(name), self.bound(name)
        beyond = value > bound if measure.upper else value < bound
        if not beyond or not significant:
            return Finding(name, what, value, bound, "pass")
        strict = measure.strict or name in self.chosen
        return Finding(name, what, value, bound, "fail" if strict else "warn", advice)

    def _measure(self, name: str) -> expect.Measure:
        if name not in self.measures:
            gate = name.partition(".")[0]
            raise InputError(
                f"gate {gate!r} judges {name!r}, a measure that no gate declares",
                hint="add it to the gate's `measures`; docs/gates.md shows how",
            )
        return self.measures[name]


def limits_of(*expectations: Mapping[str, Mapping[str, Any]]) -> Limits:
    """Limits from `expect` mappings, the later over the earlier; InputError for unknown words.

    The `table` of drift is the caller's to read.
    """
    for expectation in expectations:
        for problem in expect.problems(expectation):
            raise InputError(problem.message, hint=problem.hint)
    chosen = {
        f"{gate}.{measure}": float(bound)
        for expectation in expectations
        for gate, bounds in expectation.items()
        for measure, bound in bounds.items()
        if measure != expect.TABLE
    }
    return Limits(expect.measures(), chosen)


@dataclass(frozen=True, slots=True)
class Context:
    """What else is known of a dataset: its plan, its labels, what it was made from."""

    text: tuple[str, ...] = ()
    """Columns that make a row's text; none means every text column."""
    axes: tuple[str, ...] = ()
    planned: Mapping[tuple[Any, ...], int] = field(default_factory=dict)
    """Rows wanted of each combination, values in the order of `axes`."""
    # The share of each split, where rows are dealt.
    splits: Mapping[str, float] = field(default_factory=dict)
    # Columns of which rows that agree share a split.
    together: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()
    """Few-shot texts of the prompts: part of what must not be copied."""
    held_out: frame.Frame | None = None
    """Reference rows that the dataset was not made from."""
    drawn: Mapping[str, Column] = field(default_factory=dict)
    """Columns of the tables that were drawn from, to be shown beside the dataset's."""
    rejects: Mapping[str, int] = field(default_factory=dict)
    semantic: features.Embed | None = None
    similarity: float = 0.8
    seed: int = 0


class Evidence:
    """Dataset and reference, with what several gates need of them, each made once."""

    def __init__(self, rows: frame.Frame, reference: frame.Frame | None, context: Context) -> None:
        self.rows, self.reference, self.context = rows, reference, context

    def rng(self, name: str) -> np.random.Generator:
        """A generator of its own for each purpose, so that gates do not disturb one another."""
        return np.random.default_rng([self.context.seed, *name.encode()])

    @cached_property
    def texts(self) -> list[str]:
        """The text of each row (n,); nothing when the dataset has no text."""
        return self.rows.texts(self.context.text)

    @cached_property
    def reference_texts(self) -> list[str]:
        """The text of each row of the reference (m,), of the columns that both sides have."""
        if self.reference is None or not self.texts:
            return []
        columns = [c.name for c in self.rows.of(TEXT) if c.name in self.reference.columns]
        chosen = [name for name in self.context.text if name in self.reference.columns] or columns
        if not chosen and not self.reference.of(TEXT):
            return []
        return self.reference.texts(chosen)

    @cached_property
    def vectors(self) -> tuple[features.Vectors, features.Vectors]:
        """Vectors (n, d) of the texts and (m, d) of the reference texts."""
        return features.vectors(self.texts, self.reference_texts, semantic=self.context.semantic)

    @cached_property
    def pairs(self) -> near.Pairs:
        """Near-duplicates among the texts."""
        return near.pairs(self.texts, self.context.similarity)

    @cached_property
    def scenarios(self) -> dict[str, list[int]]:
        """Row numbers by scenario, when there are several."""
        rows: dict[str, list[int]] = {}
        for row, name in enumerate(self.rows.scenarios):
            rows.setdefault(name, []).append(row)
        return rows if len(rows) > 1 else {}

    @cached_property
    def shared(self) -> list[str]:
        """Names of number and category columns on both sides; ids of either side are none."""
        if self.reference is None:
            return []
        kinds = {column.name: column.kind for column in self.reference.columns.values()}
        return [
            column.name
            for column in self.rows.columns.values()
            if (column.kind == CATEGORY and column.name in kinds)
            or (column.numeric and kinds.get(column.name, ID) != ID)
        ]

    def columns(
        self, held_out: frame.Frame | None = None
    ) -> tuple[features.Vectors, features.Vectors]:
        """The shared columns as vectors (n, d) of the dataset and (m, d) of the reference, the
        rows held out behind the reference's."""
        assert self.reference is not None
        others = [self.reference, *([] if held_out is None else [held_out])]
        numbers, categories = [], []
        for name in self.shared:
            ours, theirs = self.rows.columns[name], [side.column(name) for side in others]
            if ours.numeric and all(column.numeric for column in theirs):
                numbers.append((ours.values, np.concatenate([column.values for column in theirs])))
            else:
                cells = [cell for column in theirs for cell in names_of(column)]
                categories.append((names_of(ours), cells))
        return features.columns(numbers, categories)


class Gate(expect.Declaration, Protocol):
    """Measures that belong together: what they are called, and how they are taken."""

    def __call__(self, evidence: Evidence, limits: Limits) -> Iterable[Finding]:
        """The findings; none at all where the gate does not apply."""


def names_of(column: Column) -> list[str | None]:
    """The cells of a column as names of categories, None where one is missing."""
    if column.numeric:
        return [None if np.isnan(cell) else f"{cell:g}" for cell in column.values]
    return [None if cell is None else str(cell) for cell in column.values]
