"""diff: from one release to the next."""

import json
from pathlib import Path

import click

from builder.cli import application, options, view


@click.command(cls=application.Verb, help=application.VERBS["diff"])
@click.argument("before", metavar="A", help="A folder, a dataset, REPO@TAG, REPO@COMMIT or REPO.")
@click.argument("after", metavar="B", help="The same; a TAG alone is one of A's REPO.")
@click.option("--dataset", default="", help="Which of a repository's datasets.")
@click.option("--json", "as_json", is_flag=True, help="The differences as JSON.")
@options.project_options
def diff(
    before: str, after: str, dataset: str, project: Path, *, as_json: bool, quiet: bool
) -> None:
    """Prints the differences as tables, or as JSON."""
    from builder.verbs import diff as verb  # its help is shown without it

    difference = verb.diff(project, before, after, dataset=dataset).difference
    if as_json:
        print(json.dumps(difference.as_dict(), ensure_ascii=False, indent=2))
    else:
        print(view.difference(difference))
