"""publish: an exported dataset onto the Hub, in one commit, while every gate holds."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from builder import store, text
from builder.dataset import exports, manifests
from builder.errors import InputError
from builder.hub import releases, remote
from builder.plan.plans import DatasetPlan, Plan
from builder.quality.findings import Finding
from builder.verbs import check, scope
from builder.verbs.result import Result

SHOWN = 5  # reasons why a folder is stale that are named in one line


@dataclass(frozen=True, slots=True, repr=False)
class PublishResult(Result):
    """What was published, or would be; one record a dataset."""

    dataset: str
    folder: Path
    rows: int
    sizes: Sequence[int]
    planned: releases.Publication
    """What publishing changes; all is new to it where the Hub was not looked at for want of a token."""
    published: releases.Published | None = None
    """Where it ended; None where nothing was to be sent."""

    @property
    def url(self) -> str:
        """Where people find it; empty where nothing was to be sent."""
        return self.published.url if self.published else ""

    def summary(self) -> str:
        rows = f"{self.dataset}: {text.counted(self.rows, 'row')}"
        return f"{rows} at {self.url}" if self.url else f"{rows}, nothing was sent"

    def records(self) -> Iterator[Mapping[str, object]]:
        yield {
            "dataset": self.dataset,
            "rows": self.rows,
            "bytes": sum(self.sizes),
            "bytes to send": self.planned.sent if self.planned.looked_at else None,
            "url": self.url,
        }


def unchanged(planned: releases.Publication) -> bool:
    """Whether the Hub holds just this already, the tag included."""
    return planned.empty and (not planned.tag or planned.tagged)


def publish(
    folder: str | Path,
    name: str,
    repository: str,
    *,
    tag: str = "",
    public: bool = False,
    dry_run: bool = False,
    resplit: bool = False,
    measuring: Callable[[], None] = lambda: None,
    review: Callable[[releases.Publication], None] = lambda planned: None,
) -> PublishResult:
    """Puts an exported dataset onto the Hub, privately unless `public`.

    `resplit` allows rows that the Hub holds to change sides, where they were dealt by another rule.

    `measuring` is called before gates are measured anew; `review` sees what is to be sent, before
    anything is, and may raise InputError to refuse it. Raises InputError where the folder is not
    what the files ask for, GateError where a gate fails, HubError.
    """
    plan = scope.plan_of(folder)
    project = plan.project
    (dataset,) = scope.datasets(plan, [name])
    token = project.environ().get("HF_TOKEN", "").strip()
    if not (token or dry_run):
        raise InputError(
            "no token: HF_TOKEN is not set",
            hint="it holds a token with the right to write, from https://huggingface.co/settings/tokens",
        )
    with store.locked(project.outputs), ExitStack() as stack:
        hub = stack.enter_context(remote.opened(repository, token))
        hub.looked_at = bool(token)
        with store.reading(project.store) as answers:
            reasons, tallies = exports.stale_reasons(plan, dataset, answers)
        _refuse_stale(dataset.name, reasons, sum(tally.open for tally in tallies.values()))
        _refuse_open(dataset)
        _refuse_copied(plan, dataset)
        home = exports.folder(plan, dataset)
        releases.refuse_failures(dataset.name, _findings(plan, dataset, home, measuring))
        manifest = manifests.read(home)
        sizes = [path.stat().st_size for path in (home / "data").iterdir()]
        rows = manifest.rows if manifest else 0
        planned = releases.prepare(hub, home, public=public, tag=tag, resplit=resplit)
        review(planned)
        published = None if dry_run else releases.send(hub, planned)
        return PublishResult(dataset.name, home, rows, sizes, planned, published)


def _findings(
    plan: Plan, dataset: DatasetPlan, folder: Path, measuring: Callable[[], None]
) -> list[Finding]:
    if (findings := check.current(plan, dataset, folder)) is not None:
        return findings
    measuring()
    with store.reading(plan.project.store) as answers:
        return check.write(folder, check.judge_dataset(plan, dataset, answers)).findings


def _refuse_open(dataset: DatasetPlan) -> None:
    for part in dataset.scenarios:
        open_ = [rows.source.target for rows in part.handed if not rows.settled]
        if open_:
            raise InputError(
                f"{dataset.name} is not published: {part.name} is made from {' and '.join(open_)}, "
                "whose rows are not all there yet",
                hint="builder run asks for them",
            )


def _refuse_copied(plan: Plan, dataset: DatasetPlan) -> None:
    """Text that nobody generated goes out only where somebody said so."""
    names = sorted({name for part in dataset.scenarios for name in part.copied})
    if names and not plan.project.dataset_settings(dataset.name).contains_source:
        raise InputError(
            f"{dataset.name} is not published: {', '.join(names)} "
            f"{'holds' if len(names) == 1 else 'hold'} text of a table, which nobody generated",
            hint=f"where it may go out: contains_source = true under [tool.builder.datasets.{dataset.name}]",
        )


def _refuse_stale(name: str, reasons: Sequence[str], missing: int) -> None:
    if reasons:
        more = f" and {len(reasons) - SHOWN} more" if len(reasons) > SHOWN else ""
        raise InputError(
            f"{name} is not published: {'; '.join(reasons[:SHOWN])}{more}",
            hint=f"builder run writes it anew, or builder export {name} where nothing is to be asked; then check and publish it",
        )
    if missing:
        raise InputError(
            f"{name} is not published: {missing:,} of its rows are planned and not asked for yet",
            hint="builder run asks for them",
        )
