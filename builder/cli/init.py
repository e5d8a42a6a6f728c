"""init: a project to begin with."""

import shlex
from pathlib import Path

import click

from builder.cli import application, options, stderr
from builder.project import starter


@click.command(cls=application.Verb, help=application.VERBS["init"])
@click.argument("folder", type=options.PATH, metavar="DIR", help="Where to put the project.")
@options.output_options
def init(folder: Path, *, quiet: bool) -> None:
    """Writes the files of a project and prints their names."""
    for path in starter.write(folder):
        stderr.report(f"wrote {path}", quiet=quiet)
    change = "" if folder.resolve() == Path.cwd() else f"cd {shlex.quote(str(folder))} && "
    stderr.report(f"next: {change}builder run support_messages", quiet=quiet)
