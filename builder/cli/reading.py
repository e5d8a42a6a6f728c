"""show, draw: what is there and what would be, without asking anybody."""

from __future__ import annotations

import shutil
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer

from builder import view
from builder.cli.common import (
    Debug,
    ModelOption,
    ProjectOption,
    Quiet,
    RowsOption,
    app,
    datasets_of,
    planned,
    say,
)
from builder.errors import InputError, StoreError


@app.command()
def show(
    name: Annotated[
        str | None, typer.Argument(metavar="[DATASET]", help="Dataset or schema class.")
    ] = None,
    rejects: Annotated[bool, typer.Option("--rejects", help="What was refused, and why.")] = False,
    count: Annotated[int, typer.Option("-n", min=1, help="How many.")] = 5,
    as_table: Annotated[bool, typer.Option("--table", help="One line a row.")] = False,
    rows: RowsOption = None,
    model: ModelOption = None,
    project: ProjectOption = Path(),
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Show rows or rejects as readable records."""
    from builder import store
    from builder.export import rows as records_of
    from builder.records import Reject

    found, made = planned(project, None, rows=rows, model=model)
    shown = 0
    with store.reading(found.store) as held:
        for dataset in datasets_of(made, [name] if name else []):
            records = records_of.read(dataset, held, {"train": 1.0}).records()
            if rejects:
                refused = (item for item in records if isinstance(item, Reject))
                for number, one in enumerate(islice(refused, count), 1):
                    print(view.reject(number, one))
                    shown += 1
                continue
            accepted = list(
                islice((item.record for item in records if not isinstance(item, Reject)), count)
            )
            shown += len(accepted)
            if as_table and accepted:
                print(view.sample(accepted, shutil.get_terminal_size((120, 24)).columns))
            elif not as_table:
                for number, values in enumerate(accepted, 1):
                    print(view.record(number, values))
    if not shown:
        say(f"no {'rejects' if rejects else 'rows'} yet; `builder run` asks for some", quiet=quiet)


@app.command()
def draw(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Scenario.")],
    rows: Annotated[int, typer.Option("--rows", min=1, help="How many rows to draw.")] = 1000,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print the rows as CSV.")] = False,
    plot: Annotated[
        Path | None,
        typer.Option("--plot", metavar="F", help="Write a page of marginals and pairs (SVG)."),
    ] = None,
    project: ProjectOption = Path(),
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Draw a scenario's numbers without any model, and measure them against their tables."""
    import csv
    import sys

    from builder.plan import preview

    _, made = planned(project, [name], rows=rows)
    scenario = next(iter(made.scenarios()))
    if not scenario.scenario.draws:
        say(f"{name} draws nothing", quiet=quiet)
        return
    records = preview.rows(scenario)
    if as_csv:
        writer = csv.DictWriter(sys.stdout, list(records[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(records)
        return
    print(view.sample(records[:5], shutil.get_terminal_size((120, 24)).columns))
    compared = preview.compare(scenario, max(rows, 1000))
    for note in scenario.drawer.notes:
        say(note, quiet=quiet)
    for one in compared:
        print("\n" + view.comparison(one))
    if plot is not None:
        _plot(plot, name, compared, quiet=quiet)


def _plot(path: Path, name: str, compared: list[Any], *, quiet: bool) -> None:
    import numpy as np

    from builder.plan import plots

    if not compared:
        raise InputError(f"{name} draws from no table; there is nothing to put beside its draws")
    for number, one in enumerate(compared):
        target = path if not number else path.with_stem(f"{path.stem}-{number + 1}")
        title = f"{name}: {one.draw.sampler} on {one.draw.table.source.name}"
        page = plots.page(title, one.drawn, one.reference, np.random.default_rng(0), one.found)
        try:
            target.write_text(page, "utf-8")
        except OSError as error:
            raise StoreError(f"cannot write {target}: {error.strerror}") from error
        say(f"wrote {target}", quiet=quiet)
