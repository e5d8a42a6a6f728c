"""Small projects on the disk, and the command run over them: in this process or in one of its own."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet

from builder import cli, store
from builder.plan import requests
from builder.plan.plans import Plan
from builder.project.settings import Project

SETTINGS = '[tool.builder]\nmodel = "fake:any"\n'
PROMPT = "Write a letter.{% if tone is defined %} Its tone: {{ tone }}.{% endif %}\n"
SCHEMA = """\
from pydantic import BaseModel, Field


class Letter(BaseModel):
    text: str = Field(min_length=5, max_length=80)
"""
SCENARIO = "schema: Letter\nvary:\n  tone: [glad, sad]\n"
BASE: Mapping[str, str | bytes] = {
    "pyproject.toml": SETTINGS,
    "prompts/letters.j2": PROMPT,
    "schemas/letters.py": SCHEMA,
    "scenarios/letters.yaml": SCENARIO,
}
"""A whole project of two rows."""


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command ended and what it said."""

    code: int
    out: str
    err: str


def write(folder: Path, files: Mapping[str, str | bytes] | None = None) -> Path:
    """The base project in `folder`, with these files over it; text is written as it stands."""
    for name, content in {**BASE, **(files or {})}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def run(folder: Path, *words: str) -> Ran:
    """`builder WORDS` in that folder, in this process."""
    out, err = io.StringIO(), io.StringIO()
    argv, sys.argv = sys.argv, ["builder", *words]
    code = 0
    try:
        with (
            contextlib.chdir(folder),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            cli.main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    finally:
        sys.argv = argv
    return Ran(code, out.getvalue(), err.getvalue())


def process(folder: Path, *words: str, **environ: str) -> Ran:
    """The same in a process of its own, with these variables over the environment."""
    done = subprocess.run(
        [sys.executable, "-m", "builder", *words],
        cwd=folder,
        env={**os.environ, **environ},
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def held(folder: Path) -> int:
    """How many replies of any kind the project's store holds."""
    with store.reading(folder / "outputs" / "store.sqlite") as found:
        return found.count() + found.count("attempts")


def rows(folder: Path, dataset: str = "letter") -> list[dict[str, Any]]:
    """The exported rows of a dataset, in their order."""
    files = sorted((folder / "outputs" / dataset / "data").glob("*.parquet"))
    return [row for file in files for row in pyarrow.parquet.read_table(file).to_pylist()]


def plan(folder: Path) -> Plan:
    """The plan of the project in that folder."""
    return requests.plan(Project.find(folder))


def keys(folder: Path, *, levels: int = 0) -> dict[str, dict[str, Any]]:
    """What the files ask for: by key, the scenario, combination and occurrence of each case, and
    what its template sees. `levels` adds so many of the reserves."""
    found: dict[str, dict[str, Any]] = {}
    for dataset in plan(folder).datasets:
        parts = [[scenario.cases for scenario in dataset.scenarios]]
        parts += [dataset.reserve(level) for level in range(levels)]
        for level in parts:
            for scenario, cases in zip(dataset.scenarios, level, strict=True):
                made = scenario.make(cases.index, cases.occurrence)
                for key, planned in zip(cases.keys(0, len(cases)), made, strict=True):
                    assert str(key) not in found
                    case = planned.case
                    seen = {name: v for name, v in case.variables.items() if name != "schema"}
                    found[str(key)] = {
                        "case": case.id,
                        "scenario": case.scenario,
                        "combination": dict(case.combination),
                        "occurrence": case.occurrence,
                        "variables": seen,
                        "model": planned.request.model,
                    }
    return found


if __name__ == "__main__":
    print(json.dumps(keys(Path(sys.argv[1]), levels=2)))
