"""init: a project to begin with."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from builder.cli.application import VERBS, Verb
from builder.cli.options import PATH, output_options
from builder.cli.stderr import report
from builder.project import starter


@click.command(cls=Verb, help=VERBS["init"])
@click.argument("folder", type=PATH, metavar="DIR", help="Where to put the project.")
@output_options
def init(folder: Path, *, quiet: bool) -> None:
    """Writes the files of a project and prints their names."""
    for path in starter.write(folder):
        report(f"wrote {path}", quiet=quiet)
    change = "" if folder.resolve() == Path.cwd() else f"cd {shlex.quote(str(folder))} && "
    report(f"next: {change}builder run support_messages", quiet=quiet)
