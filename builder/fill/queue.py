"""Which case is asked for next: the plan's in their order, behind those that others called up."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from builder.plan.plans import DatasetPlan, Plan
from builder.records import Key
from builder.results import outcomes
from builder.results.outcomes import Called, Outcome
from builder.results.rounds import Rounds
from builder.store import Store


class Feed:
    """Hands cases to workers until none is left and none can come."""

    def __init__(
        self,
        plan: Plan,
        store: Store,
        flush: Callable[[], None] = lambda: None,
        judged: Callable[[int], None] = lambda more: None,
    ) -> None:
        """`flush` puts every answer so far into the store before a round is judged; `judged` hears
        how many rows more a round has accepted."""
        self._plan = plan
        self._store = store
        self._reserves: dict[str, Reserve] = {}
        self._flush = flush
        self._judged = judged
        self._left: set[Key] = set()
        self._barrier = False
        self._stream = self._open()
        self._ready: deque[Outcome] = deque()
        self._flying = 0
        self._closed = False
        # Guards the four above: a worker that finds nothing waits for another to finish.
        self._changed = asyncio.Condition()

    def _open(self) -> Iterator[Outcome | None]:
        """The cases to ask for; None where those before must be answered first."""
        for dataset in self._plan.datasets:
            if dataset.distinct:
                yield from self._rounds(dataset)
                continue
            for position, scenario in enumerate(dataset.scenarios):
                if scenario.name not in self._plan.wanted:
                    continue
                reserve = Reserve(dataset, position, self._store)
                self._reserves[scenario.name] = reserve
                for outcome in outcomes.stand(scenario, scenario.cases, self._store):
                    found = outcome if outcome.open else reserve.after(outcome)
                    if found is not None:
                        yield found

    def _rounds(self, dataset: DatasetPlan) -> Iterator[Outcome | None]:
        """Round after round, until one lacks nothing that can be had."""
        asked, before = True, None
        while asked:
            asked = False
            rounds = Rounds(dataset, self._store)
            for outcome in rounds.missing(self._plan.wanted, self._left):
                asked = True
                yield outcome
            self._judged(0 if before is None else rounds.accepted - before)
            before = rounds.accepted
            yield None

    async def take(self) -> Outcome | None:
        """The next case that wants an answer; None when the run is done."""
        async with self._changed:
            while not self._closed:
                found = self._next()
                if found is not None:
                    self._flying += 1
                    return found
                if self._barrier and self._flying == 0:
                    self._flush()
                    self._barrier = False
                    self._changed.notify_all()  # the next round is for all who wait
                    continue
                if self._flying == 0:
                    self._closed = True
                    self._changed.notify_all()
                    break
                await self._changed.wait()
        return None

    def _next(self) -> Outcome | None:
        if self._ready:
            return self._ready.popleft()
        if self._barrier:
            return None
        for found in self._stream:
            self._barrier = found is None
            return found
        return None

    async def give_back(self, outcome: Outcome) -> None:
        """A taken case is finished with; one that is settled may call up another."""
        async with self._changed:
            self._flying -= 1
            if outcome.once:
                if outcome.tried == len(outcome.held):
                    self._left.add(outcome.next_key)
            elif not outcome.open:
                more = self._reserves[outcome.scenario.name].after(outcome)
                if more is not None:
                    self._ready.append(more)
                    self._changed.notify()
            if self._flying == 0:
                self._changed.notify_all()

    async def close(self) -> None:
        """No more cases for anybody."""
        async with self._changed:
            self._closed = True
            self._changed.notify_all()


@dataclass(slots=True)
class Reserve:
    """What follows the settled cases of one scenario: the reserve occurrences that spent ones call
    up and, where a run was told to try harder, more tries once a combination has none left.

    Those further tries go one at a time, the lowest occurrence first, so that here too the rows
    follow from the answers alone.
    """

    dataset: DatasetPlan
    position: int
    """Which of the dataset's scenarios."""
    store: Store
    called: Called = field(default_factory=Called)
    places: list[dict[int, int]] = field(default_factory=list)
    """For each level, combination number to its row in the level."""
    settled: dict[int, list[Outcome]] = field(default_factory=dict)
    """Combination number to its settled cases; kept only where further tries are allowed."""
    planned: dict[int, int] = field(default_factory=dict)

    def after(self, outcome: Outcome) -> Outcome | None:
        """The case to ask for now that this one is settled; None where there is none."""
        current: Outcome | None = outcome
        while current is not None and not current.open:
            self._note(current)
            current = self._called_up(current) if current.spent and not current.raised else None
        return current or self._harder(outcome)

    def _called_up(self, outcome: Outcome) -> Outcome | None:
        level = self.called.up(outcome)
        cases = self.dataset.reserve(level)[self.position]
        while len(self.places) <= level:
            known = self.dataset.reserve(len(self.places))[self.position].index.tolist()
            self.places.append({combination: row for row, combination in enumerate(known)})
        row = self.places[level].get(outcome.combination)
        if row is None:
            return None
        one = cases.take(np.array([row]))
        return next(outcomes.stand(outcome.scenario, one, self.store), None)

    def _note(self, outcome: Outcome) -> None:
        if outcome.scenario.limit > outcome.scenario.tries and not outcome.raised:
            self.settled.setdefault(outcome.combination, []).append(outcome)

    def _harder(self, outcome: Outcome) -> Outcome | None:
        scenario = outcome.scenario
        if scenario.limit <= scenario.tries:
            return None
        self.planned = self.planned or scenario.planned_counts()
        wanted = self.planned[outcome.combination]
        settled = self.settled.get(outcome.combination, [])
        if len(settled) < wanted + max(3, wanted):
            return None  # others of this combination are under way, or come later in the plan
        if sum(one.row is not None for one in settled) >= wanted:
            return None
        settled.sort(key=lambda one: one.planned.case.occurrence)
        for one in settled:
            if one.row is None and one.tried < scenario.limit:
                one.raised = True
                return one
        return None
