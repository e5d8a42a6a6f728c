"""What a plan and a store amount to: verdicts case by case, rows and gaps in the end.

The rows of a combination are the first n accepted of its occurrences 0, 1, 2, … A case whose
tries are all refused calls up the next occurrence. So the walk is: every planned case in
plan order, then reserve level 0, 1, … of the combinations that called them up. It holds one
chunk of cases and a count for each combination with a refused case, however long the plan.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice, zip_longest
from typing import TypeVar

import numpy as np

from builder.limits import alarm
from builder.plan.cases import Cases
from builder.plan.plans import (
    CHUNK,
    DatasetPlan,
    Planned,
    ScenarioPlan,
)
from builder.records import (
    Completion,
    Key,
    Reject,
    Row,
)
from builder.results import validate
from builder.store import Store

T = TypeVar("T")


@dataclass(slots=True)
class Outcome:
    """How one case stands."""

    scenario: ScenarioPlan
    planned: Planned
    first: Key
    """The key of its first try."""
    combination: int
    leader: int
    """Position in the dataset of the first case with the same request."""
    size: int
    """UTF-8 bytes of its messages, a measure of its tokens."""
    position: int = -1
    """Which of its scenario's planned cases it is; -1 for a reserve."""
    row: Row | None = None
    rejects: list[Reject] = field(default_factory=list)
    answers: list[Completion] = field(default_factory=list)
    held: list[Completion] = field(default_factory=list)
    """What the store holds for it, in order of tries."""
    raised: bool = False
    """Whether it gets the further tries that a run was told to allow."""
    once: bool = False
    """Whether a run asks for its next answer alone: rows held against one another are judged in
    rounds."""

    @property
    def limit(self) -> int:
        """Answers that may be asked for this case."""
        return self.scenario.limit if self.raised else self.scenario.tries

    @property
    def open(self) -> bool:
        """Whether it wants an answer."""
        return self.row is None and self.tried < self.limit

    @property
    def similar(self) -> bool:
        """Whether its last answer was refused for being near to another row."""
        return self.row is None and bool(self.rejects) and self.rejects[-1].stage == "similar"

    @property
    def tried(self) -> int:
        return len(self.answers)

    @property
    def spent(self) -> bool:
        """Whether its tries are used up without a row."""
        return self.row is None and self.tried >= self.scenario.tries

    @property
    def next_key(self) -> Key:
        return self.first._replace(attempt=self.tried)

    def take(self, answer: Completion, alarm: validate.Alarm) -> Row | Reject:
        """Judges one more answer of this case and remembers the verdict."""
        found = validate.verdict(self.scenario, self.planned, self.next_key, answer, alarm)
        self.answers.append(answer)
        if isinstance(found, Row):
            self.row = found
        else:
            self.rejects.append(found)
        return found


@dataclass(slots=True)
class Called:
    """Which reserve occurrences the spent cases of each combination called up."""

    spent: dict[tuple[str, int], int] = field(default_factory=dict)

    def up(self, outcome: Outcome) -> int:
        """Notes a spent case; the level that it calls up."""
        key = (outcome.scenario.name, outcome.combination)
        self.spent[key] = self.spent.get(key, 0) + 1
        return self.spent[key] - 1


@dataclass(slots=True)
class Tally:
    """How the cases of one scenario stand, counted."""

    wanted: int = 0
    accepted: int = 0
    open: int = 0
    """Cases that want an answer now."""
    open_bytes: int = 0
    """UTF-8 bytes of their prompts."""
    rejects: int = 0
    answers: int = 0
    """Held answers that the plan still names."""
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
    """The answers that are rows; kept only where rows are held against one another."""
    similar: dict[Key, str] = field(default_factory=dict)
    """The answers that are none for they are near to a row: which to which."""
    short: dict[int, int] = field(default_factory=dict)
    """Combination number to the rows that it lacks and cannot get within its tries."""
    raisable: dict[int, int] = field(default_factory=dict)
    """Combination number to its spent cases that further tries are allowed for."""

    def add(self, outcome: Outcome) -> None:
        self.answers += outcome.tried
        self.rejects += len(outcome.rejects)
        for answer in outcome.answers:
            self.output_tokens += answer.usage.output or 0
            self.usd += answer.usd or 0.0
            self.unpriced += answer.usd is None
            self.hosts.add(answer.host)
            self.models.add(answer.answered_by)
            first, last = self.span
            self.span = (min(first or answer.time, answer.time), max(last, answer.time))
        if outcome.row is not None:
            self.accepted += 1
        elif not outcome.spent:
            self.open += 1
            self.open_bytes += outcome.size
            if outcome.similar:
                refused = outcome.rejects[-1]
                self.displaced.append(f"{refused.key} ({refused.reason})")
        elif outcome.tried < outcome.scenario.limit:
            self.raisable[outcome.combination] = self.raisable.get(outcome.combination, 0) + 1

    @property
    def to_ask(self) -> int:
        """Rows that a run would ask for."""
        harder = (min(lack, self.raisable.get(c, 0)) for c, lack in self.short.items())
        return self.open + sum(harder)

    def lost(self, before: Tally) -> list[str]:
        """The rows of `before` that rows accepted before them have pushed out since."""
        return [f"{key} ({self.similar[key]})" for key in sorted(before.rows & self.similar.keys())]


Tallies = dict[str, Tally]


def settle(dataset: DatasetPlan, store: Store, tallies: Tallies) -> Iterator[Outcome]:
    """The cases that hold answers, planned ones first, then the reserves that spent cases called
    up; `tallies` gets the counts of all cases by scenario."""
    if dataset.distinct:
        from builder.results import rounds

        yield from rounds.Rounds(dataset, store, tallies).settled()
        return
    called = Called()
    for scenario in dataset.scenarios:
        tally = tallies.setdefault(scenario.name, Tally(wanted=len(scenario.cases)))
        for outcome in _held(scenario, scenario.cases, store, tally, planned=True):
            if outcome.spent:
                called.up(outcome)
            yield outcome
    level = 0
    while any(count > level for count in called.spent.values()):
        for scenario, cases in zip(dataset.scenarios, dataset.reserve(level), strict=True):
            wanted = {
                combination
                for (name, combination), count in called.spent.items()
                if name == scenario.name and count > level
            }
            some = select(cases, wanted)
            tally = tallies[scenario.name]
            for lost in wanted.difference(some.index.tolist()):
                tally.short[lost] = (
                    called.spent[scenario.name, lost] - level + tally.short.get(lost, 0)
                )
                # No further level holds this combination either.
                called.spent[scenario.name, lost] = level
            for outcome in _held(scenario, some, store, tally, planned=False):
                if outcome.spent:
                    called.up(outcome)
                yield outcome
        level += 1


def tally(dataset: DatasetPlan, store: Store) -> Tallies:
    """The counts alone."""
    tallies: Tallies = {}
    for _ in settle(dataset, store, tallies):
        pass
    return tallies


def _held(
    scenario: ScenarioPlan, cases: Cases, store: Store, tally: Tally, *, planned: bool
) -> Iterator[Outcome]:
    """Those of the cases that hold answers, judged; the others are counted, not made."""
    for start in range(0, len(cases), CHUNK):
        part = cases.take(np.arange(start, min(start + CHUNK, len(cases))))
        held = store.tries(part.keys(0, CHUNK))
        have = np.array([key in held for key in part.keys(0, CHUNK)], dtype=bool)
        tally.open += int((~have).sum())
        tally.open_bytes += int(part.sizes[~have].sum(dtype=np.int64))
        if held:
            positions = (start + np.flatnonzero(have)).tolist() if planned else None
            for outcome in _judged(scenario, part.take(have), held, positions):
                tally.add(outcome)
                yield outcome


def stand(scenario: ScenarioPlan, cases: Cases, store: Store) -> Iterator[Outcome]:
    """How each of these cases stands by what the store holds, in their order."""
    for start in range(0, len(cases), CHUNK):
        part = cases.take(np.arange(start, min(start + CHUNK, len(cases))))
        yield from _judged(scenario, part, store.tries(part.keys(0, CHUNK)))


def dealt(
    dataset: DatasetPlan, store: Store, n: int, pick: Callable[[Outcome], Sequence[T]]
) -> list[T]:
    """The first n of what `pick` finds in the dataset's outcomes, a turn for each scenario.

    Where the planned cases hold enough, no more of them are read than it takes.
    """
    found: dict[str, list[T]] = {}
    if not dataset.distinct:
        for one in dataset.scenarios:
            picked = chain.from_iterable(map(pick, stand(one, one.cases, store)))
            found[one.name] = list(islice(picked, n))
    if sum(map(len, found.values())) < n:
        found = {one.name: [] for one in dataset.scenarios}
        for outcome in settle(dataset, store, {}):
            mine = found[outcome.scenario.name]
            mine += pick(outcome)[: n - len(mine)]
    turns = zip_longest(*found.values())
    return [one for turn in turns for one in turn if one is not None][:n]


def made(
    scenario: ScenarioPlan,
    cases: Cases,
    held: dict[Key, list[Completion]],
    positions: Sequence[int] | None = None,
) -> list[Outcome]:
    """These cases with what is held for each, not yet judged; reserves have no positions."""
    return [
        Outcome(scenario, one, key, combination, leader, size, position, held=held.get(key, []))
        for one, key, combination, leader, size, position in zip(
            scenario.make(cases.index, cases.occurrence),
            cases.keys(0, len(cases)),
            cases.index.tolist(),
            cases.leaders.tolist(),
            cases.sizes.tolist(),
            [-1] * len(cases) if positions is None else positions,
            strict=True,
        )
    ]


def _judged(
    scenario: ScenarioPlan,
    cases: Cases,
    held: dict[Key, list[Completion]],
    positions: Sequence[int] | None = None,
) -> list[Outcome]:
    outcomes = made(scenario, cases, held, positions)
    with alarm() as limit:
        for outcome in outcomes:
            for answer in outcome.held:
                outcome.take(answer, limit)
                if outcome.row is not None:
                    break
    return outcomes


def select(cases: Cases, combinations: set[int]) -> Cases:
    """Those of the cases whose combination is among these."""
    return cases.take(np.isin(cases.index, np.fromiter(combinations, np.int64, len(combinations))))
