"""run: every missing row, then the datasets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from builder.cli import view
from builder.cli.application import VERBS, Verb
from builder.cli.console import UNTOUCHED, Console, finish
from builder.cli.options import (
    Number,
    format_option,
    names_argument,
    project_options,
    trial_options,
    yes_option,
)
from builder.cli.stderr import report, shown_path

if TYPE_CHECKING:
    from builder.dataset.files import Format


@click.command(cls=Verb, help=VERBS["run"])
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
    """Fills and exports; prints what was asked to stderr and the folders to stdout."""
    from builder.verbs import run as verb  # its help is shown without it

    result = verb.run(
        project, names, monitor=Console(yes=yes, quiet=quiet, drift=True), rows=rows, model=model,
        tries=tries, concurrency=concurrency, budget=budget, form=format, export=export,
    )  # fmt: skip
    options = f" --rows {rows}" * bool(rows) + f" --model {model}" * bool(model)
    store = result.before.plan.project.store
    for key in result.dropped:
        report(f"{store}: the answer {key} was damaged; it was dropped and is asked again")
    report(view.summary(result.progress, result.exports), quiet=quiet)
    for line in view.displaced(result.before.estimate.tallies(), result.tallies):
        report(line, quiet=quiet)
    if export and not result.exported:
        more = f"; builder show --rejects{options} has what was refused" if result.rejects else ""
        report(f"{UNTOUCHED}{more}", quiet=quiet)
    if result.filled.failure is not None:
        raise result.filled.failure
    for exported in result.exports:
        if exported.rows:
            path = shown_path(exported.folder)
            report(f"  load it:  datasets.load_dataset({path!r})", quiet=quiet)
        print(shown_path(exported.folder))
    first = result.exports[0].name if result.exports else ""
    hint = f"builder show {first}{options}" if first else "builder export"
    finish(result.progress, result.open, result.short, result.neighbours, hint, quiet=quiet)
