"""What the gates of a report found, one line a measure: the figure that is nearest to its limit."""

from __future__ import annotations

import math
from dataclasses import dataclass

from builder.quality.findings import WORST_FIRST, Verdict
from builder.quality.report_file import FindingEntry, Report
from builder.text import number


@dataclass(frozen=True, slots=True)
class Judged:
    """One figure that was held against a limit."""

    gate: str
    what: str
    value: float
    limit: float
    verdict: Verdict
    upper: bool
    """Whether the figure must stay at or under the limit."""

    @property
    def bound(self) -> str:
        """The limit as people read it.

        >>> Judged("drift.ks", "", 0.05, 0.1, "pass", upper=True).bound
        '≤0.1'
        """
        return f"{'≤' if self.upper else '≥'}{number(self.limit)}"

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
class Summary:
    """A measure over all that it looked at."""

    worst: Judged
    figures: int


def each(report: Report) -> list[Judged]:
    """The findings with a figure and a limit."""
    return [
        Judged(
            entry.gate, entry.what, entry.value, entry.limit, entry.verdict,
            upper=_upper(report, entry, entry.value, entry.limit),
        )
        for entry in report.findings
        if entry.limit is not None and entry.value is not None
    ]  # fmt: skip


def by_measure(report: Report) -> list[Summary]:
    """A summary of each measure, gates together, in the order in which they judged."""
    figures: dict[str, dict[str, list[Judged]]] = {}
    for judged in each(report):
        gate = judged.gate.partition(".")[0]
        figures.setdefault(gate, {}).setdefault(judged.gate, []).append(judged)
    return [
        Summary(max(group, key=_urgency), len(group))
        for measures in figures.values()
        for group in measures.values()
    ]


def _upper(report: Report, entry: FindingEntry, value: float, limit: float) -> bool:
    """Whether a limit is one from above; a report that does not say so shows it by its verdict."""
    gate, _, measure = entry.gate.partition(".")
    if gate in report.gates and measure in report.gates[gate].measures:
        return report.gates[gate].measures[measure].upper
    return (value <= limit) == (entry.verdict == "pass")


def _urgency(judged: Judged) -> tuple[int, float]:
    return -WORST_FIRST.index(judged.verdict), judged.strain
