"""topup: more rows where a reference is thinly covered."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from builder.cli import view
from builder.cli.application import VERBS, Verb
from builder.cli.console import UNTOUCHED, Console, finish
from builder.cli.options import (
    Number,
    project_options,
    reference_option,
    semantic_option,
    yes_option,
)
from builder.cli.stderr import report, shown_path

if TYPE_CHECKING:
    from builder.verbs.topup import Round


@click.command(cls=Verb, help=VERBS["topup"])
@click.argument("name", metavar="NAME", help="Scenario.")
@click.option("--rounds", type=Number(1, 20), default=3, show_default=True, help="At most so many.")
@reference_option
@click.option("--model", help="provider:model of the new rows.")
@click.option("--rows", type=Number(1), help="Rows a round; by deficit when left out.")
@click.option("--budget", help="Stop before it costs more: 5usd or 200000tok.")
@yes_option
@semantic_option
@project_options
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

    def print_round(measured: Round) -> None:
        report(view.measured(measured, shown_path(measured.file)), quiet=quiet)

    result = verb.topup(
        project, name, monitor=Console(yes=yes, quiet=quiet), rounds=rounds, reference=reference,
        model=model, rows=rows, budget=budget, semantic=semantic, report=print_round,
    )  # fmt: skip
    folders = [shown_path(exported.folder) for exported in result.exports]
    if result.filled is None:
        print(folders[0])
        return
    report(view.summary(result.filled.progress, result.exports), quiet=quiet)
    if result.filled.fruitless:
        report(UNTOUCHED, quiet=quiet)
    if result.filled.failure is not None:
        raise result.filled.failure
    report(f"read and commit {shown_path(result.file)}", quiet=quiet)
    for folder in folders:
        print(folder)
    finish(
        result.filled.progress, result.open, result.short, result.neighbours,
        f"builder check {result.dataset}", quiet=quiet,
    )  # fmt: skip
