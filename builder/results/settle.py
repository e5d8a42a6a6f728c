"""What a plan and a store amount to: one walk over a dataset, cases in, rows and gaps out.

The walk is: every planned case in plan order, then the reserves of level 0, 1, … that spent
cases called up. Where rows are compared with one another it goes in rounds: all first tries are
judged, then all second ones, and so on, the same for each level, and at last the further tries
that a run was told to allow. A row is refused when it is near to one accepted before it in that
order (level, try, scenario, plan position), whichever arrived first. So in both cases the
verdicts follow from plan and store alone.

A walk has one chunk of cases in memory, a number for each open case, and a count for each
combination with a spent case, however long the plan; rounds keep the refused cases of one level.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, compress, count, islice, zip_longest
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from builder.plan.cases import Cases
from builder.plan.planned import CHUNK, ScenarioPlan
from builder.plan.plans import DatasetPlan
from builder.project.words import NOBODY
from builder.records import Completion, Key
from builder.results import judgement
from builder.results.further import FurtherTries
from builder.results.judgement import NO_REVIEWS, Judgement, Reviews
from builder.results.reserves import Reserves
from builder.results.step import Standing
from builder.results.tally import Tallies, Tally
from builder.store import Store

T = TypeVar("T")

# The combination of rows that a pool lacks from the beginning.
NOWHERE = -1

Group = tuple[str, int]  # Scenario and combination number.


class OpenCases(NamedTuple):
    """Some cases of one scenario that want an answer."""

    part: int
    """The number of the scenario in its dataset."""
    cases: Cases


class Settlement:
    """How the cases of one dataset stand: iterate once, and the counts fill as it goes."""

    def __init__(self, dataset: DatasetPlan, store: Store, reviews: Reviews = NO_REVIEWS) -> None:
        self.dataset = dataset
        self.reserves = [Reserves(dataset, number) for number in range(len(dataset.scenarios))]
        self.tallies: Tallies = {part.name: Tally(wanted=part.wanted) for part in dataset.scenarios}
        self.accepted: Counter[str] = Counter()  # Scenario to rows accepted so far.
        # What further tries would go to; not where rows are compared.
        self.further = [FurtherTries(part) for part in dataset.scenarios]
        # Spent cases that further tries are held or allowed for, where rows are compared.
        self._spent: dict[Group, list[Standing]] = {}
        self._store = store
        self._reviews = reviews
        self._distinct = dataset.distinct
        self._numbers = {part.name: number for number, part in enumerate(dataset.scenarios)}
        self._open: list[tuple[int, int, NDArray[np.int64]]] = []

    def __iter__(self) -> Iterator[Standing]:
        """The cases that hold answers, each once, as far as its answers settle it."""
        with judgement.of_schemas(self._reviews) as judging:
            for case, _ in self._walk(judging, whole=False):
                tally = self.tallies[case.part.name]
                tally.add(case)
                if self._distinct:
                    tally.add_similar(case)
                yield case
        for part, reserves in zip(self.dataset.scenarios, self.reserves, strict=True):
            # A copy: a run that goes on from here calls up more reserves.
            tally = self.tallies[part.name]
            tally.short = dict(reserves.short)
            if part.unmade:
                tally.short[NOWHERE] = part.unmade
            tally.refused = reserves.refused

    def every(self) -> Iterator[Standing]:
        """Every case that is planned or was called up, those without any answer too."""
        with judgement.of_schemas(self._reviews) as judging:
            for case, _ in self._walk(judging, whole=True):
                yield case

    def again(self) -> Settlement:
        """The same settlement, not yet walked."""
        return Settlement(self.dataset, self._store, self._reviews)

    def exhaust(self) -> Settlement:
        """This settlement, walked to its end for the counts alone."""
        for _ in self:
            pass
        return self

    def number(self, part: ScenarioPlan) -> int:
        """The number of a scenario in the dataset."""
        return self._numbers[part.name]

    def open_cases(self) -> Iterator[OpenCases]:
        """The open cases that a finished walk left, planned ones first; not where rows are compared."""
        for number, level, rows in self._open:
            planned = self.dataset.scenarios[number].cases
            cases = planned if level < 0 else self.dataset.reserve(level)[number]
            yield OpenCases(number, cases.take(rows))

    def missing_round(
        self, judging: Judgement, wanted: frozenset[str], left: set[Key]
    ) -> Iterator[Standing]:
        """The cases of the first round that lacks answers, each to be asked once.

        Those in `left` were asked in vain and hold nothing up; scenarios that are not wanted hold
        nothing up. `judging` is the run's: while a round is open it judges the answers that come,
        too, and a second limit of time would take the place of its own.
        """
        blocked: int | None = None
        for case, number in self._walk(judging, whole=True):
            if blocked is not None and number > blocked:
                return
            if case.open and case.part.name in wanted and case.next_key not in left:
                blocked = number
                yield case

    def _walk(self, judging: Judgement, *, whole: bool) -> Iterator[tuple[Standing, int]]:
        """Every case when it is settled or lacks an answer, with the number of its round.

        `whole` makes the cases without any answer too; else they are only counted.
        """
        rounds = max(part.tries for part in self.dataset.scenarios) if self._distinct else 1
        judging = judgement.of_dataset(self.dataset, judging)
        before = 0
        # What stands on other scenarios of the dataset comes when those are settled.
        for depth in sorted({part.scenario.depth for part in self.dataset.scenarios}):
            for level in count(-1):
                cases = self._level(level, depth)
                if cases is None:
                    break
                waiting: Iterable[Standing] = self._standings(cases, level, whole=whole)
                for number in range(rounds):
                    refused: list[Standing] = []
                    for case in self._round(waiting, refused, judging):
                        yield case, before + (level + 1) * rounds + number
                    waiting = refused
            before += (level + 1) * rounds
            if self._distinct:
                yield from self._further(judging, before)
                before += 2

    def _round(
        self, waiting: Iterable[Standing], refused: list[Standing], judging: Judgement
    ) -> Iterator[Standing]:
        """Judges the cases: one answer of each where rows are compared, else all that there are.

        Those that are refused with tries left go to `refused`, for the next round.
        """
        for case in waiting:
            if case.tried >= len(case.held):
                yield case
                continue
            self._judge(case, judging)
            if self._distinct and case.row is not None:
                yield case
                continue
            number = self._numbers[case.part.name]
            spent = case.spent
            if spent:
                self.reserves[number].call_up(case)
            if not self._distinct:
                if self.further[number].allowed and not case.open:
                    self.further[number].close(case)
                yield case
            elif not spent:
                refused.append(case)
            elif case.part.limit > case.part.tries or len(case.held) > case.tried:
                self._spent.setdefault((case.part.name, case.combination), []).append(case)
            else:
                yield case

    def _judge(self, case: Standing, judging: Judgement) -> None:
        case.take_held(judging, 1 if self._distinct else None)
        if case.row is not None:
            self.accepted[case.part.name] += 1

    def _level(self, level: int, depth: int) -> list[Cases] | None:
        """The cases of a level by scenario: all planned ones, or the reserves that were called up;
        none of scenarios of another depth. None behind the last level."""
        here = [part.scenario.depth == depth for part in self.dataset.scenarios]
        pairs = list(zip(self.dataset.scenarios, self.reserves, here, strict=True))
        if level < 0:
            return [part.cases if among else part.cases.none() for part, _, among in pairs]
        if not any(reserves.reaches(level) for _, reserves, among in pairs if among):
            return None
        return [
            reserves.at(level) if among else part.cases.none() for part, reserves, among in pairs
        ]

    def _standings(self, cases: list[Cases], level: int, *, whole: bool) -> Iterator[Standing]:
        for number, part in enumerate(cases):
            for start in range(0, len(part), CHUNK):
                rows = np.arange(start, min(start + CHUNK, len(part)))
                yield from self._chunk(number, level, part.take(rows), start, whole=whole)

    def _chunk(
        self, number: int, level: int, cases: Cases, start: int, *, whole: bool
    ) -> Iterator[Standing]:
        part = self.dataset.scenarios[number]
        keys = cases.keys(0, CHUNK)
        tries = held(part, self._store, keys)
        positions = list(range(start, start + len(cases))) if level < 0 else [-1] * len(cases)
        if whole:
            yield from standings(part, cases, tries, positions)
            return
        have = np.array([key in tries for key in keys], dtype=bool)
        tally = self.tallies[part.name]
        tally.open += int((~have).sum())
        tally.open_bytes += int(cases.sizes[~have].sum(dtype=np.int64))
        open_rows = ~have
        if tries:
            with_answers = standings(part, cases.take(have), tries, list(compress(positions, have)))
            yield from with_answers
            # They were judged while they were handed out.
            open_rows[have] = [case.open for case in with_answers]
        if not self._distinct and open_rows.any():
            self._open.append((number, level, self._rows(number, level, cases, open_rows, start)))

    def _rows(
        self, number: int, level: int, cases: Cases, chosen: NDArray[np.bool_], start: int
    ) -> NDArray[np.int64]:
        """Where these cases of a chunk stand in their whole level."""
        if level < 0:
            return start + np.flatnonzero(chosen)
        index = cases.index[chosen]
        return np.flatnonzero(np.isin(self.dataset.reserve(level)[number].index, index))

    def _further(self, judging: Judgement, number: int) -> Iterator[tuple[Standing, int]]:
        """Tries beyond the scenario's own for combinations that are short, one at a time each."""
        while True:
            judged = False
            for (name, combination), cases in self._spent.items():
                short = self.reserves[self._numbers[name]].short
                case = next((case for case in cases if case.tried < len(case.held)), None)
                if case is None or not short.get(combination, 0):
                    continue
                judged = True
                case.raised = True
                self._judge(case, judging)
                if case.row is not None:
                    cases.remove(case)
                    short[combination] -= 1
                    yield case, number
            if not judged:
                break
        for (name, combination), cases in self._spent.items():
            short = self.reserves[self._numbers[name]].short
            if not short.get(combination, 1):
                del short[combination]
            first = next((case for case in cases if case.tried < case.part.limit), None)
            for case in cases:
                case.raised = case is first and short.get(combination, 0) > 0
                yield case, number + 1


Settlements = dict[str, Settlement]  # Dataset to how its cases stand.


def settle(dataset: DatasetPlan, store: Store, reviews: Reviews = NO_REVIEWS) -> Settlement:
    """The settlement of a dataset, not yet walked."""
    return Settlement(dataset, store, reviews)


def standings(
    part: ScenarioPlan,
    cases: Cases,
    tries: dict[Key, list[Completion]],
    positions: Sequence[int],
) -> list[Standing]:
    """These cases with what is held for each, not yet judged; reserves have the position -1."""
    return [
        Standing(part, planned, key, combination, size, position, tries.get(key, ()))
        for planned, key, combination, size, position in zip(
            part.make(cases.index, cases.occurrence),
            cases.keys(0, len(cases)),
            cases.index.tolist(),
            cases.sizes.tolist(),
            positions,
            strict=True,
        )
    ]


def held(part: ScenarioPlan, store: Store, keys: Sequence[Key]) -> dict[Key, list[Completion]]:
    """The answers to these keys of a scenario by their tries; an empty one where nobody is asked,
    for every field is filled or computed then."""
    if part.asks:
        return store.tries(keys)
    return {key: [Completion(key, "{}", NOBODY, mode=NOBODY, usd=0.0)] for key in keys}


def judged(
    part: ScenarioPlan, cases: Cases, store: Store, judging: Judgement
) -> Iterator[Standing]:
    """Each of these cases with its held answers judged one by one, in their order."""
    for start in range(0, len(cases), CHUNK):
        chunk = cases.take(np.arange(start, min(start + CHUNK, len(cases))))
        tries = held(part, store, chunk.keys(0, CHUNK))
        for case in standings(part, chunk, tries, [-1] * len(chunk)):
            case.take_held(judging)
            yield case


def first(
    dataset: DatasetPlan, store: Store, n: int, pick: Callable[[Standing], Sequence[T]]
) -> list[T]:
    """The first n of what `pick` finds in the dataset's cases, a turn for each scenario.

    Where the planned cases hold enough, no more of them are read than it takes.
    """
    picked: dict[str, list[T]] = {}
    if not dataset.distinct:
        with judgement.of_schemas() as judging:
            for part in dataset.scenarios:
                cases = judged(part, part.cases, store, judging)
                picked[part.name] = list(islice(chain.from_iterable(map(pick, cases)), n))
    if sum(map(len, picked.values())) < n:
        picked = {part.name: [] for part in dataset.scenarios}
        for case in settle(dataset, store):
            items = picked[case.part.name]
            items += pick(case)[: n - len(items)]
    turns = chain.from_iterable(zip_longest(*picked.values()))
    return [item for item in turns if item is not None][:n]
