"""export: from a store to the folders that people load."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import click

from builder.cli import application, folders, options, stderr


@click.command(cls=application.Verb, help=application.VERBS["export"])
@click.argument(
    "datasets",
    nargs=-1,
    metavar="[DATASET…]",
    help="Datasets or schema classes; all when none is named.",
)
@options.format_option
@click.option(
    "--as",
    "shape",
    type=options.OneOf(get_args(options.Shape)),
    help="The columns a trainer eats; the project's when left out.",
)
@click.option(
    "--raw", is_flag=True, help="Leave CSV cells that a spreadsheet would run as they are."
)
@click.option("--partial", is_flag=True, help="Write fewer rows than the folder holds.")
@options.trial_options
@options.project_options
def export(
    datasets: Sequence[str],
    format: options.Format | None,
    shape: options.Shape | None,
    rows: int | None,
    model: str | None,
    project: Path,
    *,
    raw: bool,
    partial: bool,
    quiet: bool,
) -> None:
    """Exports; prints what the folders hold to stderr and the folders to stdout."""
    from builder.verbs import export as verb  # its help is shown without it

    result = verb.write(
        project, datasets, format=format, shape=shape, raw=raw, partial=partial, rows=rows,
        model=model,
    )  # fmt: skip
    for export in result.exports:
        stderr.report(folders.lines(export), quiet=quiet)
    for folder in result.folders:
        print(stderr.shown_path(folder))
    if result.kept:
        sys.exit(5)
