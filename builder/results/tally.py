"""How the cases of a scenario stand, counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from builder.engines import prices
from builder.records import Completion, Key
from builder.results.step import Standing


@dataclass(slots=True)
class Tally:
    """The counts of one scenario."""

    wanted: int = 0
    accepted: int = 0
    open: int = 0
    """Cases that want an answer."""
    open_bytes: int = 0
    """UTF-8 bytes of their messages."""
    rejects: int = 0
    answers: int = 0
    output_tokens: int = 0
    usd: float = 0.0
    unpriced: int = 0
    hosts: set[str] = field(default_factory=set)
    models: set[str] = field(default_factory=set)
    """Models as they were answered, versions included."""
    span: tuple[float, float] = (0.0, 0.0)
    """Times of the first and the last answer."""
    displaced: list[str] = field(default_factory=list)
    """Cases that want another answer, for theirs is near to a row accepted before: which to which."""
    rows: set[Key] = field(default_factory=set)
    """The answers that are rows; kept only where rows are compared with one another."""
    similar: dict[Key, str] = field(default_factory=dict)
    """The answers that are none for they are near to a row: which to which."""
    short: dict[int, int] = field(default_factory=dict)
    """Combination number to the rows that it lacks and cannot get within its tries."""
    refused: int = 0
    """Spent cases of source rows that have no other question left, where no number promised them."""
    raisable: dict[int, int] = field(default_factory=dict)
    """Combination number to its spent cases that further tries are allowed for."""

    def add(self, case: Standing) -> None:
        """Counts a case and its answers."""
        self.rejects += len(case.rejects)
        if case.part.asks:
            self._add_answers(case.answers)
        if case.row is not None:
            self.accepted += 1
        elif not case.spent:
            self.open += 1
            self.open_bytes += case.size
            if case.similar:
                refused = case.rejects[-1]
                self.displaced.append(f"{refused.key} ({refused.reason})")
        elif case.tried < case.part.limit:
            self.raisable[case.combination] = self.raisable.get(case.combination, 0) + 1

    def _add_answers(self, answers: Sequence[Completion]) -> None:
        self.answers += len(answers)
        for answer in answers:
            self.output_tokens += answer.usage.output or 0
            self.usd += answer.usd or 0.0
            self.unpriced += prices.is_unknown(answer)
            self.hosts.add(answer.host)
            self.models.add(answer.answered_by)
            first, last = self.span
            self.span = (min(first or answer.time, answer.time), max(last, answer.time))

    def add_similar(self, case: Standing) -> None:
        """Remembers which answers of a case are rows, and which are near to one."""
        if case.row is not None:
            self.rows.add(case.row.key)
        self.similar |= {r.key: r.reason for r in case.rejects if r.stage == "similar"}

    @property
    def to_ask(self) -> int:
        """Rows that a run would ask for."""
        raised = (min(lack, self.raisable.get(c, 0)) for c, lack in self.short.items())
        return self.open + sum(raised)

    def lost(self, before: Tally) -> list[str]:
        """The rows of `before` that rows accepted before them have pushed out since."""
        return [f"{key} ({self.similar[key]})" for key in sorted(before.rows & self.similar.keys())]


Tallies = dict[str, Tally]  # Scenario to its counts.
