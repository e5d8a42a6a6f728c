"""What the gates of a report found, one line a gate: the figure that is nearest to its limit."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from builder.project.expect import LIMITS

_WORST_FIRST = ("fail", "warn", "pass")


@dataclass(frozen=True, slots=True)
class Judged:
    """One figure that was held against a limit."""

    gate: str
    what: str
    value: float
    limit: float
    verdict: str

    @property
    def upper(self) -> bool:
        """Whether the figure must stay at or under the limit."""
        if self.gate in LIMITS:
            return LIMITS[self.gate].upper
        return (self.value <= self.limit) == (self.verdict == "pass")

    @property
    def bound(self) -> str:
        """The limit as people read it.

        >>> Judged("drift.ks", "", 0.05, 0.1, "pass").bound
        '≤0.1'
        """
        return f"{'≤' if self.upper else '≥'}{self.limit:.4g}"

    @property
    def strain(self) -> float:
        """How much of what the limit allows is used up: 1 at the limit, more beyond it.

        >>> Judged("drift.ks", "", 0.05, 0.1, "pass").strain
        0.5
        """
        used, allowed = (self.value, self.limit) if self.upper else (self.limit, self.value)
        if used <= 0:
            return 0.0
        return used / allowed if allowed > 0 else math.inf


@dataclass(frozen=True, slots=True)
class Gate:
    """A gate over all that it looked at."""

    worst: Judged
    figures: int


def each(findings: Iterable[Mapping[str, Any]]) -> list[Judged]:
    """The findings with a figure and a limit."""
    return [
        Judged(one["gate"], one["what"], float(one["value"]), float(one["limit"]), one["verdict"])
        for one in findings
        if one["limit"] is not None and one["value"] is not None
    ]


def by_gate(findings: Iterable[Mapping[str, Any]]) -> list[Gate]:
    """One line for each gate, families together, in the order in which they were measured."""
    gates: dict[str, list[Judged]] = {}
    for one in each(findings):
        gates.setdefault(one.gate, []).append(one)
    families = list(dict.fromkeys(family(gate) for gate in gates))
    ordered = sorted(gates, key=lambda gate: families.index(family(gate)))
    return [_gate(gates[name]) for name in ordered]


def family(gate: str) -> str:
    """The gate that a measure is of.

    >>> family("drift.ks")
    'drift'
    """
    return gate.partition(".")[0]


def _gate(figures: Sequence[Judged]) -> Gate:
    def order(one: Judged) -> tuple[int, float]:
        return -_WORST_FIRST.index(one.verdict), one.strain

    return Gate(max(figures, key=order), len(figures))
