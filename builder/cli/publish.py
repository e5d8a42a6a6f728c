"""publish: an exported dataset onto the Hub."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from builder.cli import application, options, stderr, view
from builder.errors import InputError

if TYPE_CHECKING:
    from builder.hub.releases import Publication


@click.command(cls=application.Verb, help=application.VERBS["publish"])
@click.argument("dataset", metavar="DATASET", help="Dataset or schema class.")
@click.argument("repository", metavar="REPO", help="owner/name on the Hub.")
@click.option("--public", is_flag=True, help="For everybody to see.")
@click.option("--dry-run", is_flag=True, help="Say what would be sent, and send nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--resplit", is_flag=True, help="Let rows change sides, where the rule did.")
@click.option("--tag", default="", metavar="TAG", help="Name this release, e.g. v1.2.")
@options.project_options
def publish(
    dataset: str,
    repository: str,
    tag: str,
    project: Path,
    *,
    public: bool,
    dry_run: bool,
    yes: bool,
    resplit: bool,
    quiet: bool,
) -> None:
    """Publishes after a question; prints what is sent to stderr and the address to stdout."""
    from builder.verbs import publish as verb  # its help is shown without it

    def review(planned: "Publication") -> None:
        files = view.sent(planned) if dry_run else ()
        for line in (*view.publication(planned), *files, *planned.notes):
            stderr.report(line, quiet=quiet)
        if dry_run or verb.unchanged(planned):
            stderr.report("nothing was sent" if dry_run else "nothing changed", quiet=quiet)
        elif not yes:
            _confirm(planned)

    result = verb.publish(
        project, dataset, repository, tag=tag, public=public, dry_run=dry_run, resplit=resplit, review=review,
        measuring=lambda: stderr.report("measuring the gates", quiet=quiet),
    )  # fmt: skip
    if result.published is None:
        return
    if result.published.made:
        stderr.report(f"committed {result.published.commit[:10]}", quiet=quiet)
    if result.published.tagged:
        stderr.report(f"tagged {tag}", quiet=quiet)
    print(result.url)


def _confirm(planned: "Publication") -> None:
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise InputError("nobody is here to be asked", hint="say --yes to publish")
    visibility = "private" if planned.private else "public"
    what = f"{planned.rows:,} rows, {planned.sent:,} bytes to send"
    if not click.confirm(f"publish to {planned.repository} ({visibility}; {what})?", err=True):
        raise InputError("not published")
