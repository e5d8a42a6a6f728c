"""What a run has done so far: counted by the fill, read by whoever displays it."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from builder.engines import prices, tokens
from builder.engines.exchange import ELSEWHERE
from builder.errors import EngineError, RequestError
from builder.records import Completion, Key, Request
from builder.results.estimates import Estimate
from builder.results.step import Standing

VALUES = 3  # Values of an axis that are named, of cases whose requests are refused.
MESSAGES = 50  # Different messages of failed calls that are remembered.


@dataclass(slots=True)
class SetAside:
    """Cases of one scenario that the provider refused for what their requests hold."""

    error: RequestError
    """The last of them."""
    cases: int = 0
    values: dict[str, list[object]] = field(default_factory=dict)
    """The axes on which they have few values, with those."""

    @property
    def common(self) -> dict[str, list[object]]:
        """The axes on which all of them have one value, or else the one with the fewest."""
        ones = {axis: values for axis, values in self.values.items() if len(values) == 1}
        return ones or dict(sorted(self.values.items(), key=lambda item: len(item[1]))[:1])

    def add(self, case: Standing, error: RequestError) -> None:
        combination = case.planned.case.combination
        axes = {axis.name: len(axis.every) for axis in case.part.scenario.axes}
        if not self.cases:
            self.values = {axis: [] for axis in axes}
        for axis, values in list(self.values.items()):
            if combination[axis] not in values:
                values.append(combination[axis])
            # That they have all the values of an axis tells nothing.
            if len(values) > min(VALUES, max(1, axes[axis] - 1)):
                del self.values[axis]
        self.cases += 1
        if error.tokens or not self.error.tokens:
            self.error = max(self.error, error, key=lambda e: e.tokens or (0, 0))


@dataclass(slots=True)
class Counts:
    """What is counted of a whole run and of each of its scenarios alike."""

    to_ask: int = 0
    """Rows that were missing when the run began."""
    accepted: int = 0
    """Rows accepted in this run."""
    provisional: int = 0
    """Answers of the open round that passed the schema, not yet compared with other rows."""
    rejects: int = 0
    usd: float = 0.0
    unpriced: int = 0
    """Replies whose price nobody knows."""

    @property
    def rows(self) -> int:
        """Rows accepted in this run, or likely to be."""
        return min(self.to_ask, self.accepted + self.provisional)

    def add_price(self, reply: Completion) -> None:
        """Counts what a reply cost."""
        self.usd += reply.usd or 0.0
        self.unpriced += prices.is_unknown(reply)

    def add_verdict(self, *, passed: bool, provisional: bool) -> None:
        """Counts an answer that was judged, for now or for good."""
        if not passed:
            self.rejects += 1
        elif provisional:
            self.provisional += 1
        else:
            self.accepted += 1

    def close_round(self, accepted: int) -> None:
        """Counts the rows of a round that was judged, fewer where it displaced some of before."""
        self.provisional = 0
        self.accepted = max(0, min(self.to_ask, self.accepted + accepted))


@dataclass(slots=True)
class ScenarioProgress(Counts):
    """Counts of one scenario in a run."""

    started: float = 0.0
    """When its first call was handed out; 0 where none was."""


@dataclass(slots=True)
class Progress(Counts):
    """Counts of one run."""

    wanted: int = 0
    """Rows that the plan wants."""
    holding: frozenset[str] = frozenset()
    """Scenarios that held rows by then."""
    scenarios: dict[str, ScenarioProgress] = field(
        default_factory=lambda: defaultdict(ScenarioProgress)
    )
    """The counts of each scenario."""
    calls: int = 0
    """Replies received."""
    non_answers: Counter[str] = field(default_factory=Counter)
    """Replies that were no answers, by why they stopped."""
    cut_at: int | None = None
    """The `max_tokens` of the last reply that was cut off, where it was set."""
    elsewhere: Counter[str] = field(default_factory=Counter)
    """Answers by where they stood when not in the text."""
    aside: dict[str, SetAside] = field(default_factory=dict)
    """Scenario to its cases that the provider refuses to answer."""
    failures: int = 0
    """Calls that brought no reply."""
    unfilled: int = 0
    """Cases left without a row for reasons that may be over in a later run."""
    input_tokens: int = 0
    output_tokens: int = 0
    started: float = field(default_factory=time.monotonic)
    stopped: str = ""
    """Why the run stopped before its end; empty when it did not."""
    lost: dict[str, str] = field(default_factory=dict)
    """Models whose endpoint is gone, and how that showed."""
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
        progress = cls(wanted=estimate.wanted, to_ask=estimate.to_ask, holding=holding)
        for line in estimate.lines:
            progress.scenarios[line.scenario].to_ask = line.to_ask
        return progress

    @property
    def tokens(self) -> int:
        """Tokens in and out."""
        return self.input_tokens + self.output_tokens

    def expect(self, estimate: Estimate) -> None:
        """Counts what a further level lacks, now that the rows are there that it is made from."""
        for line in estimate.lines:
            counts = self.scenarios[line.scenario]
            counts.to_ask = counts.accepted + line.to_ask
        self.wanted = estimate.wanted
        self.to_ask = sum(counts.to_ask for counts in self.scenarios.values())

    def note_sent(self, scenario: str) -> None:
        """Notes that a call of the scenario was handed out."""
        counts = self.scenarios[scenario]
        counts.started = counts.started or time.monotonic()

    def note_verdict(self, scenario: str, *, passed: bool, provisional: bool) -> None:
        """Counts an answer of the scenario that was judged."""
        for counts in (self, self.scenarios[scenario]):
            counts.add_verdict(passed=passed, provisional=provisional)

    def end_round(self, accepted: Mapping[str, int]) -> None:
        """Counts the rows by scenario of a round that was judged."""
        for name in self.scenarios.keys() | accepted.keys():
            self.scenarios[name].close_round(accepted.get(name, 0))
        self.close_round(sum(accepted.values()))

    def note(self, scenario: str, reply: Completion, request: Request) -> None:
        """Counts a reply to a request of the scenario."""
        for counts in (self, self.scenarios[scenario]):
            counts.add_price(reply)
        self.calls += 1
        self.input_tokens += reply.usage.input or 0
        self.output_tokens += reply.usage.output or 0
        if not reply.is_answer:
            self.non_answers[reply.stop] += 1
        if reply.stop == "length":
            self.cut_at = tokens.most(request.params) or None
        for where in ELSEWHERE:
            self.elsewhere[where] += reply.stop_reason.endswith(where)

    def set_aside(self, case: Standing, error: RequestError) -> None:
        """Counts a case whose request is refused, and left to a later run."""
        self.unfilled += 1
        self.aside.setdefault(case.part.name, SetAside(error)).add(case, error)

    def lose(self, model: str, error: EngineError) -> None:
        """Counts a case that is left because the endpoint of its model is gone."""
        self.unfilled += 1
        self.lost.setdefault(model, error.message)

    def note_failure(self, error: EngineError) -> None:
        """Counts a call that brought no reply."""
        self.failures += 1
        if error.message in self.trouble or len(self.trouble) < MESSAGES:
            self.trouble[error.message] = self.trouble.get(error.message, 0) + 1
