"""What the gates of a report found, one line a gate: the figure that is nearest to its limit."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from builder.project import expect

_WORST_FIRST = ("fail", "warn", "pass")


@dataclass(frozen=True, slots=True)
class Judged:
    """One figure that was held against a limit."""

    gate: str
    what: str
    value: float
    limit: float
    verdict: str
    upper: bool
    """Whether the figure must stay at or under the limit."""

    @property
    def bound(self) -> str:
        """The limit as people read it.

        >>> Judged("drift.ks", "", 0.05, 0.1, "pass", upper=True).bound
        '≤0.1'
        """
        return f"{'≤' if self.upper else '≥'}{self.limit:.4g}"

    @property
    def strain(self) -> float:
        """How much of what the limit allows is used up: 1 at the limit, more beyond it.

        >>> Judged("drift.ks", "", 0.05, 0.1, "pass", upper=True).strain
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
    measures = expect.measures()
    return [
        Judged(
            one["gate"], one["what"], float(one["value"]), float(one["limit"]), one["verdict"],
            upper=measures[one["gate"]].upper if one["gate"] in measures
            else (one["value"] <= one["limit"]) == (one["verdict"] == "pass"),
        )
        for one in findings
        if one["limit"] is not None and one["value"] is not None
    ]  # fmt: skip


def by_gate(findings: Iterable[Mapping[str, Any]]) -> list[Gate]:
    """One line for each gate, families together, in the order in which they were measured."""
    gates: dict[str, list[Judged]] = {}
    for one in each(findings):
        gates.setdefault(one.gate, []).append(one)
    families = list(dict.fromkeys(family(gate) for gate in gates))
    ordered = sorted(gates, key=lambda gate: families.index(family(gate)))
    return [_gate(gates[name]) for name in ordered]


def family(gate: str) -> str:
    """
    >>> family("drift.ks")
    'drift'
    """
    return gate.partition(".")[0]


def _gate(figures: Sequence[Judged]) -> Gate:
    def order(one: Judged) -> tuple[int, float]:
        return -_WORST_FIRST.index(one.verdict), one.strain

    return Gate(max(figures, key=order), len(figures))
