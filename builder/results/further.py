"""More tries for combinations that stay short, where a run was told to allow them.

They go one at a time, the lowest occurrence first, once no other case of the combination is
open, so that here too the rows follow from the answers alone.
"""

from dataclasses import dataclass, field

from builder.plan.planned import ScenarioPlan
from builder.results.step import Standing


@dataclass(slots=True)
class FurtherTries:
    """The closed cases of one scenario, by combination; nothing is kept where none may be raised."""

    part: ScenarioPlan
    closed: dict[int, int] = field(default_factory=dict)
    """Combination number to its cases that have a row or are spent."""
    accepted: dict[int, int] = field(default_factory=dict)
    """Combination number to its rows."""
    spent: dict[int, list[Standing]] = field(default_factory=dict)
    """Combination number to the cases that tries are left for."""
    _planned: dict[int, int] = field(default_factory=dict)

    @property
    def allowed(self) -> bool:
        """Whether the run allows more tries than the scenario does."""
        return self.part.limit > self.part.tries

    def close(self, case: Standing) -> None:
        """Notes a case that has a row or is spent, the first time and after further tries."""
        if not self.allowed:
            return
        combination = case.combination
        self.accepted[combination] = self.accepted.get(combination, 0) + (case.row is not None)
        if not case.raised:
            self.closed[combination] = self.closed.get(combination, 0) + 1
        waiting = self.spent.setdefault(combination, [])
        if case.row is None and case.tried < case.part.limit:
            waiting.append(case)

    def next(self, combination: int) -> Standing | None:
        """The case that is tried further now; None where none is, or others come first."""
        if not self.allowed:
            return None
        self._planned = self._planned or self.part.planned_counts()
        wanted = self._planned[combination]
        closed, accepted = self.closed.get(combination, 0), self.accepted.get(combination, 0)
        waiting = self.spent.get(combination)
        if not waiting or accepted >= wanted or closed < wanted + max(3, wanted):
            return None
        case = min(waiting, key=lambda case: case.planned.case.occurrence)
        waiting.remove(case)
        case.raised = True
        return case
