"""export: from a store to the folders that people load."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from builder.cli import view
from builder.cli.application import Verb
from builder.cli.common import (
    datasets_of,
    planned,
    say,
    shown_path,
)
from builder.cli.options import (
    OneOf,
    format_option,
    project_options,
    trial_options,
)

if TYPE_CHECKING:
    from builder.dataset import shapes
    from builder.dataset.files import Format


@click.command(cls=Verb)
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
    shape: shapes.Name | None,
    rows: int | None,
    model: str | None,
    project: Path,
    *,
    raw: bool,
    quiet: bool,
) -> None:
    """Write the datasets from what the store holds. No call is made."""
    from builder import store
    from builder.dataset import exports
    from builder.fill.progress import Progress

    found, made = planned(project, None, rows=rows, model=model)
    chosen = datasets_of(made, datasets)
    with store.locked(found.outputs), store.reading(found.store, check=True) as held:
        folders = [
            exports.write(made, one, held, exports.Form(format, shape, raw)) for one in chosen
        ]
    say(view.summary(Progress(), folders), quiet=quiet)
    for one in folders:
        print(shown_path(one.folder))
