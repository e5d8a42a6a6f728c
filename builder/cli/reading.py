"""show, draw: what is there and what would be, without asking anybody."""

from __future__ import annotations

import shutil
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from builder import view
from builder.cli.common import (
    Debug,
    ProjectOption,
    Quiet,
    app,
    datasets_of,
    planned,
    say,
)


@app.command()
def show(
    name: Annotated[
        str | None, typer.Argument(metavar="[DATASET]", help="Dataset or schema class.")
    ] = None,
    rejects: Annotated[bool, typer.Option("--rejects", help="What was refused, and why.")] = False,
    count: Annotated[int, typer.Option("-n", min=1, help="How many.")] = 5,
    as_table: Annotated[bool, typer.Option("--table", help="One line a row.")] = False,
    project: ProjectOption = Path(),
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Show rows or rejects as readable records."""
    from builder import store
    from builder.export import rows
    from builder.records import Reject

    found, made = planned(project, None)
    shown = 0
    with store.reading(found.store) as held:
        for dataset in datasets_of(made, [name] if name else []):
            records = rows.read(dataset, held, {"train": 1.0}).records()
            if rejects:
                refused = (item for item in records if isinstance(item, Reject))
                for number, one in enumerate(islice(refused, count), 1):
                    print(view.reject(number, one))
                    shown += 1
                continue
            accepted = list(
                islice((item[1] for item in records if not isinstance(item, Reject)), count)
            )
            shown += len(accepted)
            if as_table and accepted:
                print(view.sample(accepted, shutil.get_terminal_size((120, 24)).columns))
            elif not as_table:
                for number, values in enumerate(accepted, 1):
                    print(view.record(number, values))
    if not shown:
        say(f"no {'rejects' if rejects else 'rows'} yet; `builder run` asks for some", quiet=quiet)
