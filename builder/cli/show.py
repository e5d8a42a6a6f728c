"""show: rows and rejects that are held."""

import shlex
from pathlib import Path

import click

from builder.cli import application, folders, layout, options, stderr, view


@click.command(cls=application.Verb, help=application.VERBS["show"])
@click.argument("name", required=False, metavar="[DATASET]", help="Dataset or schema class.")
@click.option("--rejects", is_flag=True, help="What was refused, and why.")
@click.option("-n", "count", type=options.Number(1), default=5, show_default=True, help="How many.")
@click.option("--table", "as_table", is_flag=True, help="One line a row.")
@options.trial_options
@options.project_options
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
    notes = []
    if rejects:
        for refused in result.first_rejects(count):
            texts += [view.reject(number, reject) for number, reject in enumerate(refused, 1)]
    else:
        for accepted, stood in zip(result.first(count), result.earlier(), strict=True):
            if as_table and accepted:
                texts.append(layout.sample(accepted, stderr.terminal_columns(120)))
            elif not as_table:
                texts += [view.record(number, row) for number, row in enumerate(accepted, 1)]
            if stood is not None and len(accepted) < min(count, stood.rows):
                notes.append(folders.earlier(stood))
    if texts:
        print("\n".join(texts))
    elif rejects:
        stderr.report("no rejects yet", quiet=quiet)
    else:
        stderr.report(
            f"no rows {'now' if notes else 'yet'}; `builder run` asks for some", quiet=quiet
        )
    if rows and not texts:
        notes.append(f"--rows {rows} names a trial that was asked so; -n {rows} shows so many rows")
    for note in notes:
        stderr.report(note, quiet=quiet)
    for dataset, trial in [] if texts or result.plan.trial else result.trials():
        command = shlex.join(["builder", "show", dataset, "--model", trial])
        stderr.report(f"a trial has some:  {command}{' --rejects' * rejects}", quiet=quiet)
