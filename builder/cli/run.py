"""run: every missing row, then the datasets."""

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from builder.cli import application, console, folders, options, plan_table, stderr, view


@click.command(cls=application.Verb, help=application.VERBS["run"])
@options.names_argument
@options.trial_options
@click.option(
    "--tries", type=options.Number(1, 100), metavar="T", help="Ask on where rows are short."
)
@click.option(
    "--concurrency", type=options.Number(1, 10_000), metavar="C", help="Calls in flight, at most."
)
@click.option("--budget", metavar="B", help="Stop before it costs more: 5usd or 200000tok.")
@click.option(
    "--wait",
    type=options.Number(1, 86_400),
    metavar="S",
    help="Seconds that a server gets to start.",
)
@options.yes_option
@click.option(
    "--no-export",
    "export",
    flag_value=False,
    default=True,
    help="Leave the datasets' folders alone.",
)
@options.format_option
@options.project_options
def run(
    names: Sequence[str],
    rows: int | None,
    model: str | None,
    tries: int | None,
    concurrency: int | None,
    budget: str | None,
    wait: int | None,
    format: options.Format | None,
    project: Path,
    *,
    yes: bool,
    export: bool,
    quiet: bool,
) -> None:
    """Fills and exports; prints what was asked to stderr and the folders to stdout."""
    from builder.verbs import run as verb  # its help is shown without it

    result = verb.run(
        project, names, monitor=console.Console(yes=yes, quiet=quiet, drift=True), rows=rows, model=model,
        tries=tries, concurrency=concurrency, budget=budget, form=format, export=export,
        wait=wait or 0,
    )  # fmt: skip
    trial = f" --rows {rows}" * bool(rows) + f" --model {model}" * bool(model)
    store = result.before.plan.project.store
    for key in result.dropped:
        stderr.report(f"{store}: the answer {key} was damaged; it was dropped and is asked again")
    stderr.report(view.summary(result.progress, result.exports), quiet=quiet)
    for line in plan_table.left_out(result.before, result.after):
        stderr.report(line, quiet=quiet)
    for asked, answered in result.strangers():
        stderr.report(f"asked for {asked}, answered by {answered}", quiet=quiet)
    for line in view.displaced(result.before.tallies(), result.tallies):
        stderr.report(line, quiet=quiet)
    if export and not result.exported:
        more = f"; builder show --rejects{trial} has what was refused" if result.rejects else ""
        stderr.report(f"{view.untouched(result.progress)}{more}", quiet=quiet)
        for stood in result.earlier:
            if stood.edits:
                stderr.report(folders.earlier(stood), quiet=quiet)
    if result.filled.failure is not None:
        raise result.filled.failure
    for exported in (export for export in result.exports if not export.kept):
        path = stderr.shown_path(exported.folder)
        if exported.rows:
            stderr.report(f"  load it:  datasets.load_dataset({path!r})", quiet=quiet)
        print(path)
    first = result.exports[0].name if result.exports else ""
    hint = f"builder show {first}{trial}" if first else "builder export"
    console.finish(result.progress, result.open, result.short, result.neighbours, hint, quiet=quiet)
    if result.kept:
        sys.exit(5)
