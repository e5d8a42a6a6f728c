"""show, draw: what is there and what would be, without asking anybody."""

from __future__ import annotations

import shlex
import shutil
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

    found, made = planned(project, None, rows=rows, model=model)
    chosen = datasets_of(made, [name] if name else [])
    shown = 0
    with store.reading(found.store) as held:
        for dataset in chosen:
            if rejects:
                refused = records_of.first_rejects(dataset, held, count)
                for number, one in enumerate(refused, 1):
                    print(view.reject(number, one))
                shown += len(refused)
                continue
            accepted = records_of.first(dataset, held, count)
            shown += len(accepted)
            if as_table and accepted:
                print(view.sample(accepted, shutil.get_terminal_size((120, 24)).columns))
            elif not as_table:
                for number, values in enumerate(accepted, 1):
                    print(view.record(number, values))
    if not shown:
        _nothing(made, chosen, "rejects" if rejects else "rows", quiet=quiet)


def _nothing(made: Any, chosen: list[Any], what: str, *, quiet: bool) -> None:
    """Where there is nothing: how to get some, and which trials hold any."""
    from builder.export import dataset

    say(f"no {what} yet; `builder run` asks for some", quiet=quiet)
    if made.trial:
        return
    flag = " --rejects" if what == "rejects" else ""
    for one in chosen:
        for model in dataset.trials(made, one):
            command = shlex.join(["builder", "show", one.name, "--model", model])
            say(f"a trial has some:  {command}{flag}", quiet=quiet)


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
    compared = preview.compare(scenario, max(rows, 1000))
    if plot is not None:
        _plot(plot, name, compared, quiet=quiet)
    print(view.sample(records[:5], shutil.get_terminal_size((120, 24)).columns))
    for note in scenario.drawer.notes:
        say(note, quiet=quiet)
    for one in compared:
        print("\n" + view.comparison(one))


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
