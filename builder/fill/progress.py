"""What a run has done so far: counted by the fill, read by whoever displays it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from builder.errors import EngineError
from builder.records import Completion, Key
from builder.results.estimates import Estimate

MESSAGES = 50  # Different messages of failed calls that are remembered.


@dataclass(slots=True)
class Progress:
    """Counts of one run."""

    wanted: int = 0
    """Rows that the plan wants."""
    to_ask: int = 0
    """Rows that were missing when the run began."""
    holding: frozenset[str] = frozenset()
    """Scenarios that held rows by then."""
    accepted: int = 0
    """Rows accepted in this run."""
    calls: int = 0
    """Replies received."""
    rejects: int = 0
    non_answers: int = 0
    failures: int = 0
    """Calls that brought no reply."""
    unfilled: int = 0
    """Cases left without a row for reasons that a later run may mend."""
    input_tokens: int = 0
    output_tokens: int = 0
    usd: float = 0.0
    unpriced: int = 0
    """Replies whose price nobody knows."""
    started: float = field(default_factory=time.monotonic)
    stopped: str = ""
    """Why the run stopped before its end; empty when it did not."""
    trouble: dict[str, int] = field(default_factory=dict)
    """Messages of failed calls, each with how often."""
    dropped: list[Key] = field(default_factory=list)
    """Damaged answers that were dropped from the store, to be asked again."""
    limits: dict[str, str] = field(default_factory=dict)
    """Model to the limit that its pace found."""

    @classmethod
    def before(cls, estimate: Estimate) -> Progress:
        """The counts of a run of this plan that has not begun."""
        holding = frozenset(line.scenario for line in estimate.lines if line.held)
        return cls(wanted=estimate.wanted, to_ask=estimate.to_ask, holding=holding)

    def note(self, reply: Completion) -> None:
        """Counts a reply."""
        self.calls += 1
        self.input_tokens += reply.usage.input or 0
        self.output_tokens += reply.usage.output or 0
        if reply.usd is None:
            self.unpriced += 1
        else:
            self.usd += reply.usd
        self.non_answers += not reply.is_answer

    def note_failure(self, error: EngineError) -> None:
        """Counts a call that brought no reply."""
        self.failures += 1
        if error.message in self.trouble or len(self.trouble) < MESSAGES:
            self.trouble[error.message] = self.trouble.get(error.message, 0) + 1
