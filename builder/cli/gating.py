"""check: every gate over a dataset of the project, or over anybody's rows."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from builder import io
from builder.cli import view
from builder.cli.application import Verb
from builder.cli.common import (
    datasets_of,
    planned,
    say,
    shown_path,
)
from builder.cli.options import (
    PATH,
    project_options,
    reference_option,
    semantic_option,
    trial_options,
)
from builder.errors import InputError


@click.command(cls=Verb)
@click.argument(
    "name",
    required=False,
    metavar="[DATASET|PATH]",
    help="Dataset, schema class, or a file or folder of rows; all datasets by default.",
)
@reference_option
@click.option("--json", metavar="F", help="Write the findings; - is stdout.")
@click.option(
    "--report", type=PATH, metavar="DIR", help="Where to put report.html and report.json."
)
@semantic_option
@trial_options
@project_options
def check(
    name: str | None,
    reference: Path | None,
    json: str | None,
    report: Path | None,
    rows: int | None,
    model: str | None,
    project: Path,
    *,
    semantic: bool,
    quiet: bool,
) -> None:
    """Measure rows: varied, true to a reference, private? Exit 1 when a gate fails."""
    from builder.quality import report_file
    from builder.table import frame
    from builder.verbs import checking

    beside = None if reference is None else frame.read(reference)
    embed = sentence_vectors() if semantic else None
    path = None if rows or model else _path(name, project)
    if path is not None:
        against = _known(_released(path), beside)
        found = checking.corpus(path.name, frame.read(path), against, semantic=embed)
        results: list[tuple[Path | None, Any]] = [(report, found)]
    else:
        found, made = planned(project, None, rows=rows, model=model)
        results = list(_datasets(name, found, made, report, beside, embed))
    for folder, one in results:
        if folder is not None:
            with io.writing(folder):
                checking.write(folder, one)
    whole = [report_file.of(r.name, r.evidence, r.findings, r.basis).to_json() for _, r in results]
    if json is not None:
        _write(json, whole[0] if name else b"[" + b",".join(whole) + b"]\n")
    for folder, one in results:
        about = f"{one.name}: {one.evidence.rows.rows:,} rows"
        if one.evidence.reference is not None:
            about += f", {one.evidence.reference.rows:,} of reference"
        text = f"{about}\n{view.findings(one.findings)}"
        if json == "-":
            say(text, quiet=quiet)
        else:
            print(text)
        if folder is not None:
            say(f"report: {shown_path(folder / 'report.html')}", quiet=quiet)
    if not all(one.passed for _, one in results):
        sys.exit(1)


def sentence_vectors() -> Any:
    """MiniLM; InputError names the extra where it is missing."""
    from builder.stats import minilm

    return minilm.load()


def _datasets(
    name: str | None, found: Any, made: Any, report: Path | None, beside: Any, embed: Any
) -> Iterator[tuple[Path, Any]]:
    """Each dataset's folder for the report, and what the gates found."""
    from builder import store
    from builder.dataset import exports
    from builder.verbs import checking

    chosen = datasets_of(made, [name] if name else [])
    with store.reading(found.store) as held:
        for one in chosen:
            own = report if report is None or len(chosen) == 1 else report / one.name
            against = _known(one.name, beside)
            result = checking.dataset(made, one, held, reference=against, semantic=embed)
            yield own or exports.folder(made, one), result


def _known(name: str, reference: Any) -> Any:
    """The reference, marked where it is an earlier release of the dataset of that name."""
    if reference is None or not name or _released(reference.source) != name:
        return reference
    return replace(reference, released=True)


def _released(folder: Path) -> str:
    """The dataset that a folder is a whole export of; empty for any other path."""
    from builder.dataset import manifests

    manifest = manifests.read(folder)
    return manifest.dataset if manifest else ""


def _path(name: str | None, project: Path) -> Path | None:
    """The path that a name means; None for a dataset of the project, which goes first."""
    from builder.table.frame import ENDINGS

    if name is None:
        return None
    path = Path(name)
    if os.sep in name or path.suffix.lower() in ENDINGS:
        return path
    if not path.exists():
        return None
    try:
        datasets_of(planned(project, None)[1], [name])
    except InputError:
        return path
    return None


def _write(target: str, data: bytes) -> None:
    if target == "-":
        sys.stdout.write(data.decode())
        return
    with io.writing(Path(target)):
        io.write(Path(target), data)
