"""run: every row that is missing is asked for, then the datasets are exported.

Plan and store are settled once before the first call and once after the last; where nothing
was asked of a dataset, what was settled before is still true and serves twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from builder import store
from builder.errors import BuilderError, InputError, StoreError
from builder.fill.progress import Progress
from builder.plan.plans import Overrides, Plan
from builder.project.settings import Budget, Project
from builder.records import Key
from builder.results import levels
from builder.results.settle import Settlements
from builder.results.tally import Tally
from builder.store import Store
from builder.text import akin, counted, model_name, money
from builder.verbs import result, scope
from builder.verbs.monitor import Monitor
from builder.verbs.plan import PlanResult, estimate

if TYPE_CHECKING:
    from builder.dataset.exports import Earlier, Export
    from builder.dataset.files import Format
    from builder.engines.protocol import Engine


FILLS = 3  # Fills of one level in one run.
# Times the price that was confirmed, beyond which a run whose levels turn out larger asks again.
MORE = 1.2


@dataclass(frozen=True, slots=True)
class Filled:
    """What a fill did, and the error that ended it before its end."""

    progress: Progress
    failure: BuilderError | None = None

    @property
    def fruitless(self) -> bool:
        """Whether it ended early, or calls brought nothing, and no row was accepted."""
        progress = self.progress
        ended = self.failure is not None or progress.stopped != "" or progress.unfilled > 0
        return ended and not progress.accepted


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
    dropped: Sequence[Key]
    """Damaged answers that were dropped from the store, to be asked again."""
    coming: int = 0
    """Rows whose cases hang on rows that are to come."""

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

    def earlier(self) -> list[Earlier]:
        """What stands in the datasets' folders, whatever the files of now ask for."""
        from builder.dataset import exports  # for a run that wrote nothing

        plan = self.before.plan
        stood = (exports.earlier(plan, dataset) for dataset in plan.datasets)
        return [export for export in stood if export is not None]

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
    plan = levels.plan(Project.find(folder), scenarios, changed)[0]
    project = plan.project
    cap = budget_of(plan, budget)
    with store.locked(project.outputs), store.writing(project.store) as answers:
        settled: Settlements = {}
        if levels.has_levels(plan):  # by what is held now that nobody else writes
            plan, settled = levels.plan(project, scenarios, changed, answers)
        exports = _standing(plan, answers, form) if export else {}
        settled |= {name: e.settlement for name, e in exports.items()}
        before = estimate(plan, answers, whole=not scenarios, settled=settled)
        site = Site(answers, monitor, cap, concurrency, engine, wait)
        filled, last = _by_level(before, site, scenarios, changed)
        written: list[Export] = []
        exported = export and not filled.fruitless
        try:
            if exported:
                written = _written(last, answers, form, exports, filled.progress)
        except StoreError as error:
            raise filled.failure or error from error
        if not exported and filled.progress.calls:
            last = estimate(last.plan, answers, whole=False)
        tallies = last.tallies()
        tallies |= {name: t for folder in written for name, t in folder.tallies.items()}
        return RunResult(
            plan.wanted, tallies, written, before, filled, exported, tuple(answers.dropped),
            sum(line.coming for line in last.lines),
        )  # fmt: skip


class Site(NamedTuple):
    """What the fills of one run share."""

    answers: Store
    monitor: Monitor
    cap: Budget | None
    concurrency: int | None = None
    engine: Engine | None = None
    wait: float = 0.0


def _by_level(
    before: PlanResult, site: Site, names: Sequence[str], changed: Overrides
) -> tuple[Filled, PlanResult]:
    """Fills level by level, the plan made anew over what the last one brought; the last plan."""
    if not levels.has_levels(before.plan):
        return fill(
            before, *site[:3], concurrency=site.concurrency, engine=site.engine, wait=site.wait
        ), before
    progress, now = Progress.before(before), before
    if before.to_ask and site.engine is None:
        from builder.fill import pool  # loaded only where there is something to ask

        # The keys of all levels, before the first is paid for.
        pool.check(before.plan, concurrency=site.concurrency or 1, cap=site.cap)
    site.monitor.planned(before, site.cap)
    confirmed = before.usd
    asked = Counter[int]()
    while True:
        depths = {part.name: part.scenario.depth for part in now.plan.scenarios()}
        open_ = {depths[line.scenario] for line in now.lines if line.ready}
        # What a settled level still lacks after so many fills waits for the next run.
        depth = min((d for d in open_ if asked[d] < FILLS), default=None)
        if depth is None:
            return Filled(progress), now
        asked[depth] += 1
        left = progress.unfilled
        failure = _fill_level(now, site, progress, depth)
        if progress.unfilled > left:
            asked[depth] = FILLS
        plan, settled = levels.plan(now.plan.project, names, changed, site.answers)
        now = estimate(plan, site.answers, whole=False, settled=settled)
        progress.expect(now)
        if failure is not None or progress.stopped:
            return Filled(progress, failure), now
        if now.usd is not None and confirmed is not None:
            whole = progress.usd + now.usd
            if now.expensive and whole > MORE * confirmed:
                try:
                    site.monitor.planned(now, site.cap)
                except InputError as error:
                    return Filled(progress, error), now
                confirmed = whole


def _fill_level(now: PlanResult, site: Site, progress: Progress, depth: int) -> BuilderError | None:
    """Asks for what the scenarios of one depth lack; the error that ended it."""
    from builder.fill.fill import Fill  # loaded only where there is something to ask

    plan = now.plan
    here = frozenset(part.name for part in plan.scenarios() if part.scenario.depth == depth)
    datasets = tuple(d for d in plan.datasets if any(p.name in here for p in d.scenarios))
    level = plan._replace(wanted=here, datasets=datasets)
    limit = site.concurrency or plan.project.settings.concurrency
    cap = site.cap.less(progress.usd, progress.tokens) if site.cap else None
    filling = Fill(
        level, site.answers, progress, limit, cap, now.settlements, site.engine, site.wait
    )
    filling.check()
    try:
        site.monitor.drive(filling)
    except InputError:
        raise
    except BuilderError as error:
        return error
    return None


def budget_of(plan: Plan, budget: str | None) -> Budget | None:
    """The cap that an argument or the project names; InputError for one that cannot be read."""
    text = budget or plan.project.settings.budget
    return Budget.parse(text) if text else None


def fill(
    before: PlanResult,
    answers: Store,
    monitor: Monitor,
    cap: Budget | None,
    *,
    concurrency: int | None = None,
    engine: Engine | None = None,
    wait: float = 0.0,
) -> Filled:
    """Asks for what a plan lacks, once the monitor has seen it.

    Raises InputError before the first call; every other error that ends it is in what it gives.
    """
    progress = Progress.before(before)
    if not before.to_ask:
        monitor.planned(before, cap)
        return Filled(progress)
    from builder.fill.fill import Fill  # loaded only where there is something to ask

    limit = concurrency or before.plan.project.settings.concurrency
    filling = Fill(before.plan, answers, progress, limit, cap, before.settlements, engine, wait)
    filling.check()
    monitor.planned(before, cap)
    try:
        monitor.drive(filling)
    except InputError:
        raise
    except BuilderError as error:
        return Filled(progress, error)
    return Filled(progress)


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


def _written(
    before: PlanResult,
    answers: Store,
    form: Format | None,
    standing: Mapping[str, Export],
    progress: Progress,
) -> list[Export]:
    from builder.dataset import exports  # as above

    folders = []
    chained = levels.has_levels(before.plan)
    for dataset in before.plan.datasets:
        if not dataset.exported:
            continue
        asked = any(tally.to_ask for tally in before.settlements[dataset.name].tallies.values())
        exported = standing.get(dataset.name)
        if chained and progress.calls:
            exported = exports.write(before.plan, dataset, answers, exports.Form(form))
        elif exported is None or exported.changed or (asked and progress.calls):
            reading = exports.read(dataset, answers)
            exported = exports.write_rows(before.plan, dataset, reading, exports.Form(form))
        folders.append(exported)
    return folders
