"""Rows made from rows, counted by a loopback server: what is asked hangs on what is printed."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import random
import shutil
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

import builder
from builder.store import counter
from tests import projects, scripted
from tests.scripted import Scripted

SETTINGS = """\
[tool.builder]
model = "lab:m"
concurrency = 2
[tool.builder.providers.lab]
base_url = "{url}"
"""
SCHEMAS = """\
from pydantic import BaseModel, computed_field, field_validator


class Seed(BaseModel):
    text: str
    score: int


class Story(BaseModel):
    text: str


class Verdict(BaseModel):
    text: str
"""
SCORE = "    score: int\n"
STRICTER = """\

    @field_validator("score")
    @classmethod
    def low(cls, score: int) -> int:
        assert score < 5, "too high"
        return score
"""
COMPUTED = """\

    @computed_field
    @property
    def length(self) -> int:
        return len(self.text)
"""
GENERATIONS = ("seed", "story", "verdict")
TABLE = {
    "scenarios/seeds.yaml": "schema: Seed\nfrom:\n  row: {table: tables/seeds.csv, id: id}\n",
    "scenarios/tables/seeds.csv": "id,text\n1,tea\n2,rain\n3,moss\n4,snow\n",
    "prompts/seeds.j2": "seed of {{ row.text }}",
}
AXIS = {
    "scenarios/seeds.yaml": "schema: Seed\nvary:\n  row: [tea, rain, moss, snow]\n",
    "prompts/seeds.j2": "seed of {{ row }}",
}
FILES = {
    "schemas/chain.py": SCHEMAS,
    "scenarios/stories.yaml": "schema: Story\nfrom: {seed: seeds}\n",
    "scenarios/verdicts.yaml": "schema: Verdict\nfrom: {story: stories}\n",
    "prompts/stories.j2": "story of {{ seed.text }}",
    "prompts/verdicts.j2": "verdict on {{ story.text }}",
}


def answer(number: int, body: scripted.Body) -> Mapping[str, Any]:
    """What follows from the turns, and from nothing else. Two of four seeds score high, but never
    when they are asked again."""
    prompt, again = body["messages"][0]["content"], len(body["messages"]) > 1
    mark = hashlib.blake2b(json.dumps(body["messages"]).encode(), digest_size=4).hexdigest()
    high = prompt.endswith((" tea", " moss")) and not again
    content: dict[str, Any] = {"text": f"{prompt.split()[0]} {mark}"}
    if content["text"].startswith("seed"):
        content["score"] = 9 if high else 1
    return scripted.chat(json.dumps(content))


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


class Site:
    """A chain of three generations on disk, and the server that it asks."""

    def __init__(self, root: Path, server: Scripted, seeds: Mapping[str, str] = TABLE) -> None:
        self.root, self.server = root, server
        settings = {"pyproject.toml": SETTINGS.format(url=server.url)}
        for name, text in {**settings, **FILES, **seeds}.items():
            self.write(name, text)

    def write(self, name: str, text: str) -> None:
        write(self.root / name, text)

    def replace(self, name: str, old: str, new: str) -> None:
        text = (self.root / name).read_text("utf-8")
        assert old in text
        self.write(name, text.replace(old, new))

    def asked(self, *words: str) -> tuple[int, ...]:
        """The calls of one more run, by generation."""
        before = self.server.calls
        ran = projects.run(self.root, "run", "--quiet", *words)
        assert ran.code == 0, ran.err
        prompts = [body["messages"][0]["content"] for body in self.server.bodies[before:]]
        calls = Counter(prompt.split()[0] for prompt in prompts)
        return tuple(calls[generation] for generation in GENERATIONS)


@pytest.fixture
def server() -> Iterator[Scripted]:
    with Scripted(answer) as scripted_server:
        yield scripted_server


EDITS = {
    "table": (
        ("scenarios/tables/seeds.csv", "1,tea", "1,mint"),
        ("scenarios/tables/seeds.csv", "4,snow\n", "4,snow\n5,hail\n"),
    ),
    "axis": (
        ("scenarios/seeds.yaml", "[tea", "[mint"),
        ("scenarios/seeds.yaml", "snow]", "snow, hail]"),
    ),
}


@pytest.mark.parametrize("kind", EDITS)
def test_an_edit_is_asked_for_in_each_generation_by_what_it_prints_and_no_more(
    kind: str, tmp_path: Path, server: Scripted
) -> None:
    site = Site(tmp_path, server, TABLE if kind == "table" else AXIS)
    edited, added = EDITS[kind]
    seeds = (tmp_path / edited[0]).read_text("utf-8")
    assert site.asked() == (4, 4, 4)
    first = exports(tmp_path)
    assert site.asked() == (0, 0, 0)
    site.replace(*edited)
    assert site.asked() == (1, 1, 1)
    site.replace(*added)
    assert site.asked() == (1, 1, 1)
    site.write(edited[0], seeds)
    site.replace("prompts/seeds.j2", "seed of", "seed about")
    assert site.asked() == (4, 4, 4)
    site.replace("schemas/chain.py", SCORE, SCORE + COMPUTED)
    assert site.asked() == (0, 0, 0)
    site.replace("prompts/seeds.j2", "seed about", "seed of")
    site.write("schemas/chain.py", SCHEMAS)
    assert site.asked() == (0, 0, 0)
    assert exports(tmp_path) == first
    for generation in ("seed", "seeds", "stories", "verdicts"):
        shutil.rmtree(tmp_path / "outputs" / generation, ignore_errors=True)
    assert site.asked() == (0, 0, 0)
    assert exports(tmp_path) == first


@pytest.mark.parametrize("seeds", [TABLE, AXIS], ids=["table", "axis"])
def test_a_stricter_validator_asks_only_for_what_it_refuses_and_what_hangs_on_its_replacements(
    seeds: Mapping[str, str], tmp_path: Path, server: Scripted
) -> None:
    site = Site(tmp_path, server, seeds)
    site.asked()
    site.replace("schemas/chain.py", SCORE, SCORE + STRICTER)
    assert site.asked() == (2, 2, 2)
    site.write("schemas/chain.py", SCHEMAS)
    assert site.asked() == (0, 0, 0)


def test_the_last_scenario_alone_fills_all_that_it_is_made_from(
    tmp_path: Path, server: Scripted
) -> None:
    whole = Site(tmp_path / "whole", server)
    whole.asked()
    clone = Site(tmp_path / "clone", server)
    planned = projects.run(clone.root, "plan")
    assert planned.code == 0, planned.err
    assert clone.asked("verdicts") == (4, 4, 4)
    assert exports(clone.root) == exports(whole.root)


SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(
    ["tests.test_chains", "builder.fill.fill", "builder.dataset.exports", "builder.engines.fake"]
)
FAKE = '[tool.builder]\nmodel = "fake:any"\nconcurrency = 2\n[tool.builder.providers.fake]\nlatency = 0.01\n'


def fill(root: str) -> None:
    """In a process of its own, to be killed."""
    builder.open(root).run("verdicts")


def kill(root: Path, answers: int, seconds: float) -> None:
    """SIGKILL to a run so long after so many answers."""
    child = SERVER.Process(target=fill, args=(str(root),))
    child.start()
    while child.is_alive() and counter.read(root / "outputs/store.sqlite") < answers:
        time.sleep(0.001)
    time.sleep(seconds)
    child.kill()
    child.join()
    child.close()


def exports(root: Path) -> dict[str, bytes]:
    """The files of the exported rows."""
    files = sorted((root / "outputs").rglob("data/*"))
    return {file.relative_to(root).as_posix(): file.read_bytes() for file in files}


def resumed(root: Path, kills: Sequence[int]) -> dict[str, bytes]:
    """What a chain exports that was killed after so many answers, each time, and then was not."""
    rng = random.Random(len(kills))
    for name, text in {"pyproject.toml": FAKE, **FILES, **TABLE}.items():
        write(root / name, text)
    for answers in kills:
        kill(root, answers, rng.uniform(0.0, 0.03))
    builder.open(root).run("verdicts")
    return exports(root)


def test_a_chain_that_is_killed_in_each_generation_and_resumed_has_the_same_bytes(
    tmp_path: Path,
) -> None:
    assert resumed(tmp_path / "torn", [1, 6, 12]) == resumed(tmp_path / "whole", [])


@pytest.mark.slow
def test_a_chain_that_is_killed_at_any_point_and_resumed_has_the_same_bytes(tmp_path: Path) -> None:
    whole = resumed(tmp_path / "whole", [])
    for number in range(20):
        assert resumed(tmp_path / str(number), [number * 13 // 20]) == whole
