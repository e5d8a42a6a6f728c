"""A real llama.cpp server, asked as a stranger: by its address alone, like any of its kind."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from builder import store
from builder.engines import local, registry
from tests import projects
from tests.scripted import project

KEY = "a-key-of-the-lab"
CONTEXT = 512  # Tokens of each of its two slots.

if importlib.util.find_spec("xllamacpp") is None or local._packaged(local.WEIGHTS) is None:
    pytest.skip("the extra [local] is not installed", allow_module_level=True)

pytestmark = pytest.mark.slow

SCHEMA = """\
from typing import Literal

from pydantic import BaseModel, Field


class Letter(BaseModel):
    pair: tuple[Literal["glad", "sad"], bool]
    code: str = Field(pattern=r"^\\d{4}-[A-Z]{2}$")
"""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    import xllamacpp

    settings = xllamacpp.CommonParams()
    settings.model.path = str(local.weights(registry.endpoint("local"), "smollm2"))
    settings.cpuparams.n_threads = settings.cpuparams_batch.n_threads = 1
    settings.hostnames, settings.port, settings.api_keys = ["127.0.0.1"], 0, [KEY]
    settings.n_parallel, settings.n_ctx, settings.cache_ram_mib = 2, 2 * CONTEXT, 0
    settings.warmup, settings.ui, settings.verbosity = False, False, -1
    settings.endpoint_slots = True
    server = xllamacpp.Server(settings)
    yield f"{server.listening_address}/v1"
    del server


@contextlib.contextmanager
def busy(address: str) -> Iterator[set[tuple[int, ...]]]:
    """The sets of slots that the server says are at work at once, looked at until the end."""
    seen: set[tuple[int, ...]] = set()
    over = threading.Event()
    with httpx2.Client(headers={"Authorization": f"Bearer {KEY}"}) as client:

        def look() -> None:
            while not over.wait(0.02):
                slots = client.get(address.replace("/v1", "/slots")).json()
                seen.add(tuple(slot["id"] for slot in slots if slot["is_processing"]))

        thread = threading.Thread(target=look)
        thread.start()
        yield seen
        over.set()
        thread.join()


def of_lab(
    folder: Path, address: str, monkeypatch: pytest.MonkeyPatch, *, prompt: str = "", docs: int = 4
) -> Path:
    monkeypatch.setenv("LAB_KEY", KEY)
    project(folder, address, docs=docs, params="max_tokens = 120", extra='api_key_env = "LAB_KEY"')
    (folder / "schemas/letters.py").write_text(SCHEMA, "utf-8")
    if prompt:
        (folder / "prompts/letters.j2").write_text(prompt, "utf-8")
    return folder


def test_places_of_a_tuple_and_a_pattern_with_digits_come_out_valid(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = of_lab(tmp_path, address, monkeypatch, docs=6)
    ran = projects.run(folder, "run")
    assert ran.code == 0, ran.err
    rows = projects.rows(folder)
    assert len(rows) == 6
    assert projects.held(folder) <= 9  # small models are cut off now and then
    with store.reading(folder / "outputs" / "store.sqlite") as answers:
        tries = answers.tries([key for key in answers.keys() if key.attempt == 0])  # noqa: SIM118
        modes = {reply.mode for replies in tries.values() for reply in replies}
    assert modes == {"json_schema_full"}
    for row in rows:
        assert re.fullmatch(r"\d{4}-[A-Z]{2}", row["code"])
    assert KEY not in json.dumps(rows, default=str) + ran.err


def test_both_slots_work_at_once(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = of_lab(tmp_path, address, monkeypatch, docs=8)
    with busy(address) as seen:
        ran = projects.run(folder, "run", "--concurrency", "2")
    assert ran.code == 0, ran.err
    assert len(projects.rows(folder)) == 8
    assert (0, 1) in seen


def test_a_prompt_that_fills_its_context_is_set_aside_alone(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    more = "Say more of the rain. " * 300
    long = "Write letter {{ doc }}. {% if doc == 'd2' %}" + more + "{% endif %}"
    ran = projects.run(of_lab(tmp_path, address, monkeypatch, prompt=long), "run")
    assert ran.code == 5, ran.err
    assert re.search(
        r"1 row of doc = 'd2' is too long for the model: [\d,]+ of 512 tokens", ran.err
    )
    assert len(projects.rows(tmp_path)) == 3
