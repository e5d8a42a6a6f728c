"""show, draw: what is there and what would be, without asking anybody."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path
from typing import Any

import click

from builder import io
from builder.cli import view
from builder.cli.application import Verb
from builder.cli.common import datasets_of, planned, say
from builder.cli.options import (
    PATH,
    Number,
    project_options,
    trial_options,
)
from builder.errors import InputError


@click.command(cls=Verb)
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
    """Show rows or rejects as readable records."""
    from builder import store
    from builder.results import rows as results_rows

    found, made = planned(project, None, rows=rows, model=model)
    chosen = datasets_of(made, [name] if name else [])
    shown = 0
    with store.reading(found.store) as held:
        for dataset in chosen:
            if rejects:
                refused = results_rows.first_rejects(dataset, held, count)
                for number, one in enumerate(refused, 1):
                    print(view.reject(number, one))
                shown += len(refused)
                continue
            accepted = results_rows.first(dataset, held, count)
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
    from builder.dataset import exports

    say(f"no {what} yet; `builder run` asks for some", quiet=quiet)
    if made.trial:
        return
    flag = " --rejects" if what == "rejects" else ""
    for one in chosen:
        for model in exports.trials(made, one):
            command = shlex.join(["builder", "show", one.name, "--model", model])
            say(f"a trial has some:  {command}{flag}", quiet=quiet)


@click.command(cls=Verb)
@click.argument("name", metavar="NAME", help="Scenario.")
@click.option(
    "--rows", type=Number(1), default=1000, show_default=True, help="How many rows to draw."
)
@click.option("--csv", "as_csv", is_flag=True, help="Print the rows as CSV.")
@click.option("--plot", type=PATH, metavar="F", help="Write a page of marginals and pairs (SVG).")
@project_options
def draw(
    name: str, rows: int, plot: Path | None, project: Path, *, as_csv: bool, quiet: bool
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

    from builder.sampling import pages

    if not compared:
        raise InputError(f"{name} draws from no table; there is nothing to put beside its draws")
    for number, one in enumerate(compared):
        target = path if not number else path.with_stem(f"{path.stem}-{number + 1}")
        title = f"{name}: {one.draw.sampler} on {one.draw.table.source.name}"
        page = pages.page(title, one.drawn, one.reference, np.random.default_rng(0), one.found)
        with io.writing(target):
            io.write(target, page)
        say(f"wrote {target}", quiet=quiet)
