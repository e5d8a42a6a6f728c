"""The laws of plan and results on toy values: what the product must amount to, said plainly.

No store, no chunks, no speed: every question walks all cases anew. A combination is a tuple of
(axis, value) pairs, a request the text that is sent, an answer a text. The laws:

- Spread: occurrence k of combination c has priority (k + u(c)) / w(c); the plan is the N smallest.
- Repeats: identical requests of a dataset are numbered, scenario after scenario by name, each in
  plan order, the reserves behind, level by level. A key is (request, repeat, try).
- Exactly N: a combination with n rows planned has its occurrences 0 .. n - 1, and each case that
  has spent its tries calls up the next one, of at most max(3, n) in reserve.
- Further tries (`run --tries`): a combination that is short with all its reserves spent may ask
  on, one case at a time, the lowest occurrence first.
- Rounds: where rows are compared with one another, answers are judged in the order (level, try,
  scenario, position), and a round is asked for only when the one before it is whole.
- Splits: a case stands where its number falls, which follows from its combination and occurrence.

Rows that are made from rows have laws of their own, in tests/model_chains.py: a derived case is known
by (scenario, id, axes, occurrence), keys hang on printed text alone, repeats are numbered by dataset
and level, levels fill in order, and a total takes its rows from pools.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

Combination = tuple[tuple[str, str], ...]
Group = tuple[str, Combination]
"""Scenario and combination: what shares a number of wanted rows."""


class Case(NamedTuple):
    scenario: str
    combination: Combination
    occurrence: int

    @property
    def group(self) -> Group:
        return self.scenario, self.combination


class Key(NamedTuple):
    request: str
    repeat: int
    attempt: int


@dataclass(frozen=True)
class Scenario:
    name: str
    weights: Mapping[Combination, float]
    luck: Mapping[Combination, float]
    """u(c) in (0, 1) for each combination."""
    each: int = 0
    """Rows of each combination, before a total is shared."""
    total: int | None = None
    tries: int = 3
    limit: int = 3
    """The same for a run that is told to try harder; at least `tries`."""
    near: Callable[[str, str], bool] | None = None
    """Whether two texts are too near for both to be rows; None where nobody minds."""
    unlike: tuple[str, ...] = ()
    """Texts that no row may be near to."""
    asks: bool = True
    """Whether anybody is asked; else the repeats of its keys are counted below nothing."""

    def plan(self) -> list[Case]:
        """The planned cases in plan order."""
        combinations = sorted(self.weights, key=lambda c: self.luck[c])
        cases = [Case(self.name, c, k) for k in range(self.each) for c in combinations]
        if self.total is None:
            return cases
        rest = self.total - len(cases)
        by_priority = sorted(
            ((k + self.luck[c]) / self.weights[c], c, k) for c in combinations for k in range(rest)
        )
        return cases + [Case(self.name, c, k + self.each) for _, c, k in by_priority[:rest]]

    def reserve(self, level: int) -> list[Case]:
        """Occurrence n + level of every combination that may have one, as the plan first names
        them."""
        wanted = Counter(case.combination for case in self.plan())
        return [
            Case(self.name, c, n + level) for c, n in wanted.items() if level < reserves_behind(n)
        ]


def reserves_behind(wanted: int) -> int:
    """How many occurrences may be called up behind so many planned ones."""
    return max(3, wanted)


def levels(scenarios: Sequence[Scenario]) -> list[list[Case]]:
    """The planned cases of these scenarios, then their reserves level by level."""
    cases = [[case for scenario in scenarios for case in scenario.plan()]]
    while reserve := [case for s in scenarios for case in s.reserve(len(cases) - 1)]:
        cases.append(reserve)
    return cases


@dataclass(frozen=True)
class Dataset:
    name: str
    scenarios: Sequence[Scenario]
    """In the order of their names."""
    request: Callable[[Case], str]
    accepts: Callable[[Case, str], bool]
    """Whether the schema accepts an answer."""

    def scenario(self, case: Case) -> Scenario:
        return next(s for s in self.scenarios if s.name == case.scenario)

    def keys(self) -> dict[Case, Key]:
        """The key of the first try of every case."""
        repeats: Counter[str] = Counter()
        keys = {}
        for case in itertools.chain(*levels(self.scenarios)):
            request = self.request(case)
            repeat = repeats[request]
            keys[case] = Key(request, repeat if self.scenario(case).asks else -1 - repeat, 0)
            repeats[request] += 1
        return keys


Held = Mapping[Key, str]
"""The answers of a store."""
Wave = tuple[int, int]
"""Level and try: what is asked for waits until all waves before it are whole."""
AT_ONCE = (0, 0)


@dataclass
class Standing:
    """How a case stands by those of its answers that were judged so far."""

    case: Case
    scenario: Scenario
    first: Key
    answers: list[str]
    """Those held for it in the order of its tries, up to the first gap."""
    tried: int = 0
    row: Key | None = None

    @property
    def next_key(self) -> Key:
        return self.first._replace(attempt=self.tried)

    @property
    def last_key(self) -> Key:
        return self.first._replace(attempt=self.tried - 1)

    @property
    def has_more(self) -> bool:
        return self.row is None and self.tried < len(self.answers)

    @property
    def spent(self) -> bool:
        return self.row is None and self.tried >= self.scenario.tries

    @property
    def raisable(self) -> bool:
        """Whether a run that is told to try harder may ask on."""
        return self.spent and self.tried < self.scenario.limit

    @property
    def shown(self) -> str | None:
        """The refused answer that the next call shows the model: every second try is a re-ask."""
        return self.answers[self.tried - 1] if self.tried % 2 else None


@dataclass
class Settled:
    """What a plan and a store amount to."""

    rows: dict[Key, Case] = field(default_factory=dict)
    """In the order of the dataset."""
    refused: dict[Key, str] = field(default_factory=dict)
    """Refused answers, each with the stage: validate or similar."""
    open: list[tuple[Wave, Standing]] = field(default_factory=list)
    """The cases that want an answer."""
    raised: list[tuple[Wave, Standing]] = field(default_factory=list)
    """The spent cases that `run --tries` asks on."""
    short: Counter[Group] = field(default_factory=Counter)
    """Rows that a combination lacks with nothing left to call up."""
    raisable: Counter[Group] = field(default_factory=Counter)
    """Spent cases of a combination that may be asked on."""

    def missing(self, wanted: Collection[str]) -> list[Standing]:
        """The cases that a run of these scenarios asks for next: all of the first open wave."""
        asked = [(w, s) for w, s in [*self.open, *self.raised] if s.scenario.name in wanted]
        first = min((wave for wave, _ in asked), default=AT_ONCE)
        return [standing for wave, standing in asked if wave == first]

    def to_ask(self, scenario: str) -> int:
        """How many rows a run would ask for."""
        short = {group: n for group, n in self.short.items() if group[0] == scenario}
        further = sum(min(n, self.raisable[group]) for group, n in short.items())
        return further + sum(standing.scenario.name == scenario for _, standing in self.open)


def settle(dataset: Dataset, held: Held) -> Settled:
    """What the dataset amounts to with these answers."""
    walk = Walk(dataset, held)
    if any(scenario.near for scenario in dataset.scenarios):
        walk.in_rounds()
    else:
        walk.independently()
    return walk.settled


def fill(
    dataset: Dataset, held: Held, answer: Callable[[Key], str], wanted: Collection[str]
) -> dict[Key, str]:
    """The store when a run of these scenarios misses nothing any more."""
    full = dict(held)
    while missing := settle(dataset, full).missing(wanted):
        full |= {standing.next_key: answer(standing.next_key) for standing in missing}
    return full


@dataclass
class Walk:
    """One judgement of everything that a store holds for a dataset."""

    dataset: Dataset
    held: Held
    settled: Settled = field(default_factory=Settled)
    spent: list[Standing] = field(default_factory=list)
    """In the order in which their tries were used up."""
    spent_of: Counter[Group] = field(default_factory=Counter)
    """How many they were of each combination, when a level began."""

    def independently(self) -> None:
        """Rows are compared with nothing: each case by itself, with all its answers."""
        for _, standings in self.levels():
            for standing in standings:
                while standing.has_more:
                    self.judge(standing)
                self.note(standing, AT_ONCE)
        self.count_short()
        self.raise_limits(AT_ONCE)

    def in_rounds(self) -> None:
        """Rows are compared with one another: all first tries are judged, then all second ones."""
        rounds = max(scenario.tries for scenario in self.dataset.scenarios)
        for level, standings in self.levels():
            waiting = standings
            for attempt in range(rounds):
                refused = []
                for standing in waiting:
                    judged = standing.has_more
                    if judged:
                        self.judge(standing)
                    if judged and standing.row is None and not standing.spent:
                        refused.append(standing)
                    else:
                        self.note(standing, (level, attempt))
                waiting = refused
        self.count_short()
        while self.further_turn():
            pass
        self.raise_limits((len(levels(self.dataset.scenarios)), 0))

    def levels(self) -> Iterator[tuple[int, list[Standing]]]:
        """What is planned, then of each reserve the cases that were called up: a combination has
        one for each of its cases that is spent."""
        keys = self.dataset.keys()
        for level, cases in enumerate(levels(self.dataset.scenarios)):
            self.count_spent()
            yield (
                level,
                [
                    Standing(
                        case, self.dataset.scenario(case), keys[case], self.answers(keys[case])
                    )
                    for case in cases
                    if self.is_called(case, level)
                ],
            )

    def count_spent(self) -> None:
        self.spent_of = Counter(standing.case.group for standing in self.spent)

    def is_called(self, case: Case, level: int) -> bool:
        """Whether a case of this level was called up, one for each spent case before it."""
        return self.spent_of[case.group] >= level

    def answers(self, first: Key) -> list[str]:
        keys = (first._replace(attempt=attempt) for attempt in itertools.count())
        return [self.held[key] for key in itertools.takewhile(self.held.__contains__, keys)]

    def judge(self, standing: Standing) -> None:
        """One more answer of a case becomes its row or is refused."""
        key, answer = standing.next_key, standing.answers[standing.tried]
        near = standing.scenario.near
        others = [self.held[row] for row in self.settled.rows] if near else []
        taken = [*standing.scenario.unlike, *others]
        standing.tried += 1
        if not self.dataset.accepts(standing.case, answer):
            self.settled.refused[key] = "validate"
        elif near and any(near(answer, text) for text in taken):
            self.settled.refused[key] = "similar"
        else:
            standing.row = key
            self.settled.rows[key] = standing.case

    def note(self, standing: Standing, wave: Wave) -> None:
        """A case that got no row from the answers of its round is open or spent."""
        if standing.spent:
            self.spent.append(standing)
        elif standing.row is None:
            self.settled.open.append((wave, standing))

    def count_short(self) -> None:
        wanted = Counter(case.group for case in levels(self.dataset.scenarios)[0])
        spent = Counter(standing.case.group for standing in self.spent)
        for group, count in spent.items():
            self.settled.short[group] = max(0, count - reserves_behind(wanted[group]))

    def further_turn(self) -> bool:
        """Judges one further answer of each combination that is short; whether one was held."""
        judged = False
        for group in dict.fromkeys(standing.case.group for standing in self.spent):
            further = [s for s in self.spent if s.case.group == group and s.has_more]
            if further and self.settled.short[group]:
                self.judge(further[0])
                self.settled.short[group] -= further[0].row is not None
                judged = True
        return judged

    def raise_limits(self, wave: Wave) -> None:
        """A combination that is short and waits for nothing else asks on: one case at a time, the
        lowest occurrence first."""
        busy = {standing.case.group for _, standing in self.settled.open}
        for standing in self.spent:
            group = standing.case.group
            if standing.raisable and self.settled.short[group]:
                if group not in busy and not self.settled.raisable[group]:
                    self.settled.raised.append((wave, standing))
                self.settled.raisable[group] += 1


def number(case: Case) -> float:
    """The number of a planned case among the roots: its combination's plus its occurrence times
    the golden ratio, mod 1."""
    content = json.dumps(
        [case.scenario, sorted(case.combination)], ensure_ascii=False, separators=(",", ":")
    )
    start = int(hashlib.blake2b(content.encode(), digest_size=16).hexdigest()[:12], 16) / 2**48
    return (start + case.occurrence * (5**0.5 - 1) / 2) % 1


def split(case: Case, shares: Mapping[str, float]) -> str:
    """The split of a case: its number, cut by the shares in their order."""
    ends = itertools.accumulate(shares.values())
    u = number(case)
    return next((name for name, end in zip(shares, ends, strict=True) if u < end), list(shares)[-1])


def copies(rows: Mapping[Key, Case], held: Held) -> set[Key]:
    """The rows whose text a case of a smaller number has, too."""
    first: dict[str, float] = {}
    for key, case in rows.items():
        first[held[key]] = min(number(case), first.get(held[key], 1.0))
    return {key for key, case in rows.items() if number(case) > first[held[key]]}
