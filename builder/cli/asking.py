"""init, plan, run: from nothing to a filled store."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from builder.cli import view
from builder.cli.application import Verb
from builder.cli.common import (
    drift_of,
    plan_columns,
    planned,
    say,
    shown_path,
)
from builder.cli.options import (
    PATH,
    Number,
    format_option,
    names_argument,
    project_options,
    talk_options,
    trial_options,
    yes_option,
)
from builder.errors import StoreError

if TYPE_CHECKING:
    from builder.dataset.exports import Export
    from builder.dataset.files import Format
    from builder.plan.plans import Plan
    from builder.store import Store


@click.command(cls=Verb)
@click.argument("folder", type=PATH, metavar="DIR", help="Where to put the project.")
@talk_options
def init(folder: Path, *, quiet: bool) -> None:
    """Write a project to begin with: scenarios, prompts, schemas, settings."""
    from builder.project import starter

    for path in starter.write(folder):
        say(f"wrote {path}", quiet=quiet)
    there = "" if folder.resolve() == Path.cwd() else f"cd {shlex.quote(str(folder))} && "
    say(f"next: {there}builder run support_messages", quiet=quiet)


@click.command(cls=Verb)
@names_argument
@click.option(
    "--show",
    type=Number(0),
    default=0,
    show_default=True,
    metavar="K",
    help="Print so many rendered requests of each scenario.",
)
@click.option("--json", "as_json", is_flag=True, help="The plan as JSON.")
@trial_options
@project_options
def plan(
    names: Sequence[str],
    show: int,
    rows: int | None,
    model: str | None,
    project: Path,
    *,
    as_json: bool,
    quiet: bool,
) -> None:
    """Show what a run would ask and what it may cost. No call is made."""
    from builder import store
    from builder.results import estimates

    found, made = planned(project, names, rows=rows, model=model)
    modules = sorted({s.scenario.schema.file.name for s in made.scenarios()})
    say(f"loaded schemas/{', schemas/'.join(modules)}", quiet=quiet or as_json)
    with store.reading(found.store) as held:
        looked = estimates.make(made, held, whole=not names)
    drift = drift_of(made)
    if as_json:
        lines = [line._asdict() for line in looked.lines]
        print(
            json.dumps(
                {"scenarios": lines, "unplanned": looked.unplanned, "drift": drift},
                ensure_ascii=False,
                indent=2,
            )
        )
        return
    print(view.plan(looked, drift, plan_columns()))
    for scenario in made.scenarios():
        cases = scenario.cases
        for one in scenario.make(cases.index[:show], cases.occurrence[:show]):
            print("\n" + view.request(one))


@click.command(cls=Verb)
@names_argument
@trial_options
@click.option("--tries", type=Number(1, 100), metavar="T", help="Ask on where rows are short.")
@click.option(
    "--concurrency", type=Number(1, 10_000), metavar="C", help="Calls in flight, at most."
)
@click.option("--budget", metavar="B", help="Stop before it costs more: 5usd or 200000tok.")
@yes_option
@click.option(
    "--no-export",
    "export",
    flag_value=False,
    default=True,
    help="Leave the datasets' folders alone.",
)
@format_option
@project_options
def run(
    names: Sequence[str],
    rows: int | None,
    model: str | None,
    tries: int | None,
    concurrency: int | None,
    budget: str | None,
    format: Format | None,
    project: Path,
    *,
    yes: bool,
    export: bool,
    quiet: bool,
) -> None:
    """Ask for every row that is missing, then export the datasets."""
    from builder import store
    from builder.cli.drive import (
        LEFT,
        filled,
        finish,
        fruitless,
        ready,
    )
    from builder.fill.progress import Progress
    from builder.project.settings import Budget
    from builder.results import estimates

    found, made = planned(project, names, rows=rows, model=model, tries=tries)
    cap = Budget.parse(budget or found.settings.budget) if budget or found.settings.budget else None
    with store.locked(found.outputs), store.writing(found.store) as held:
        there = _standing(made, held, format) if export else {}
        settled = {name: one.settlement for name, one in there.items()}
        looked = estimates.make(made, held, whole=not names, settled=settled)
        if looked.to_ask:
            ready(made, cap)
        say(view.plan(looked, drift_of(made), plan_columns()), quiet=quiet)
        state = Progress.before(looked)
        failure = filled(
            made,
            held,
            state,
            looked.usd,
            cap,
            settled=looked.settlements,
            concurrency=concurrency,
            yes=yes,
            quiet=quiet,
        )
        try:
            written = export and not fruitless(state, failure)
            folders = _written(made, held, format, there, asked=looked.to_ask) if written else []
        except StoreError as error:
            raise failure or error from error
        tallies = (
            {name: tally for one in folders for name, tally in one.tallies.items()}
            if written
            else estimates.make(made, held, whole=False).tallies()
        )
    options = f" --rows {rows}" * bool(rows) + f" --model {model}" * bool(model)
    for key in held.dropped:
        say(f"{found.store}: the answer {key} was damaged; it was dropped and is asked again")
    say(view.summary(state, folders), quiet=quiet)
    for line in view.displaced(looked.tallies(), tallies):
        say(line, quiet=quiet)
    if export and not written:
        more = f"; builder show --rejects{options} has what was refused" if state.rejects else ""
        say(f"{LEFT}{more}", quiet=quiet)
    if failure is not None:
        raise failure
    for one in folders:
        if one.rows:
            say(f"  load it:  datasets.load_dataset({shown_path(one.folder)!r})", quiet=quiet)
        print(shown_path(one.folder))
    hint = f"builder show {folders[0].name}{options}" if folders else "builder export"
    finish(state, tallies, made.wanted, hint, quiet=quiet)


def _standing(made: Plan, held: Store, form: Format | None) -> dict[str, Export]:
    """The exports that stand there already, one pass over plan and store for each."""
    if next(made.project.outputs.rglob("manifest.json"), None) is None:
        return {}  # nor what exports import, before the first call
    from builder.dataset import exports

    found = {
        one.name: exports.compare(made, one, exports.read(made, one, held), exports.Form(form))
        for one in made.datasets
    }
    return {name: one for name, one in found.items() if one is not None}


def _written(
    made: Plan, held: Store, form: Format | None, there: dict[str, Export], *, asked: int
) -> list[Export]:
    """The datasets' folders, each written where it does not hold just that already."""
    from builder.dataset import exports

    folders = []
    for one in made.datasets:
        stands = None if asked else there.get(one.name)
        if stands is not None and not stands.changed:
            folders.append(stands)
        else:
            reading = exports.read(made, one, held)
            folders.append(exports.write_rows(made, one, reading, exports.Form(form)))
    return folders
