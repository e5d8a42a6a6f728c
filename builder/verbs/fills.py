"""Fills: what a plan lacks is asked for, level by level where rows are made from rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from builder.errors import BuilderError, InputError
from builder.fill.progress import Progress
from builder.plan.plans import Overrides, Plan
from builder.project.settings import Budget
from builder.results import levels
from builder.store import Store
from builder.verbs.monitor import Monitor
from builder.verbs.plan import PlanResult, estimate

if TYPE_CHECKING:
    from builder.engines.protocol import Engine
    from builder.fill.fill import Fill

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


class Site(NamedTuple):
    """What the fills of one run share."""

    answers: Store
    monitor: Monitor
    cap: Budget | None
    concurrency: int | None = None
    engine: Engine | None = None
    wait: float = 0.0


def fill(before: PlanResult, site: Site) -> Filled:
    """Asks for what a plan lacks, once the monitor has seen it.

    Raises InputError before the first call; every other error that ends it is in what it gives.
    """
    progress = Progress.before(before)
    filling = _filling(before.plan, before, site, progress) if before.to_ask else None
    site.monitor.planned(before, site.cap)
    return Filled(progress, _drive(filling, site) if filling else None)


def by_level(
    before: PlanResult, site: Site, names: Sequence[str], changed: Overrides
) -> tuple[Filled, PlanResult]:
    """Fills level by level, the plan of these scenarios made anew over what the last one brought;
    beside what it did the last plan. Raises as `fill` does."""
    if not levels.has_levels(before.plan):
        return fill(before, site), before
    progress, now = Progress.before(before), before
    if before.to_ask:  # the keys of all levels, before the first is paid for
        _filling(before.plan, before, site, progress)
    site.monitor.planned(before, site.cap)
    confirmed, times = before.usd, Counter[int]()
    while (depth := _lowest(now, times)) is not None:
        times[depth] += 1
        left = progress.unfilled
        failure = _drive(_filling(_level(now.plan, depth), now, site, progress), site)
        if progress.unfilled > left:  # what was left is left to the next run
            times[depth] = FILLS
        plan, settled = levels.plan(now.plan.project, names, changed, site.answers)
        now = estimate(plan, site.answers, whole=False, settled=settled)
        progress.expect(now)
        if failure is not None or progress.stopped:
            return Filled(progress, failure), now
        whole = None if now.usd is None else progress.usd + now.usd
        if now.expensive and whole is not None and whole > MORE * (confirmed or whole):
            try:
                site.monitor.planned(now, site.cap)
            except InputError as error:
                return Filled(progress, error), now
            confirmed = whole
    return Filled(progress), now


def _lowest(now: PlanResult, times: Counter[int]) -> int | None:
    """The lowest depth that lacks rows and was not filled so often already."""
    depths = {part.name: part.scenario.depth for part in now.plan.scenarios()}
    lacking = {depths[line.scenario] for line in now.lines if line.ready}
    return min((depth for depth in lacking if times[depth] < FILLS), default=None)


def _level(plan: Plan, depth: int) -> Plan:
    """The plan of what is wanted on one depth."""
    here = frozenset(part.name for part in plan.scenarios() if part.scenario.depth == depth)
    datasets = tuple(d for d in plan.datasets if any(p.name in here for p in d.scenarios))
    return plan._replace(wanted=here, datasets=datasets)


def _filling(plan: Plan, now: PlanResult, site: Site, progress: Progress) -> Fill:
    """A fill that is ready to begin. InputError for a missing key, or a budget that cannot be kept."""
    from builder.fill.fill import Fill  # loaded only where there is something to ask

    limit = site.concurrency or plan.project.settings.concurrency
    cap = site.cap.less(progress.usd, progress.tokens) if site.cap else None
    filling = Fill(
        plan, site.answers, progress, limit, cap, now.settlements, site.engine, site.wait
    )
    filling.check()
    return filling


def _drive(filling: Fill, site: Site) -> BuilderError | None:
    """Runs a fill; the error that ended it before its end."""
    try:
        site.monitor.drive(filling)
    except InputError:
        raise
    except BuilderError as error:
        return error
    return None
