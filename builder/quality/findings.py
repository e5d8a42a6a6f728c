"""What gates are made of: a finding, the limits, and the evidence that gates look at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, Protocol

import numpy as np

from builder.errors import InputError
from builder.project import expect
from builder.project.expect import LIMITS
from builder.stats import features, near
from builder.table import frame

Verdict = Literal["pass", "fail", "warn", "too-few-rows"]


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one gate."""

    gate: str
    """`family.measure`, as in the table of limits."""
    what: str
    """The column, scenario or label that was measured; empty for the whole dataset."""
    value: float
    limit: float | None
    """None where a figure is shown but never judged."""
    verdict: Verdict
    advice: str = ""
    """One line: what the figure means and what to do."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The default limits with those that somebody set over them."""

    own: Mapping[str, float] = field(default_factory=dict)

    def bound(self, gate: str) -> float:
        return self.own.get(gate, LIMITS[gate].bound)

    def judge(
        self, gate: str, what: str, value: float, advice: str, *, significant: bool = True
    ) -> Finding:
        """A finding whose verdict follows from the limit; chance alone never fails."""
        bound, upper = self.bound(gate), LIMITS[gate].upper
        beyond = value > bound if upper else value < bound
        if not beyond or not significant:
            return Finding(gate, what, value, bound, "pass")
        strict = LIMITS[gate].strict or gate in self.own
        return Finding(gate, what, value, bound, "fail" if strict else "warn", advice)


def limits_of(*expectations: Mapping[str, Mapping[str, Any]]) -> Limits:
    """Limits from `expect` mappings, the later over the earlier; InputError for unknown words.

    The `table` of drift is the caller's to read.
    """
    own: dict[str, float] = {}
    for expectation in expectations:
        for problem in expect.problems(expectation):
            raise InputError(problem.message, hint=problem.hint)
        for family, measures in expectation.items():
            own.update(
                (f"{family}.{measure}", float(bound))
                for measure, bound in measures.items()
                if measure != expect.TABLE
            )
    return Limits(own)


@dataclass(frozen=True, slots=True)
class Context:
    """What else is known of a dataset: its plan, its labels, what it was made from."""

    text: tuple[str, ...] = ()
    """Columns that make a row's text; none means every text column."""
    axes: tuple[str, ...] = ()
    planned: Mapping[tuple[Any, ...], int] = field(default_factory=dict)
    """Rows wanted of each combination, values in the order of `axes`."""
    examples: tuple[str, ...] = ()
    """Few-shot texts of the prompts: part of what must not be copied."""
    held_out: frame.Frame | None = None
    """Reference rows that the dataset was not made from."""
    drawn: Mapping[str, frame.Column] = field(default_factory=dict)
    """Columns of the tables that were drawn from, to be shown beside the dataset's."""
    rejects: Mapping[str, int] = field(default_factory=dict)
    """How often each reason refused an answer."""
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
        """(n,) or nothing when the dataset has no text."""
        return self.rows.texts(self.context.text)

    @cached_property
    def reference_texts(self) -> list[str]:
        if self.reference is None or not self.texts:
            return []
        names = [c.name for c in self.rows.of("text") if c.name in self.reference.columns]
        named = [name for name in self.context.text if name in self.reference.columns]
        chosen = named or names
        if not chosen and not self.reference.of("text"):
            return []
        return self.reference.texts(chosen)

    @cached_property
    def vectors(self) -> tuple[features.Vectors, features.Vectors]:
        """Of the texts and the reference texts."""
        return features.vectors(self.texts, self.reference_texts, semantic=self.context.semantic)

    @cached_property
    def pairs(self) -> near.Pairs:
        """Near-duplicates among the texts."""
        return near.pairs(self.texts, self.context.similarity)

    @cached_property
    def scenarios(self) -> dict[str, list[int]]:
        """Row numbers by scenario, when there are several."""
        by: dict[str, list[int]] = {}
        for at, name in enumerate(self.rows.scenarios):
            by.setdefault(name, []).append(at)
        return by if len(by) > 1 else {}


class Gate(Protocol):
    """One family of measures: evidence in, findings out; a plain function will do."""

    def __call__(self, evidence: Evidence, limits: Limits) -> Iterable[Finding]:
        """No finding at all where the gate does not apply."""
