"""Small projects on the disk, and the command run over them: in this process or in one of its own."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from builder import cli, store

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
