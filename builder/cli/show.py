"""show: rows and rejects that are held."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from builder.cli import view
from builder.cli.application import VERBS, Verb
from builder.cli.options import Number, project_options, trial_options
from builder.cli.stderr import report, terminal_columns

if TYPE_CHECKING:
    from builder.verbs.show import Rows


@click.command(cls=Verb, help=VERBS["show"])
@click.argument("name", required=False, metavar="[DATASET]", help="Dataset or schema class.")
@click.option("--rejects", is_flag=True, help="What was refused, and why.")
@click.option("-n", "count", type=Number(1), default=5, show_default=True, help="How many.")
@click.option("--table", "as_table", is_flag=True, help="One line a row.")
@trial_options
@project_options
def show(
    name: str | None,
    count: int,
    rows: int | None,
    model: str | None,
    project: Path,
    *,
    rejects: bool,
    as_table: bool,
    quiet: bool,
) -> None:
    """Prints the first rows or rejects of each dataset."""
    from builder.verbs import show as verb  # its help is shown without it

    result = verb.read(project, [name] if name else [], rows=rows, model=model)
    texts = []
    if rejects:
        for refused in result.first_rejects(count):
            texts += [view.reject(number, reject) for number, reject in enumerate(refused, 1)]
    else:
        for accepted in result.first(count):
            if as_table and accepted:
                texts.append(view.sample(accepted, terminal_columns(120)))
            elif not as_table:
                texts += [view.record(number, row) for number, row in enumerate(accepted, 1)]
    for text in texts:
        print(text)
    if not texts:
        _hint(result, "rejects" if rejects else "rows", quiet=quiet)


def _hint(result: Rows, what: str, *, quiet: bool) -> None:
    """Prints how to get some where there is nothing, and which trials hold any."""
    report(f"no {what} yet; `builder run` asks for some", quiet=quiet)
    if result.plan.trial:
        return
    flag = " --rejects" if what == "rejects" else ""
    for dataset, model in result.trials():
        command = shlex.join(["builder", "show", dataset, "--model", model])
        report(f"a trial has some:  {command}{flag}", quiet=quiet)
