"""topup: more rows where a reference is thinly covered."""

import sys
from pathlib import Path

import click

from builder.cli import application, console, options, stderr, view


@click.command(cls=application.Verb, help=application.VERBS["topup"])
@click.argument("name", metavar="NAME", help="Scenario.")
@click.option(
    "--rounds", type=options.Number(1, 20), default=3, show_default=True, help="At most so many."
)
@options.reference_option
@click.option("--model", help="provider:model of the new rows.")
@click.option("--rows", type=options.Number(1), help="Rows a round; by deficit when left out.")
@click.option("--budget", help="Stop before it costs more: 5usd or 200000tok.")
@options.yes_option
@options.semantic_option
@options.project_options
def topup(
    name: str,
    rounds: int,
    reference: Path | None,
    model: str | None,
    rows: int | None,
    budget: str | None,
    project: Path,
    *,
    yes: bool,
    semantic: bool,
    quiet: bool,
) -> None:
    """Tops up a scenario; prints every round to stderr and the folder to stdout."""
    from builder.verbs import topup as verb  # its help is shown without it

    def print_round(measured: verb.Round) -> None:
        stderr.report(view.measured(measured, stderr.shown_path(measured.file)), quiet=quiet)

    result = verb.topup(
        project, name, monitor=console.Console(yes=yes, quiet=quiet), rounds=rounds, reference=reference,
        model=model, rows=rows, budget=budget, semantic=semantic, report=print_round,
    )  # fmt: skip
    folders = [stderr.shown_path(e.folder) for e in result.exports if not e.kept]
    if result.filled is None:
        print(*folders[:1])
        return
    stderr.report(view.summary(result.filled.progress, result.exports), quiet=quiet)
    if result.filled.fruitless:
        stderr.report(view.untouched(result.filled.progress), quiet=quiet)
    if result.filled.failure is not None:
        raise result.filled.failure
    stderr.report(f"read and commit {stderr.shown_path(result.file)}", quiet=quiet)
    for folder in folders:
        print(folder)
    console.finish(
        result.filled.progress, result.open, result.short, result.neighbours,
        f"builder check {result.dataset}", quiet=quiet,
    )  # fmt: skip
    if result.kept:
        sys.exit(5)
