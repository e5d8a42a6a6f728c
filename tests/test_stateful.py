"""Any sequence of edits, kills, partial runs and resumes ends as an undisturbed run would."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import signal
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

import builder
from builder.records import Key
from builder.store import counter, store

pytestmark = pytest.mark.slow

TOPICS = ("tea", "rain", "火车", "snow", "moss")
SETTINGS = """
[tool.builder]
model = "fake:any"
concurrency = 8
[tool.builder.params]
max_tokens = 100
[tool.builder.providers.fake]
faults = {malformed = 0.25}
latency = LATENCY
"""
SCHEMA = """
from typing import Literal
from pydantic import BaseModel, Field

class Note(BaseModel):
    text: str = Field(min_length=3, max_length=60)
    mood: Literal["good", "bad", "mixed"]
    score: int = Field(ge=0, le=LIMIT)
"""


class Edits:
    """What a person may change, and the files that follow."""

    def __init__(self) -> None:
        self.topics = ["tea", "rain", "火车"]
        self.rows = 20
        self.tries = 1
        self.word = "Write"
        self.limit = 9

    def write(self, root: Path, latency: float = 0.0) -> None:
        schema = SCHEMA.replace("le=LIMIT", "le=9")
        if self.limit < 9:  # a validator: what the model is asked stays as it was
            schema += (
                "    def model_post_init(self, context: object) -> None:\n"
                f"        if self.score > {self.limit}:\n            raise ValueError('too high')\n"
            )
        scenario = {
            "schema": "Note",
            "rows": self.rows,
            "tries": self.tries,
            "vary": {"topic": self.topics, "mood_wanted": ["glad", "sour"]},
            "draw": [{"words": {"integer": [5, 3_000_000]}}],
        }
        files = {
            "pyproject.toml": SETTINGS.replace("LATENCY", str(latency)),
            "schemas/note.py": schema,
            "prompts/notes.j2": self.word
            + " a {{ mood_wanted }} note on {{ topic }}, {{ words }}.",
            "scenarios/notes.yaml": json.dumps(scenario, ensure_ascii=False),
        }
        for name, text in files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text, "utf-8")


def answered(root: Path) -> set[Key]:
    with store.reading(root / "outputs/store.sqlite") as answers:
        return set(answers.keys())


def content(root: Path) -> str:
    builder.open(root).export("note")
    return str(json.loads((root / "outputs/note/manifest.json").read_text("utf-8"))["content"])


def fill(root: str) -> None:
    """In a process of its own, to be killed."""
    builder.open(root).run(export=False)


SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["tests.test_stateful", "builder.engines.fake", "filelock"])


class Runs(RuleBasedStateMachine):
    """A project under edits and accidents, beside one that only ever sees the final files."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp())
        self.edits = Edits()
        self.edits.write(self.root)
        self.kept: set[Key] = set()
        self.paid = 0

    def teardown(self) -> None:
        shutil.rmtree(self.root)

    @rule(topic=st.sampled_from(TOPICS))
    def add_or_remove_an_axis_value(self, topic: str) -> None:
        chosen = self.edits.topics
        if topic not in chosen:
            chosen.append(topic)
        elif len(chosen) > 1:
            chosen.remove(topic)

    @rule(word=st.sampled_from(["Write", "Pour"]))
    def change_a_word_of_the_prompt(self, word: str) -> None:
        self.edits.word = word

    @rule(limit=st.sampled_from([5, 7, 9]))
    def change_the_validator(self, limit: int) -> None:
        self.edits.limit = limit

    @rule(rows=st.integers(1, 40))
    def change_the_rows(self, rows: int) -> None:
        self.edits.rows = rows

    @precondition(lambda self: self.edits.tries < 3)
    @rule()
    def allow_one_more_try(self) -> None:
        # Never fewer: what further tries brought in stays, and is no loss.
        self.edits.tries += 1

    @rule(tokens=st.integers(150, 4000))
    def run_until_a_budget_stops_it(self, tokens: int) -> None:
        self.edits.write(self.root)
        result = builder.open(self.root).run(budget=f"{tokens}tok", export=False)
        self.paid += result.progress.calls

    @rule(seconds=st.floats(0.0, 0.25))
    def run_and_be_killed(self, seconds: float) -> None:
        self.edits.write(self.root, latency=0.03)
        child = SERVER.Process(target=fill, args=(str(self.root),))
        child.start()
        time.sleep(seconds)
        assert child.pid is not None
        os.kill(child.pid, signal.SIGKILL)
        child.join()
        count = counter.read(self.root / "outputs/store.sqlite")
        answers = answered(self.root)
        assert len(answers) >= count
        self.paid += len(answers - self.kept)

    @rule()
    def run_to_the_end(self) -> None:
        self.edits.write(self.root)
        before = answered(self.root)
        calls = builder.open(self.root).run(export=False).progress.calls
        self.paid += calls
        calm = Path(tempfile.mkdtemp())
        try:
            self.edits.write(calm)
            builder.open(calm).run(export=False)
            assert content(self.root) == content(calm)
            assert calls == len(answered(calm) - before)
        finally:
            shutil.rmtree(calm)
        assert builder.open(self.root).run(export=False).progress.calls == 0

    @invariant()
    def no_answer_is_lost_and_none_was_paid_twice(self) -> None:
        now = answered(self.root)
        assert self.kept <= now
        assert self.paid == len(now)
        self.kept = now


TestRuns = Runs.TestCase
TestRuns.settings = settings(max_examples=12, stateful_step_count=10, deadline=None)
