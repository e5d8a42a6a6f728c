"""export: from a store to the folders that people load."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from builder import view
from builder.cli.common import (
    Debug,
    FormatOption,
    ModelOption,
    ProjectOption,
    Quiet,
    RowsOption,
    app,
    datasets_of,
    planned,
    say,
    shown_path,
)


@app.command()
def export(
    datasets: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[DATASET…]", help="Datasets or schema classes; all when none is named."
        ),
    ] = None,
    format: FormatOption = None,
    shape: Annotated[
        Literal["columns", "messages", "prompt-completion", "text-label"] | None,
        typer.Option("--as", help="The columns a trainer eats; the project's when left out."),
    ] = None,
    raw: Annotated[
        bool,
        typer.Option("--raw", help="Leave CSV cells that a spreadsheet would run as they are."),
    ] = False,
    rows: RowsOption = None,
    model: ModelOption = None,
    project: ProjectOption = Path(),
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Write the datasets from what the store holds. No call is made."""
    from builder import store
    from builder.export import dataset
    from builder.run.progress import Progress

    found, made = planned(project, None, rows=rows, model=model)
    chosen = datasets_of(made, datasets or [])
    with store.locked(found.outputs), store.reading(found.store, check=True) as held:
        folders = [
            dataset.write(made, one, held, form=format, shape=shape, raw=raw) for one in chosen
        ]
    say(view.summary(Progress(), folders), quiet=quiet)
    for one in folders:
        print(shown_path(one.folder))
