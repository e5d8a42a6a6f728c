"""draw: a scenario's numbers without any model."""

import csv
import sys
from pathlib import Path

import click

from builder.cli import application, layout, options, stderr, view


@click.command(cls=application.Verb, help=application.VERBS["draw"])
@click.argument("name", metavar="NAME", help="Scenario.")
@click.option(
    "--rows", type=options.Number(1), default=1000, show_default=True, help="How many rows to draw."
)
@click.option("--csv", "as_csv", is_flag=True, help="Print the rows as CSV.")
@click.option(
    "--plot", type=options.PATH, metavar="F", help="Write a page of marginals and pairs (SVG)."
)
@options.project_options
def draw(
    name: str, rows: int, plot: Path | None, project: Path, *, as_csv: bool, quiet: bool
) -> None:
    """Prints drawn rows and how they compare with their tables, or the rows alone as CSV."""
    from builder.verbs import draw as verb  # its help is shown without it

    result = verb.draw(project, name, rows=rows)
    if not result.rows:
        stderr.report(f"{name} draws nothing", quiet=quiet)
        return
    for note in result.notes:
        stderr.report(note, quiet=quiet)
    if as_csv:
        writer = csv.DictWriter(sys.stdout, list(result.rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(result.rows)
        return
    comparisons = result.compare()
    if plot is not None:
        for file in result.plot(plot, comparisons):
            stderr.report(f"wrote {file}", quiet=quiet)
    print(layout.sample(result.rows[:5], stderr.terminal_columns(120)))
    for comparison in comparisons:
        print("\n" + view.comparison(comparison))
