"""plan: what a run would ask, what is held, and what it may cost. No call is made."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from builder import store, text
from builder.plan import graph
from builder.plan.planned import Planned
from builder.plan.plans import Plan
from builder.project.settings import Budget, Project
from builder.results import estimates, levels, settle
from builder.store import Store
from builder.verbs import result, scope


@dataclass(slots=True, repr=False)
class PlanResult(result.Result, estimates.Estimate):
    """What a run of some scenarios would ask; one record a scenario.

    `wanted` are the rows that the files ask for, `to_ask` those that a run would ask for, and
    `usd` is what that may cost: None where a price is unknown.
    """

    plan: Plan = field(kw_only=True)

    @property
    def held(self) -> int:
        """Rows that the store holds already."""
        return sum(line.held for line in self.lines)

    @property
    def modules(self) -> list[str]:
        """The file names of the schemas that were loaded: planning runs their code."""
        return sorted({scenario.scenario.schema.file.name for scenario in self.plan.scenarios()})

    @property
    def expensive(self) -> bool:
        """Whether the price is above the one that the project wants to confirm."""
        limit = Budget.parse(self.plan.project.settings.confirm_above).usd
        return self.usd is not None and limit is not None and self.usd > limit

    def requests(self, number: int) -> Iterator[Planned]:
        """The first so many planned cases of each scenario, each with its rendered request."""
        for scenario in self.plan.scenarios():
            cases = scenario.cases
            yield from scenario.make(cases.index[:number], cases.occurrence[:number])

    def graph(self, *, mermaid: bool = False) -> str:
        """What is made from what, with rows wanted and held: as text, or for a Markdown page."""
        held = {line.scenario: line.held for line in self.lines}
        draw = graph.mermaid if mermaid else graph.text
        return draw(list(self.plan.scenarios()), held)

    def drift(self) -> list[str]:
        """Lines on planned draws that drift from their table by more than somebody expects."""
        settings = [self.plan.project.dataset_settings(d.name).expect for d in self.plan.datasets]
        words = [scenario.scenario.words.expect for scenario in self.plan.scenarios()]
        if not any("drift" in expected for expected in (*settings, *words)):
            return []
        from builder.quality import drawn  # most plans do without what gates import

        return drawn.notes(self.plan)

    def summary(self) -> str:
        cost = "price unknown" if self.usd is None else f"about {text.money(self.usd)} usd"
        return (
            f"{text.counted(self.wanted, 'row')}: {self.held:,} held, {self.to_ask:,} to ask, "
            f"{cost}"
        )

    def records(self) -> Iterator[Mapping[str, object]]:
        return (line._asdict() for line in self.lines)


def estimate(
    plan: Plan, answers: Store, *, whole: bool, settled: settle.Settlements | None = None
) -> PlanResult:
    """A plan against an open store; `settled` are finished walks over its datasets.

    `whole` tells that every scenario of the project is planned.
    """
    compared = estimates.make(plan, answers, whole=whole, settled=settled)
    return PlanResult(compared.lines, compared.unplanned, compared.settlements, plan=plan)


def make(
    folder: str | Path,
    scenarios: Sequence[str] = (),
    *,
    rows: int | None = None,
    model: str | None = None,
) -> PlanResult:
    """What a run of these scenarios would ask, all when none is named.

    Raises InputError for whatever is wrong in a file, a setting or an argument.
    """
    project = Project.find(folder)
    with store.reading(project.store) as answers:
        changed = scope.overrides(rows=rows, model=model)
        plan, settled = levels.plan(project, scenarios, changed, answers)
        return estimate(plan, answers, whole=not scenarios, settled=settled)
