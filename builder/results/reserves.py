"""Exactly N: which reserve a spent case calls up, and which rows cannot be had.

The rows of a combination are the first n accepted of its occurrences 0, 1, 2, … Each case that
spends its tries calls up the next occurrence, to at most n + max(3, n). So how many were spent
says which were called up, in whatever order the answers came.
"""

import numpy as np
from numpy.typing import NDArray

from builder.plan.cases import Cases
from builder.plan.planned import ScenarioPlan
from builder.plan.plans import DatasetPlan
from builder.results.step import Standing


class Reserves:
    """The reserves of one scenario, level by level."""

    def __init__(self, dataset: DatasetPlan, part: int) -> None:
        """`part` is the number of the scenario in its dataset."""
        self._dataset = dataset
        self._part = part
        # Combination number to the levels that were called up: all below this one.
        self.called: dict[int, int] = {}
        # Combination number to the rows that it lacks and has no reserve for.
        self.short: dict[int, int] = {}
        # Spent cases that have no other question left, where no number promises them.
        self.refused = 0
        # For each level the order that sorts its combination numbers.
        self._sorted: list[NDArray[np.int64]] = []
        # Combination number to the requests of its spent cases, and to the levels that are left out
        # for they would ask one of them again; where rows are made from rows.
        self._spent: dict[int, set[bytes]] = {}
        self._left_out: dict[int, set[int]] = {}

    @property
    def scenario(self) -> ScenarioPlan:
        return self._dataset.scenarios[self._part]

    def call_up(self, spent: Standing) -> Cases | None:
        """The reserve case that a spent case calls up; None: a row is short, or refused for good."""
        combination, feed = spent.combination, self.scenario.feed
        if feed is not None:
            self._spent.setdefault(combination, set()).add(spent.first.digest)
        while True:
            level = self.called.get(combination, 0)
            cases = self._level(level)
            row = self._row(level, combination)
            if row is None:
                if feed is not None and not feed.pooled:
                    self.refused += 1
                else:
                    self.short[combination] = self.short.get(combination, 0) + 1
                return None
            self.called[combination] = level + 1
            case = cases.take(np.array([row]))
            if feed is None or case.digests.tobytes() not in self._spent[combination]:
                return case
            self._left_out.setdefault(combination, set()).add(level)

    def replaced(self, combination: int) -> int:
        """How many cases were called up for spent ones of a combination."""
        left_out = self._left_out.get(combination, ())
        return self.called.get(combination, 0) - len(left_out)

    def reaches(self, level: int) -> bool:
        """Whether a case of this level or of one behind it was called up."""
        return any(levels > level for levels in self.called.values())

    def at(self, level: int) -> Cases:
        """The cases of a level that were called up, in the order of the level."""
        called = [
            combination
            for combination, levels in self.called.items()
            if levels > level and level not in self._left_out.get(combination, ())
        ]
        if not called:
            return self.scenario.cases.none()
        cases = self._level(level)
        return cases.take(np.isin(cases.index, np.array(called, np.int64)))

    def _level(self, level: int) -> Cases:
        return self._dataset.reserve(level)[self._part]

    def _row(self, level: int, combination: int) -> int | None:
        index = self._level(level).index
        while len(self._sorted) <= level:
            numbers = self._level(len(self._sorted)).index
            self._sorted.append(np.argsort(numbers, kind="stable"))
        order = self._sorted[level]
        at = int(np.searchsorted(index, combination, sorter=order))
        if at == len(index) or index[order[at]] != combination:
            return None
        return int(order[at])
