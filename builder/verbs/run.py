"""run: every row that is missing is asked for, then the datasets are exported.

Plan and store are settled once before the first call and once after the last; where nothing
was asked of a dataset, what was settled before is still true and serves twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from builder import store
from builder.errors import StoreError
from builder.fill.progress import Progress
from builder.plan.plans import Plan
from builder.project.settings import Budget, Project
from builder.records import Key
from builder.results import levels
from builder.results.tally import Tally
from builder.store import Store
from builder.text import akin, counted, model_name, money
from builder.verbs import fills, result, scope
from builder.verbs.fills import Filled, Site
from builder.verbs.monitor import Monitor
from builder.verbs.plan import PlanResult, estimate

if TYPE_CHECKING:
    from builder.dataset.exports import Earlier, Export
    from builder.dataset.files import Format
    from builder.engines.protocol import Engine


@dataclass(frozen=True, slots=True, repr=False)
class FilledResult(result.Result):
    """What was left by runs of some scenarios."""

    scenarios: frozenset[str]  # the scenarios that were to be filled
    # How the cases of each scenario stand now, those of the same datasets among them.
    tallies: Mapping[str, Tally]
    exports: Sequence[Export]  # the datasets' folders; none where nothing was written

    @property
    def asked(self) -> list[Tally]:
        """How the scenarios stand that were to be filled."""
        return [tally for name, tally in self.tallies.items() if name in self.scenarios]

    @property
    def open(self) -> int:
        """Rows that another run would ask for."""
        return sum(tally.open for tally in self.asked)

    @property
    def short(self) -> int:
        """Rows that cannot be had within the tries."""
        return sum(sum(tally.short.values()) for tally in self.asked)

    @property
    def kept(self) -> bool:
        """Whether a folder was left alone, for it holds more rows than it would now."""
        return any(export.kept for export in self.exports)

    @property
    def neighbours(self) -> list[str]:
        """Other scenarios of the same datasets that lack rows."""
        return [n for n, t in self.tallies.items() if n not in self.scenarios and t.to_ask]


@dataclass(frozen=True, slots=True, repr=False)
class RunResult(FilledResult):
    """What a run found, did and left; one record a scenario."""

    before: PlanResult
    """Plan and store before the first call."""
    filled: Filled
    exported: bool
    after: PlanResult
    """Plan and store when the last level was filled."""
    dropped: Sequence[Key]
    """Damaged answers that were dropped from the store, to be asked again."""
    coming: int = 0
    """Rows whose cases hang on rows that are to come."""
    earlier: Sequence[Earlier] = ()
    """What stands in the datasets' folders where they were left alone, whatever the files ask for."""

    @property
    def open(self) -> int:
        """Rows that another run would ask for, those of levels that were not reached among them."""
        return sum(tally.open for tally in self.asked) + self.coming

    @property
    def progress(self) -> Progress:
        return self.filled.progress

    def strangers(self) -> list[tuple[str, str]]:
        """The models that were asked, each with a name that answered and is like none of them."""
        pairs = []
        for part in self.before.plan.scenarios() if self.progress.calls else ():
            asked = [model_name(model.model) for model in part.asked]
            for name in map(model_name, sorted(self.tallies[part.name].models)):
                if name and not any(akin(model, name) for model in asked):
                    pairs.append((", ".join(asked), name))
        return list(dict.fromkeys(pairs))

    @property
    def held(self) -> int:
        """Rows that were held before."""
        return self.before.held

    @property
    def rows(self) -> int:
        """Rows that are held now."""
        return sum(tally.accepted for tally in self.asked)

    @property
    def new(self) -> int:
        """Rows that this run brought."""
        return self.progress.accepted

    @property
    def rejects(self) -> int:
        """Answers that this run brought and that were refused."""
        return self.progress.rejects

    @property
    def missing(self) -> int:
        """Rows that the files ask for and that are not held now."""
        return self.open + self.short

    def summary(self) -> str:
        parts = [
            counted(self.rows, "row"),
            f"{self.held:,} held before, {self.new:,} new",
            counted(self.rejects, "reject"),
            f"{money(self.progress.usd)} usd",
        ]
        if self.progress.provisional:
            parts.append(f"{self.progress.provisional:,} to be judged when their round closes")
        if self.missing:
            parts.append(f"{self.missing:,} missing")
        if self.progress.stopped:
            parts.append(f"stopped: {self.progress.stopped}")
        return "; ".join(parts)

    def records(self) -> Iterator[Mapping[str, object]]:
        for line in self.before.lines:
            tally = self.tallies[line.scenario]
            yield {
                "scenario": line.scenario,
                "dataset": line.dataset,
                "wanted": tally.wanted,
                "held before": line.held,
                "rows": tally.accepted,
                "rejects": tally.rejects,
                "missing": tally.open + sum(tally.short.values()),
            }


def run(
    folder: str | Path,
    scenarios: Sequence[str] = (),
    *,
    monitor: Monitor,
    rows: int | None = None,
    model: str | None = None,
    tries: int | None = None,
    concurrency: int | None = None,
    budget: str | None = None,
    form: Format | None = None,
    export: bool = True,
    engine: Engine | None = None,
    wait: float = 0.0,
) -> RunResult:
    """Asks for every missing row of these scenarios, then exports their datasets.

    What ended a fill before its end is the result's `filled.failure`, for the caller to raise.
    Raises InputError before the first call, StoreError or BusyError.
    """
    changed = scope.overrides(rows=rows, model=model, tries=tries)
    project = Project.find(folder)
    with store.reading(project.store) as answers:
        seen = answers.count()
        plan, settled = levels.plan(project, scenarios, changed, answers)
    cap = budget_of(plan, budget)
    with store.locked(project.outputs), store.writing(project.store) as answers:
        if levels.has_levels(plan) and answers.count() != seen:  # somebody wrote meanwhile
            plan, settled = levels.plan(project, scenarios, changed, answers)
        exports = _standing(plan, answers, form) if export else {}
        settled |= {name: e.settlement for name, e in exports.items()}
        before = estimate(plan, answers, whole=not scenarios, settled=settled)
        site = Site(answers, monitor, cap, concurrency, engine, wait)
        filled, last = fills.by_level(before, site, scenarios, changed)
        exported = export and not filled.fruitless
        try:
            written, stood = _folders(
                last, answers, form, exports, filled.progress, exported=exported
            )
        except StoreError as error:
            raise filled.failure or error from error
        counted_anew = exported and all(dataset.exported for dataset in plan.datasets)
        if filled.progress.calls and last is before and not counted_anew:
            last = estimate(last.plan, answers, whole=False)
        tallies = last.tallies()
        tallies |= {name: t for folder in written for name, t in folder.tallies.items()}
        return RunResult(
            plan.wanted, tallies, written, before, filled, exported, last, tuple(answers.dropped),
            sum(line.coming for line in last.lines), stood if export else (),
        )  # fmt: skip


def budget_of(plan: Plan, budget: str | None) -> Budget | None:
    """The cap that an argument or the project names; InputError for one that cannot be read."""
    text = budget or plan.project.settings.budget
    return Budget.parse(text) if text else None


def _standing(plan: Plan, answers: Store, form: Format | None) -> dict[str, Export]:
    """The exports that stand there already, one pass over plan and store for each."""
    if next(plan.project.outputs.rglob("manifest.json"), None) is None:
        return {}
    from builder.dataset import exports  # the first call of a new project does not wait for it

    asked_form = exports.Form(form)
    compared = [
        exports.compare(plan, d, exports.read(d, answers), asked_form)
        for d in plan.datasets
        if d.exported
    ]
    return {export.name: export for export in compared if export is not None}


def _folders(
    last: PlanResult,
    answers: Store,
    form: Format | None,
    standing: Mapping[str, Export],
    progress: Progress,
    *,
    exported: bool,
) -> tuple[list[Export], list[Earlier]]:
    """The folders that were written, or, where none is to be, what stands there."""
    from builder.dataset import exports  # as above

    plan, folders = last.plan, []
    if not exported:
        stood = (exports.earlier(plan, dataset) for dataset in plan.datasets)
        return [], [export for export in stood if export is not None]
    chained = levels.has_levels(plan)
    for dataset in plan.datasets:
        if not dataset.exported:
            continue
        asked = any(tally.to_ask for tally in last.settlements[dataset.name].tallies.values())
        export = standing.get(dataset.name)
        if chained and progress.calls:
            export = exports.write(plan, dataset, answers, exports.Form(form))
        elif export is None or export.changed or (asked and progress.calls):
            reading = exports.read(dataset, answers)
            export = exports.write_rows(plan, dataset, reading, exports.Form(form))
        folders.append(export)
    return folders, []
