"""export: from a store to the folders that people load."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from builder.cli import view
from builder.cli.application import VERBS, Verb
from builder.cli.options import OneOf, format_option, project_options, trial_options
from builder.cli.stderr import report, shown_path

if TYPE_CHECKING:
    from builder.dataset.files import Format
    from builder.dataset.shapes import Name


@click.command(cls=Verb, help=VERBS["export"])
@click.argument(
    "datasets",
    nargs=-1,
    metavar="[DATASET…]",
    help="Datasets or schema classes; all when none is named.",
)
@format_option
@click.option(
    "--as",
    "shape",
    type=OneOf(("columns", "messages", "prompt-completion", "text-label")),
    help="The columns a trainer eats; the project's when left out.",
)
@click.option(
    "--raw", is_flag=True, help="Leave CSV cells that a spreadsheet would run as they are."
)
@trial_options
@project_options
def export(
    datasets: Sequence[str],
    format: Format | None,
    shape: Name | None,
    rows: int | None,
    model: str | None,
    project: Path,
    *,
    raw: bool,
    quiet: bool,
) -> None:
    """Exports; prints what the folders hold to stderr and the folders to stdout."""
    from builder.verbs import export as verb  # its help is shown without it

    result = verb.write(
        project, datasets, format=format, shape=shape, raw=raw, rows=rows, model=model
    )
    report(view.exported(result.exports), quiet=quiet)
    for folder in result.folders:
        print(shown_path(folder))
