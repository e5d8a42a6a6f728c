"""A small project that publishes to the loopback Hub."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests import projects
from tests.hub import TOKEN, Hub
from tests.projects import Ran

SCHEMA = """\
from typing import Literal

from pydantic import BaseModel, Field


class Letter(BaseModel):
    subject: str = Field(min_length=5, max_length=40)
    text: str = Field(min_length=5, max_length=80)
    mood: Literal["good", "bad"]


class Note(BaseModel):
    text: str = Field(min_length=5, max_length=80)
"""
FILES = {
    "schemas/letters.py": SCHEMA,
    "scenarios/letters.yaml": "# Letters of both tones.\nschema: Letter\nrows: 20 each\nvary:\n  tone: [glad, sad]\n",
    "scenarios/more.yaml": "prompt: letters\nschema: Letter\nrows: 10\ngiven: {tone: odd}\n",
    "scenarios/notes.yaml": "prompt: letters\nschema: Note\nrows: 12\n",
}
REPO = "acme/letters"
HERE = Path(__file__).parents[1]


@dataclass
class Desk:
    """The project, its Hub, and the processes that run over them."""

    root: Path
    hub: Hub
    outputs: list[str] = field(default_factory=list)
    """All that any process said."""

    @property
    def project(self) -> Path:
        return self.root / "project"

    @property
    def folder(self) -> Path:
        return self.project / "outputs/letter"

    def environ(self, **more: str) -> dict[str, str]:
        own = self.hub.environ(str(self.root / "home"))
        return {**os.environ, **own, "PYTHONPATH": str(HERE), **more}

    @property
    def files(self) -> dict[str, str]:
        return {**FILES, "pyproject.toml": projects.SETTINGS}

    def set_up(self, settings: str = "") -> None:
        own = {"pyproject.toml": f"{projects.SETTINGS}\n{settings}"}
        projects.write(self.project, {**self.files, **own})
        assert self.builder("run").code == 0

    def builder(self, *words: str, **environ: str) -> Ran:
        """`builder WORDS` in a process of its own."""
        return self.python("-m", "builder", *words, **environ)

    def publish(self, *words: str, dataset: str = "letter", **environ: str) -> Ran:
        return self.builder("publish", dataset, REPO, "--yes", *words, **environ)

    def python(self, *words: str, **environ: str) -> Ran:
        done = subprocess.run(
            [sys.executable, *words], cwd=self.project, env=self.environ(**environ),
            capture_output=True, encoding="utf-8", timeout=120, check=False,
        )  # fmt: skip
        self.outputs += [done.stdout, done.stderr]
        assert "--debug" in words or "Traceback" not in done.stderr, done.stderr
        return Ran(done.returncode, done.stdout, done.stderr)

    def load(self, code: str) -> Any:
        """What a script over `datasets` prints as JSON."""
        script = f"import json, datasets\ndatasets.disable_progress_bars()\n{code}\n"
        ran = self.python("-c", script)
        assert ran.code == 0, ran.err
        return json.loads(ran.out)

    @property
    def head(self) -> dict[str, bytes]:
        files = self.hub.repos[REPO].commits[-1].files
        return {path: file.content for path, file in files.items()}

    def told_nobody(self) -> bool:
        """Whether the token is in no output and in no file."""
        secret = TOKEN.encode()
        files = [path for path in self.root.rglob("*") if path.is_file()]
        leaks = [str(path) for path in files if secret in path.read_bytes()]
        leaks += [text for text in self.outputs if TOKEN in text]
        assert not leaks, leaks
        return True
