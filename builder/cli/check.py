"""check: every gate over a dataset of the project, or over anybody's rows."""

import sys
from pathlib import Path

import click

from builder import io
from builder.cli import application, options, stderr, view


@click.command(cls=application.Verb, help=application.VERBS["check"])
@click.argument(
    "name",
    required=False,
    metavar="[DATASET|PATH]",
    help="Dataset, schema class, or a file or folder of rows; all datasets by default.",
)
@options.reference_option
@click.option("--json", metavar="F", help="Write the findings; - is stdout.")
@click.option(
    "--report", type=options.PATH, metavar="DIR", help="Where to put report.html and report.json."
)
@click.option("--store", is_flag=True, help="Read the whole store instead: is every answer sound?")
@options.semantic_option
@options.trial_options
@options.project_options
def check(
    name: str | None,
    reference: Path | None,
    json: str | None,
    report: Path | None,
    rows: int | None,
    model: str | None,
    project: Path,
    *,
    store: bool,
    semantic: bool,
    quiet: bool,
) -> None:
    """Prints the findings; exits with 1 when a gate fails."""
    from builder.verbs import check as verb  # its help is shown without it

    if store:
        audit = verb.audit(project)
        print(view.audit(audit))
        sys.exit(1 if audit.damaged else 0)
    result = verb.check(
        project, name, reference=reference, report=report, semantic=semantic, rows=rows, model=model
    )
    if json is not None:
        documents = [checked.report() for checked in result.datasets]
        document = documents[0] if name else b"[" + b",".join(documents) + b"]\n"
        if json == "-":
            sys.stdout.write(document.decode())
        else:
            with io.writing(Path(json)):
                io.write(Path(json), document)
    for note in result.notes():
        stderr.report(note, quiet=quiet)
    for checked in result.datasets:
        about = f"{checked.name}: {checked.evidence.rows.rows:,} rows"
        if checked.evidence.reference is not None:
            about += f", {checked.evidence.reference.rows:,} of reference"
        text = f"{about}\n{view.findings(checked.findings)}"
        if json == "-":
            stderr.report(text, quiet=quiet)
        else:
            print(text)
        if checked.folder is not None:
            stderr.report(
                f"report: {stderr.shown_path(checked.folder / 'report.html')}", quiet=quiet
            )
    if not result.passed:
        sys.exit(1)
