"""Verdicts where rows are held against one another: in the order (try, scenario, plan position).

All first tries are judged, then all second ones, and so on; then the same for each level of
reserves, and at last the further tries that a run was told to allow. A row is refused when it
is near to one accepted before it in that order, whichever arrived first. So the verdicts are
a pure function of plan and store here too, at the price of a barrier: a round is asked for
only when the round before is whole.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from builder.limits import alarm
from builder.plan.cases import Cases
from builder.plan.plans import CHUNK, DatasetPlan, ScenarioPlan
from builder.records import Key, Row
from builder.results import outcomes, similar
from builder.results.outcomes import Outcome, Tallies, Tally
from builder.results.validate import Alarm
from builder.store import Store

Group = tuple[str, int]
"""Scenario and combination number."""


@dataclass(slots=True)
class Rounds:
    """One walk over a dataset's cases, round by round."""

    dataset: DatasetPlan
    store: Store
    tallies: Tallies = field(default_factory=dict)
    accepted: int = 0
    """Rows that the walk has accepted so far."""
    _likeness: similar.Likeness | None = None
    _called: dict[Group, int] = field(default_factory=dict)
    _spent: dict[Group, list[Outcome]] = field(default_factory=dict)

    def settled(self) -> Iterator[Outcome]:
        """The cases that hold answers, each once, as far as its answers settle it."""
        for outcome, _ in self._walk(whole=False):
            tally = self.tallies[outcome.scenario.name]
            tally.add(outcome)
            if outcome.row is not None:
                tally.rows.add(outcome.row.key)
            tally.similar |= {r.key: r.reason for r in outcome.rejects if r.stage == "similar"}
            yield outcome

    def missing(self, wanted: frozenset[str], left: set[Key]) -> Iterator[Outcome]:
        """The cases of the first round that lacks answers, each to be asked once. Those in `left`
        were asked in vain and hold nothing up; scenarios that are not wanted hold nothing up."""
        blocked: int | None = None
        for outcome, number in self._walk(whole=True):
            if blocked is not None and number > blocked:
                return
            asked = outcome.open and outcome.scenario.name in wanted
            if asked and outcome.next_key not in left:
                blocked = number
                outcome.once = True
                yield outcome

    def _walk(self, *, whole: bool) -> Iterator[tuple[Outcome, int]]:
        """Every case when it is settled or lacks an answer, with the number of its round.

        `whole` makes the cases without any answer too; else they are only counted.
        """
        self._likeness = similar.likeness(self.dataset)
        tries = max(scenario.tries for scenario in self.dataset.scenarios)
        with alarm() as limit:
            for level in range(-1, 10**6):
                cases = self._level(level)
                if not any(len(part) for part in cases):
                    break
                waiting: Iterable[Outcome] = self._made(cases, planned=level < 0, whole=whole)
                for number in range(tries):
                    rest: list[Outcome] = []
                    yield from self._round(waiting, rest, limit, (level + 1) * tries + number)
                    waiting = rest
            yield from self._further(limit, (level + 1) * tries)

    def _round(
        self, waiting: Iterable[Outcome], rest: list[Outcome], limit: Alarm, number: int
    ) -> Iterator[tuple[Outcome, int]]:
        """Judges one answer of each case; those refused with tries left go to `rest`."""
        for outcome in waiting:
            if outcome.tried >= len(outcome.held):
                yield outcome, number
                continue
            self._judge(outcome, limit)
            if outcome.row is not None:
                yield outcome, number
            elif outcome.spent:
                group = (outcome.scenario.name, outcome.combination)
                self._called[group] = self._called.get(group, 0) + 1
                if (
                    outcome.scenario.limit > outcome.scenario.tries
                    or len(outcome.held) > outcome.tried
                ):
                    self._spent.setdefault(group, []).append(outcome)
                else:
                    yield outcome, number
            else:
                rest.append(outcome)

    def _judge(self, outcome: Outcome, limit: Alarm) -> None:
        answer = outcome.held[outcome.tried]
        found = outcome.take(answer, limit)
        if isinstance(found, Row):
            assert self._likeness is not None
            refused = self._likeness.refused(outcome.scenario, found, answer.text)
            if refused is not None:
                outcome.row = None
                outcome.rejects.append(refused)
        self.accepted += outcome.row is not None

    def _made(self, cases: list[Cases], *, planned: bool, whole: bool) -> Iterator[Outcome]:
        for scenario, part in zip(self.dataset.scenarios, cases, strict=True):
            tally = self.tallies.setdefault(scenario.name, Tally(wanted=len(scenario.cases)))
            for start in range(0, len(part), CHUNK):
                some = part.take(np.arange(start, min(start + CHUNK, len(part))))
                positions = range(start, start + len(some)) if planned else None
                yield from self._chunk(scenario, some, tally, positions, whole=whole)

    def _chunk(
        self,
        scenario: ScenarioPlan,
        some: Cases,
        tally: Tally,
        positions: Sequence[int] | None,
        *,
        whole: bool,
    ) -> list[Outcome]:
        keys = some.keys(0, CHUNK)
        held = self.store.tries(keys)
        if whole:
            return outcomes.made(scenario, some, held, positions)
        have = np.array([key in held for key in keys], dtype=bool)
        tally.open += int((~have).sum())
        tally.open_bytes += int(some.sizes[~have].sum(dtype=np.int64))
        if positions is not None:
            positions = list(itertools.compress(positions, have.tolist()))
        return outcomes.made(scenario, some.take(have), held, positions)

    def _level(self, level: int) -> list[Cases]:
        """The cases of a level: all planned ones, or the reserves that were called up."""
        if level < 0:
            return [scenario.cases for scenario in self.dataset.scenarios]
        if not any(count > level for count in self._called.values()):
            return [part.take(np.empty(0, np.int64)) for part in self._level(-1)]
        found = []
        for scenario, part in zip(self.dataset.scenarios, self.dataset.reserve(level), strict=True):
            groups = {
                c for (name, c), n in self._called.items() if name == scenario.name and n > level
            }
            some = outcomes.select(part, groups)
            found.append(some)
            for lost in groups.difference(some.index.tolist()):
                tally = self.tallies[scenario.name]
                tally.short[lost] = self._called[scenario.name, lost] - level
                self._called[scenario.name, lost] = level
        return found

    def _further(self, limit: Alarm, number: int) -> Iterator[tuple[Outcome, int]]:
        """Tries beyond the scenario's own for combinations that are short, one at a time each."""
        while True:
            asked = False
            for group, waiting in self._spent.items():
                lacking = self.tallies[group[0]].short.get(group[1], 0)
                chosen = next((one for one in waiting if one.tried < len(one.held)), None)
                if chosen is None or not lacking:
                    continue
                asked = True
                chosen.raised = True
                self._judge(chosen, limit)
                if chosen.row is not None:
                    waiting.remove(chosen)
                    self.tallies[group[0]].short[group[1]] = lacking - 1
                    yield chosen, number
            if not asked:
                break
        for group, waiting in self._spent.items():
            short = self.tallies[group[0]].short
            if not short.get(group[1], 1):
                del short[group[1]]
            first = next((one for one in waiting if one.tried < one.scenario.limit), None)
            for outcome in waiting:
                outcome.raised = outcome is first and short.get(group[1], 0) > 0
                yield outcome, number + 1
