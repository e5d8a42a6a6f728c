"""Who answered: no path and no host of a machine leaves it, and a stranger is named."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import builder
from builder.records import Call, Completion
from builder.text import akin, model_name
from tests import projects

SECRET = "zzz-machine"
PATHS = [
    f"/srv/{SECRET}/models/qwen3-8b-q4.gguf",
    f"C:\\Users\\{SECRET}\\models\\qwen3-8b-q4.gguf",
    f"C:/Users/{SECRET}/qwen3-8b-q4.gguf",
    f"\\\\{SECRET}\\share\\qwen3-8b-q4.gguf",
    f"file:///{SECRET}/qwen3-8b-q4.gguf",
    f"http://{SECRET}:8000/v1/qwen3-8b-q4.gguf",
    f"~/{SECRET}/qwen3-8b-q4.gguf",
]


def answering(name: str) -> Callable[[Call], Completion]:
    """A script whose answers bear this name; every second is refused first."""

    def script(call: Call) -> Completion:
        text = json.dumps({"text": f"letter {call.key}"[:80]})
        first = call.key.attempt == 0 and call.key.repeat == 1
        answer = Completion(call.key, "no" if first else text, call.request.model, name)
        return answer._replace(time=time.time(), host=f"{SECRET}:8000")

    return script


@pytest.mark.parametrize("path", PATHS)
def test_a_path_of_a_machine_is_published_by_its_last_part(path: str, tmp_path: Path) -> None:
    files = {
        "pyproject.toml": f"[tool.builder]\nmodel = {json.dumps(f'vllm:{path}')}\n",
        "scenarios/letters.yaml": "schema: Letter\nrows: 3 each\nvary:\n  tone: [glad, sad]\n",
    }
    workspace = builder.open(projects.write(tmp_path, files))
    result = workspace.run(format="jsonl", engine=builder.Fake(answering(path)))
    assert result.strangers() == []
    home = tmp_path / "outputs/letter"
    manifest = json.loads((home / "manifest.json").read_text("utf-8"))
    assert manifest["models"] == ["vllm:qwen3-8b-q4.gguf"]
    assert manifest["answered_by"] == ["qwen3-8b-q4.gguf"]
    assert {row["_model"] for row in workspace.show()} == {"vllm:qwen3-8b-q4.gguf"}
    assert (home / "rejects.jsonl").read_text("utf-8").count("vllm:qwen3-8b-q4.gguf") == 2
    workspace.check()
    trial = workspace.run(rows=2, model=f"vllm:{path}", engine=builder.Fake(answering(path)))
    assert trial.exports[0].folder.parent.name == "vllm-qwen3-8b-q4.gguf"
    for file in (p for p in (tmp_path / "outputs").rglob("*") if p.suffix != ".sqlite"):
        assert SECRET not in str(file)
        assert file.is_dir() or file.name.startswith("store") or SECRET.encode() not in file.read_bytes()  # fmt: skip


def test_names_that_are_no_paths_stay_as_they_are() -> None:
    for name in ("openai:accounts/x/models/y", "ollama:llama3:8b", "org/qwen", "ft:a:org::b", ""):
        assert model_name(name) == name


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        ("openai:gpt-5-mini", "gpt-5-mini-2026-01-01"),
        ("openai:o3", "o3-2025-04-16"),
        ("local:smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"),
        ("vllm:qwen", "Qwen3-8B-Instruct"),
        ("ollama:llama3:8b", "meta-llama-3"),
        ("fake:any", "fake"),
    ],
)
def test_versions_of_a_name_are_no_strangers(asked: str, answered: str) -> None:
    assert akin(asked, answered)


@pytest.mark.parametrize(
    ("asked", "answered"),
    [("vllm:default", "Qwen3-8B-Instruct"), ("mine:my-chat", "llama-chat"), ("mine:x", "gpt-5")],
)
def test_names_without_a_word_in_common_are_strangers(asked: str, answered: str) -> None:
    assert not akin(asked, answered)


def test_a_stranger_is_named_once_at_the_end_of_a_run(tmp_path: Path) -> None:
    workspace = builder.open(projects.write(tmp_path))
    result = workspace.run(engine=builder.Fake(answering("/models/gemma-9b.gguf")))
    assert result.strangers() == [("fake:any", "gemma-9b.gguf")]
    assert "answered by" not in projects.run(tmp_path, "run").err
    more = "schema: Letter\nrows: 6\nvary:\n  tone: [glad, sad]\n"
    (tmp_path / "scenarios/letters.yaml").write_text(more, "utf-8")
    ran = projects.run(tmp_path, "run")
    assert ran.code == 0, ran.err
    assert ran.err.count("asked for fake:any, answered by gemma-9b.gguf\n") == 1
    assert ran.err.count("answered by") == 1
