"""The command line: the only module that prints. stdout carries results, stderr the talk."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from builder.errors import BuilderError, InputError, nearest

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Scenarios crossed with prompt templates become a Hugging Face dataset.",
)

ProjectOption = Annotated[
    Path, typer.Option("--project", help="Folder of the project, or one inside it.", metavar="DIR")
]
Quiet = Annotated[bool, typer.Option("--quiet", help="Say only what went wrong.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show tracebacks.")]
Names = Annotated[
    list[str] | None, typer.Argument(help="Scenarios; all when none is named.", metavar="[NAME…]")
]
RowsOption = Annotated[int | None, typer.Option("--rows", min=1, help="Rows in all, for a trial.")]
ModelOption = Annotated[str | None, typer.Option("--model", help="provider:model, for a trial.")]
FormatOption = Annotated[
    Literal["parquet", "jsonl"], typer.Option("--format", help="How data/ is written.")
]


def main() -> None:
    """Runs the command line; every error is one clear message and an exit code."""
    debug = "--debug" in sys.argv
    try:
        app(standalone_mode=True)
    except BuilderError as error:
        if debug:
            raise
        _say(f"error: {error}")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except Exception as error:
        if debug:
            raise
        _say(
            f"error: {type(error).__name__}: {error}\n  this is a fault of the builder; --debug shows where"
        )
        sys.exit(70)


def _say(text: str, *, quiet: bool = False) -> None:
    if text and not quiet:
        print(text, file=sys.stderr, flush=True)


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="Where to put the project.", metavar="DIR")],
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Write a project to begin with: scenarios, prompts, schemas, settings."""
    from builder import template

    for path in template.write(folder):
        _say(f"wrote {path}", quiet=quiet)
    _say(f"next: cd {folder} && builder plan, then builder run", quiet=quiet)


@app.command()
def plan(
    names: Names = None,
    show: Annotated[
        int, typer.Option("--show", min=0, help="Print so many rendered requests of each scenario.")
    ] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="The plan as JSON.")] = False,
    rows: RowsOption = None,
    model: ModelOption = None,
    project: ProjectOption = Path(),
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Show what a run would ask and what it may cost. No call is made."""
    from builder import store, view
    from builder.run import survey

    found, made = _plan(project, names, rows=rows, model=model)
    modules = sorted({s.scenario.schema.file.name for s in made.scenarios()})
    _say(f"loaded schemas/{', schemas/'.join(modules)}", quiet=quiet or as_json)
    with store.reading(found.store) as held:
        looked = survey.make(made, held, whole=not names)
    if as_json:
        lines = [asdict(line) for line in looked.lines]
        print(
            json.dumps(
                {"scenarios": lines, "unplanned": looked.unplanned}, ensure_ascii=False, indent=2
            )
        )
        return
    print(view.plan(looked))
    for scenario in made.scenarios():
        cases = scenario.cases
        for planned in scenario.make(cases.index[:show], cases.occurrence[:show]):
            print("\n" + view.request(planned))


@app.command()
def run(
    names: Names = None,
    rows: RowsOption = None,
    model: ModelOption = None,
    tries: Annotated[
        int | None, typer.Option("--tries", min=1, max=100, help="Ask on where rows are short.")
    ] = None,
    concurrency: Annotated[
        int | None,
        typer.Option("--concurrency", min=1, max=10_000, help="Calls in flight, at most."),
    ] = None,
    budget: Annotated[
        str | None, typer.Option("--budget", help="Stop before it costs more: 5usd or 200000tok.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before an expensive run.")] = False,
    export: Annotated[
        bool, typer.Option(" /--no-export", help="Leave the datasets' folders alone.")
    ] = True,
    format: FormatOption = "parquet",
    project: ProjectOption = Path(),
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Ask for every row that is missing, then export the datasets."""
    from builder import store, view
    from builder.export import dataset
    from builder.project import Budget
    from builder.run import survey
    from builder.run.fill import Fill
    from builder.run.progress import Progress

    found, made = _plan(project, names, rows=rows, model=model, tries=tries)
    cap = Budget.parse(budget or found.settings.budget) if budget or found.settings.budget else None
    state = Progress()
    with store.locked(found.outputs), store.writing(found.store) as held:
        looked = survey.make(made, held, whole=not names)
        _say(view.plan(looked), quiet=quiet)
        state.wanted, state.to_ask = looked.wanted, looked.to_ask
        failure: BuilderError | None = None
        if looked.to_ask:
            _confirm(found.settings.confirm_above, looked.usd, yes=yes or cap is not None)
            fill = Fill(made, held, state, concurrency or found.settings.concurrency, cap)
            try:
                asyncio.run(_drive(fill, quiet=quiet))
            except BuilderError as error:
                failure = error
        folders = (
            [dataset.write(made, d, held, form=format) for d in made.datasets] if export else []
        )
        tallies = (
            [t for one in folders for t in one.tallies.values()]
            if export
            else [
                tally
                for found_ in survey.make(made, held, whole=False).tallies.values()
                for tally in found_.values()
            ]
        )
    _say(view.summary(state, folders), quiet=quiet)
    if failure is not None:
        raise failure
    for one in folders:
        _say(f"  load it:  datasets.load_dataset({_shown(one.folder)!r})", quiet=quiet)
        print(_shown(one.folder))
    _finish(state, tallies, folders, quiet=quiet)


@app.command()
def export(
    datasets: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[DATASET…]", help="Datasets or schema classes; all when none is named."
        ),
    ] = None,
    format: FormatOption = "parquet",
    project: ProjectOption = Path(),
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Write the datasets from what the store holds. No call is made."""
    from builder import store, view
    from builder.export import dataset
    from builder.run.progress import Progress

    found, made = _plan(project, None)
    chosen = _datasets(made, datasets or [])
    with store.locked(found.outputs), store.reading(found.store) as held:
        folders = [dataset.write(made, one, held, form=format) for one in chosen]
    _say(view.summary(Progress(), folders), quiet=quiet)
    for one in folders:
        print(_shown(one.folder))


@app.command()
def show(
    name: Annotated[
        str | None, typer.Argument(metavar="[DATASET]", help="Dataset or schema class.")
    ] = None,
    rejects: Annotated[bool, typer.Option("--rejects", help="What was refused, and why.")] = False,
    count: Annotated[int, typer.Option("-n", min=1, help="How many.")] = 5,
    as_table: Annotated[bool, typer.Option("--table", help="One line a row.")] = False,
    project: ProjectOption = Path(),
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Show rows or rejects as readable records."""
    from builder import store, view
    from builder.export import rows
    from builder.records import Reject

    found, made = _plan(project, None)
    shown = 0
    with store.reading(found.store) as held:
        for dataset in _datasets(made, [name] if name else []):
            records = rows.read(dataset, held, {"train": 1.0}).records()
            if rejects:
                refused = (item for item in records if isinstance(item, Reject))
                for number, one in enumerate(islice(refused, count), 1):
                    print(view.reject(number, one))
                    shown += 1
                continue
            accepted = list(
                islice((item[1] for item in records if not isinstance(item, Reject)), count)
            )
            shown += len(accepted)
            if as_table and accepted:
                print(view.sample(accepted, shutil.get_terminal_size((120, 24)).columns))
            elif not as_table:
                for number, values in enumerate(accepted, 1):
                    print(view.record(number, values))
    if not shown:
        _say(f"no {'rejects' if rejects else 'rows'} yet; `builder run` asks for some", quiet=quiet)


def _plan(
    folder: Path,
    names: Sequence[str] | None,
    *,
    rows: int | None = None,
    model: str | None = None,
    tries: int | None = None,
) -> tuple[Any, Any]:
    from builder.plan.plan import Overrides
    from builder.plan.spread import Rows
    from builder.project import Project
    from builder.run import ask

    found = Project.find(folder)
    changed = Overrides(Rows(total=rows) if rows else None, model, tries)
    return found, ask.plan(found, names or [], changed)


def _datasets(made: Any, wanted: Sequence[str]) -> list[Any]:
    """The datasets named, by dataset or by class."""
    known = {dataset.name: dataset for dataset in made.datasets}
    classes = {s.scenario.schema.name: d for d in made.datasets for s in d.scenarios}
    chosen = []
    for name in wanted:
        if name not in known and name not in classes:
            raise InputError(
                f"no dataset {name!r}.{nearest(name, [*known, *classes])}",
                hint=f"datasets: {', '.join(known)}",
            )
        chosen.append(known.get(name) or classes[name])
    return chosen or list(known.values())


def _confirm(above: str, usd: float | None, *, yes: bool) -> None:
    from builder import view
    from builder.project import Budget

    limit = Budget.parse(above).usd
    if yes or usd is None or limit is None or usd <= limit:
        return
    question = f"this run may cost about {view.money(usd)} usd, above confirm_above = {above!r}"
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise InputError(question, hint="say --yes, or give a --budget")
    if not typer.confirm(question + "; go on?", err=True):
        raise InputError("not run: nothing was asked")


async def _drive(fill: Any, *, quiet: bool) -> None:
    """The fill, a display beside it, and the two signals."""
    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(fill.run())

    def interrupt() -> None:
        if fill.progress.stopped:
            loop.call_later(1.5, os._exit, 130)
            task.cancel()
            return
        fill.stop("interrupted")
        _say("\nstopping: calls in flight are finished and kept; once more to leave at once")

    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError):
            loop.add_signal_handler(number, interrupt)
    display = _Display(fill.progress, quiet=quiet)
    try:
        while not task.done():
            display.update()
            await asyncio.wait({task}, timeout=0.2)
    except asyncio.CancelledError:
        task.cancel()
        raise
    finally:
        display.update(last=True)
    try:
        await task
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


class _Display:
    """A line that is rewritten on a terminal, a plain line now and then elsewhere."""

    def __init__(self, progress: Any, *, quiet: bool) -> None:
        self.progress = progress
        self.quiet = quiet
        self.terminal = sys.stderr.isatty()
        self.next = 0.0

    def update(self, *, last: bool = False) -> None:
        import time

        from builder import view

        now = time.monotonic()
        if self.quiet or (now < self.next and not last):
            return
        line = view.progress(self.progress)
        if self.terminal:
            room = shutil.get_terminal_size((100, 24)).columns - 1
            print(
                "\r" + view.fit(line, room), end="\n" if last else "", file=sys.stderr, flush=True
            )
            self.next = now + 0.2
        else:
            _say(line)
            self.next = now + 10.0


def _finish(state: Any, tallies: Sequence[Any], folders: Sequence[Any], *, quiet: bool) -> None:
    """The next command, and the exit code."""
    short = sum(sum(tally.short.values()) for tally in tallies)
    missing = sum(tally.open for tally in tallies)
    if state.stopped:
        _say(f"stopped: {state.stopped}; {missing} rows are missing. Run again to go on.")
        sys.exit(75)
    if missing and state.failures:
        _say(f"{missing} rows are missing, for calls failed. Run again to go on.")
        sys.exit(75)
    if short or missing:
        _say(f"{short + missing} rows are missing.")
        sys.exit(5)
    if folders:
        _say(f"next:  builder show {folders[0].name}", quiet=quiet)


def _shown(path: Path) -> str:
    with suppress(ValueError):
        return str(path.relative_to(Path.cwd()))
    return str(path)
