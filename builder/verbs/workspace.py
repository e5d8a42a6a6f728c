"""A project from Python: `builder.open(folder)` gives an object whose methods are the verbs.

>>> import builder, pathlib, tempfile
>>> workspace = builder.init(pathlib.Path(tempfile.mkdtemp()))
>>> workspace.plan("support_messages", rows=3, model="fake:any").to_ask
3
>>> result = workspace.run("support_messages", rows=3, model="fake:any", export=False)
>>> result.held, result.new
(0, 3)
>>> workspace.plan("support_messages", rows=3, model="fake:any").to_ask
0
"""

from dataclasses import dataclass
from pathlib import Path

from builder.dataset import files, shapes
from builder.engines.protocol import Engine
from builder.project import settings, starter
from builder.verbs import check, diff, draw, export, monitor, plan, publish, run, show, topup, why
from builder.verbs.check import Audit, CheckResult
from builder.verbs.diff import DiffResult
from builder.verbs.draw import DrawResult
from builder.verbs.export import ExportResult
from builder.verbs.plan import PlanResult
from builder.verbs.publish import PublishResult
from builder.verbs.run import RunResult
from builder.verbs.show import Rows
from builder.verbs.topup import TopUpResult
from builder.verbs.why import WhyResult


@dataclass(frozen=True, slots=True)
class Workspace:
    """A project folder and its verbs. Every call reads the files as they are then.

    `rows` and `model` make a trial of a call, exported under outputs/trial/: they belong into
    every call about it.
    """

    root: Path

    def plan(
        self, *scenarios: str, rows: int | None = None, model: str | None = None
    ) -> PlanResult:
        """What a run would ask, hold and cost. No call is made."""
        return plan.make(self.root, scenarios, rows=rows, model=model)

    def run(
        self,
        *scenarios: str,
        rows: int | None = None,
        model: str | None = None,
        tries: int | None = None,
        concurrency: int | None = None,
        budget: str | None = None,
        format: files.Format | None = None,  # noqa: A002  (the word that people use)
        export: bool = True,
        engine: Engine | None = None,
        progress: monitor.Report | None = None,
        wait: float = 0.0,
    ) -> RunResult:
        """Asks for every missing row of these scenarios, then exports their datasets.

        Nothing is confirmed: `budget` is what stops it. `wait` is the seconds that a server gets to
        start. `engine` answers in place of every model;
        keys stay those of the planned models. `progress` is called with the counts while it
        lasts; left out, a notebook shows a bar. Raises InputError before the first call, and
        ProviderError, RefusedError, StoreError or BusyError; what was answered is kept.
        """
        result = run.run(
            self.root, scenarios, monitor=monitor.Callback(progress), rows=rows, model=model,
            tries=tries, concurrency=concurrency, budget=budget, form=format, export=export,
            engine=engine, wait=wait,
        )  # fmt: skip
        if result.filled.failure is not None:
            raise result.filled.failure
        return result

    def show(self, *datasets: str, rows: int | None = None, model: str | None = None) -> Rows:
        """The rows of datasets, to iterate over; `rejects()` of it gives what was refused."""
        return show.read(self.root, datasets, rows=rows, model=model)

    def why(self, case: str, *, rows: int | None = None, model: str | None = None) -> WhyResult:
        """The walk of one row, by its `_case` or `_key`: what it is made from, its tries, what
        hangs on it. No call is made."""
        return why.why(self.root, case, rows=rows, model=model)

    def draw(self, scenario: str, *, rows: int = 1000) -> DrawResult:
        """The drawn values of so many rows; `compare()` of it measures them against their tables."""
        return draw.draw(self.root, scenario, rows=rows)

    def check(
        self,
        dataset: str | Path | None = None,
        *,
        reference: str | Path | None = None,
        report: str | Path | None = None,
        semantic: bool = False,
        rows: int | None = None,
        model: str | None = None,
    ) -> CheckResult:
        """The findings of every gate over a dataset, or over the rows in a file or folder."""
        return check.check(
            self.root, dataset, reference=reference, report=Path(report) if report else None,
            semantic=semantic, rows=rows, model=model,
        )  # fmt: skip

    def audit(self) -> Audit:
        """What the store holds, read whole: every checksum and every page."""
        return check.audit(self.root)

    def topup(
        self,
        scenario: str,
        *,
        rounds: int = 3,
        reference: str | Path | None = None,
        model: str | None = None,
        rows: int | None = None,
        budget: str | None = None,
        semantic: bool = False,
        engine: Engine | None = None,
        progress: monitor.Report | None = None,
    ) -> TopUpResult:
        """Writes and runs a scenario for what a reference has and the dataset lacks.

        `rows` are those of a round, by deficit when left out. Raises what `run` raises.
        """
        result = topup.topup(
            self.root, scenario, monitor=monitor.Callback(progress), rounds=rounds,
            reference=reference, model=model, rows=rows, budget=budget, semantic=semantic,
            engine=engine,
        )  # fmt: skip
        if result.filled is not None and result.filled.failure is not None:
            raise result.filled.failure
        return result

    def export(
        self,
        *datasets: str,
        format: files.Format | None = None,  # noqa: A002  (the word that people use)
        shape: shapes.Name | None = None,
        raw: bool = False,
        partial: bool = False,
        rows: int | None = None,
        model: str | None = None,
    ) -> ExportResult:
        """Writes the folders of datasets from what the store holds. No call is made.

        A folder that would lose rows which a run would ask for is left alone unless `partial`.
        """
        return export.write(
            self.root, datasets, format=format, shape=shape, raw=raw, partial=partial, rows=rows,
            model=model,
        )  # fmt: skip

    def publish(
        self,
        dataset: str,
        repository: str,
        *,
        tag: str = "",
        public: bool = False,
        dry_run: bool = False,
        resplit: bool = False,
    ) -> PublishResult:
        """Puts an exported dataset onto the Hub, privately unless `public`, in one commit."""
        return publish.publish(
            self.root, dataset, repository, tag=tag, public=public, dry_run=dry_run,
            resplit=resplit,
        )  # fmt: skip

    def diff(self, before: str | Path, after: str | Path, *, dataset: str = "") -> DiffResult:
        """What lies between two releases: each a folder, a dataset, REPO@TAG or REPO."""
        return diff.diff(self.root, before, after, dataset=dataset)


def open_folder(folder: str | Path = ".") -> Workspace:
    """The workspace of the project that holds this folder. InputError where there is none."""
    return Workspace(settings.Project.find(folder).root)


def init_folder(folder: str | Path) -> Workspace:
    """The workspace of a new project, its files written into `folder`.

    Raises InputError where one of them stands there already.
    """
    starter.write(Path(folder))
    return open_folder(folder)
