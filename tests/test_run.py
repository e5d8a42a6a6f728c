"""The whole job against a loopback provider that counts: what is asked, paid, kept and shown."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.provider import Provider

SCHEMA = """
from typing import Literal
from pydantic import BaseModel, Field, field_validator

class Note(BaseModel):
    text: str = Field(min_length=3, max_length=60)
    mood: Literal["good", "bad", "mixed"]
    score: int = Field(ge=0, le=9)
"""
STRICTER = """
    @field_validator("score")
    @classmethod
    def low(cls, value: int) -> int:
        if value > 4:
            raise ValueError("MESSAGE")
        return value
"""
PROMPT = "Write a {{ mood_wanted }} note about {{ topic }}, {{ words }} words.\n"
SCENARIO = """
schema: Note
rows: 4 each
vary:
  topic: [tea, rain, 火车]
  mood_wanted: [glad, sour]
draw:
  - words: {integer: [5, 30]}
"""


class Site:
    """A project on disk and the provider that it asks."""

    def __init__(self, root: Path, provider: Provider) -> None:
        self.root = root
        self.provider = provider
        self.environ: dict[str, str] = {}
        for folder in ("scenarios", "prompts", "schemas"):
            (root / folder).mkdir()
        self.write("schemas/note.py", SCHEMA)
        self.write("prompts/notes.j2", PROMPT)
        self.write("scenarios/notes.yaml", SCENARIO)
        self.settings()

    def settings(self, extra: str = "", **provider: Any) -> None:
        lines = [f"{name} = {json.dumps(value)}" for name, value in provider.items()]
        self.write(
            "pyproject.toml",
            "\n".join(
                [
                    "[tool.builder]",
                    'model = "mine:test-1"',
                    extra,
                    "[tool.builder.providers.mine]",
                    f'base_url = "{self.provider.url}/v1"',
                    *lines,
                ]
            ),
        )

    def priced(self) -> None:
        text = (self.root / "pyproject.toml").read_text("utf-8")
        self.write("pyproject.toml", text + "\nusd_per_million = {input = 100.0, output = 200.0}\n")

    def write(self, name: str, text: str) -> None:
        (self.root / name).write_text(text, "utf-8")

    def replace(self, name: str, old: str, new: str) -> None:
        text = (self.root / name).read_text("utf-8")
        assert old in text
        self.write(name, text.replace(old, new))

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "builder", *words, "--project", str(self.root)]

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command(*words),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **self.environ},
        )

    def run(self, *words: str, code: int = 0) -> tuple[str, str, int]:
        """stdout, stderr and the calls that reached the provider."""
        before = self.provider.calls
        process = self.start(*words)
        out, err = process.communicate(timeout=120)
        assert process.returncode == code, err
        assert "Traceback" not in err
        return out, err, self.provider.calls - before

    def rows(self, dataset: str = "note") -> list[dict[str, Any]]:
        import pyarrow.parquet

        found: list[dict[str, Any]] = []
        for path in sorted((self.root / "outputs" / dataset / "data").glob("*.parquet")):
            found += pyarrow.parquet.read_table(path).to_pylist()
        return found

    def rejects(self) -> list[dict[str, Any]]:
        import jsonlines

        with jsonlines.open(self.root / "outputs/note/rejects.jsonl") as reader:
            return list(reader)

    def content(self) -> str:
        manifest = json.loads((self.root / "outputs/note/manifest.json").read_text("utf-8"))
        return str(manifest["content"])


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with Provider() as provider:
        yield Site(tmp_path, provider)


def bytes_of(folder: Path) -> Mapping[str, tuple[bytes, int]]:
    return {
        path.relative_to(folder).as_posix(): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(".lock")
    }


def test_first_run_asks_each_planned_row_once_and_a_second_asks_nothing(site: Site) -> None:
    out, err, calls = site.run("run")
    assert calls == 24
    assert len(site.rows()) == 24
    assert out.strip().endswith("outputs/note")
    assert "datasets.load_dataset(" in err
    before = bytes_of(site.root / "outputs" / "note")
    _, _, calls = site.run("run")
    assert calls == 0
    assert bytes_of(site.root / "outputs" / "note") == before


@pytest.mark.slow
def test_each_edit_costs_just_what_it_changed(site: Site) -> None:
    def calls(*words: str, code: int = 0) -> int:
        return site.run("run", *words, code=code)[2]

    assert calls() == 24
    # An axis value added is its own rows; taken out again it is nothing.
    site.replace("scenarios/notes.yaml", "火车]", "火车, snow]")
    assert calls() == 8
    assert len(site.rows()) == 32
    site.replace("scenarios/notes.yaml", "火车, snow]", "火车]")
    assert calls() == 0
    assert len(site.rows()) == 24
    # What is no part of a request is free.
    site.replace("scenarios/notes.yaml", "schema: Note", "# a comment\nschema: Note")
    site.replace("scenarios/notes.yaml", "rows: 4 each\n", "")
    site.replace("scenarios/notes.yaml", "draw:", "rows: 4 each\ndraw:")
    assert calls() == 0
    site.write("prompts/part.j2", "note about {{ topic }}")
    site.replace("prompts/notes.j2", "note about {{ topic }}", "{% include 'part.j2' %}")
    assert calls() == 0
    site.settings(timeout=30)
    assert calls("--concurrency", "3") == 0
    with Provider() as moved:
        here, site.provider = site.provider, moved
        site.settings()
        assert calls() == 0
        assert "some held answers came from" in site.run("plan")[0]
        site.provider = here
        site.settings()
    # One word of a prompt is the rows that hold it; put back it is nothing.
    site.replace(
        "prompts/notes.j2", "Write a", "{% if topic == 'tea' %}Pour{% else %}Write{% endif %} a"
    )
    assert calls() == 8
    site.replace(
        "prompts/notes.j2", "{% if topic == 'tea' %}Pour{% else %}Write{% endif %} a", "Write a"
    )
    assert calls() == 0


def test_a_stricter_validator_is_judged_for_free_and_asks_only_for_what_it_refused(
    site: Site,
) -> None:
    site.run("run")
    site.write("schemas/note.py", SCHEMA + STRICTER)
    _, err, calls = site.run("export", code=5)
    assert calls == 0
    assert "it holds 24 rows from before your edit of schemas/note.py" in err
    assert len(site.rows()) == 24
    assert site.run("export", "--partial")[2] == 0
    kept = site.rows()
    assert 0 < len(kept) < 24
    assert all(row["score"] <= 4 for row in kept)
    refused = 24 - len(kept)
    assert len(site.rejects()) == refused
    _, _, calls = site.run("run")
    assert calls >= refused
    rows = site.rows()
    assert len(rows) == 24
    assert {row["_key"] for row in kept} <= {row["_key"] for row in rows}
    assert calls == refused + len(site.rejects()) - refused
    site.replace("schemas/note.py", "MESSAGE", "another wording")
    assert site.run("run")[2] == 0


def hard(site: Site) -> None:
    """500 rows over 30 combinations, a fifth of the answers against the schema."""
    site.provider.malformed = 0.2
    topics = ", ".join(f"t{i}" for i in range(15))
    site.replace("scenarios/notes.yaml", "[tea, rain, 火车]", f"[{topics}]")
    site.replace("scenarios/notes.yaml", "rows: 4 each", "rows: 500")
    site.replace("scenarios/notes.yaml", "integer: [5, 30]", "integer: [5, 3000000]")


@pytest.mark.slow
def test_exactly_n_rows_whatever_the_rejects_and_the_order_of_arrival(tmp_path: Path) -> None:
    contents, rows = [], []
    latencies = [(0.0, 0.03), (0.0, 0.03), (0.0, 0.0)]
    for number, latency in enumerate(latencies):
        folder = tmp_path / str(number)
        folder.mkdir()
        with Provider(latency=latency, seed=number) as provider:
            site = Site(folder, provider)
            hard(site)
            site.run("run", "--concurrency", str(1 + 30 * number))
            contents.append(site.content())
            rows.append(site.rows())
            rejects = site.rejects()
    assert len(rows[0]) == 500
    assert contents[0] == contents[1] == contents[2]
    assert len(rejects) > 50
    for reject in rejects:
        assert reject["stage"] in ("parse", "validate")
        assert reject["reason"]
        assert isinstance(reject["raw"], str)
        assert reject["key"]
        assert reject["case"]


@pytest.mark.slow
def test_killed_and_resumed_it_ends_with_the_same_rows(tmp_path: Path) -> None:
    whole, torn = tmp_path / "whole", tmp_path / "torn"
    whole.mkdir()
    torn.mkdir()
    with Provider(latency=(0.0, 0.02)) as provider:
        site = Site(whole, provider)
        hard(site)
        site.run("run")
        wanted, paid = site.content(), provider.calls
    rng = random.Random(1)
    with Provider(latency=(0.0, 0.02)) as provider:
        site = Site(torn, provider)
        hard(site)
        kills = 0
        for _ in range(4):
            process = site.start("run", "--concurrency", "16")
            time.sleep(rng.uniform(0.8, 1.5))
            process.kill()
            process.communicate()
            kills += process.returncode == -signal.SIGKILL
        site.run("run")
        assert kills
        assert site.content() == wanted
        # At most the calls in flight and the last commit group are paid again.
        assert provider.calls - paid <= kills * (16 + 256)


def test_a_case_that_spends_its_tries_calls_up_the_next_occurrence(site: Site) -> None:
    hard(site)
    site.replace("scenarios/notes.yaml", "rows: 500", "rows: 120\ntries: 1")
    site.run("run")
    rows = site.rows()
    assert len(rows) == 120
    assert len({row["_key"] for row in rows}) == 120
    assert site.run("run")[2] == 0


@pytest.mark.slow
def test_short_combinations_are_reported_and_more_tries_mend_them(site: Site) -> None:
    site.settings("[tool.builder.providers.fake]\nfaults = {malformed = 0.92}")
    site.replace("pyproject.toml", "mine:test-1", "fake:any")
    site.replace("scenarios/notes.yaml", "rows: 4 each", "rows: 1 each\ntries: 1")
    _, err, _ = site.run("run", code=5)
    assert "rows short in" in err
    assert "--tries" in err
    had = {row["_key"] for row in site.rows()}
    site.run("run", "--tries", "30")
    rows = site.rows()
    assert len(rows) == 6
    assert had < {row["_key"] for row in rows}
    assert "0 rows" not in site.run("run")[1]
    assert site.rows() == rows


@pytest.mark.slow
def test_a_cut_off_reply_is_no_answer_and_is_asked_again_next_time(tmp_path: Path) -> None:
    with Provider(faults={"length": 1.0}) as provider:
        site = Site(tmp_path, provider)
        _, err, calls = site.run("run", code=75)
        assert 20 <= calls <= 20 + 3 * 8
        assert "were all cut off at" in err
        assert site.rows() == []
    with Provider() as healthy:
        site.provider = healthy
        site.settings()
        assert site.run("run")[2] == 24
        assert len(site.rows()) == 24


@pytest.mark.slow
def test_prose_from_the_first_answers_on_stops_the_run_resumable(tmp_path: Path) -> None:
    with Provider(faults={"prose": 1.0}) as provider:
        site = Site(tmp_path, provider)
        _, err, calls = site.run("run", "--concurrency", "4", code=75)
        assert "were all no JSON" in err
        assert calls <= 20 + 8


def test_a_wrong_key_stops_at_once_and_names_the_variable(tmp_path: Path) -> None:
    with Provider(key="right") as provider:
        site = Site(tmp_path, provider)
        site.settings(api_key_env="MY_KEY")
        _, err, calls = site.run("run", code=2)
        assert calls == 0
        assert "MY_KEY" in err
        site.environ = {"MY_KEY": "sk-wrong-secret-value"}
        _, err, calls = site.run("run", "--concurrency", "4", code=75)
        assert calls <= 4
        assert "MY_KEY" in err.split("error: ")[1].split("\n")[0]
        assert "sk-wrong-secret-value" not in err


@pytest.mark.slow
def test_interrupting_keeps_what_was_answered(tmp_path: Path) -> None:
    with Provider(latency=0.2) as provider:
        site = Site(tmp_path, provider)
        site.replace("scenarios/notes.yaml", "rows: 4 each", "rows: 400")
        process = site.start("run", "--concurrency", "8")
        while provider.calls < 16:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
        assert process.returncode == 75, err
        assert "Run again to go on" in err
        first = provider.calls
        assert len(site.rows()) == first
        site.run("run")
        assert provider.calls == 400
        assert len(site.rows()) == 400


@pytest.mark.slow
def test_a_budget_stops_before_it_is_crossed(site: Site) -> None:
    assert "max_tokens" in site.run("run", "--budget", "600tok", code=2)[1]
    site.settings("[tool.builder.params]\nmax_tokens = 60")
    _, err, calls = site.run("run", "--budget", "600tok", code=75)
    assert "budget" in err
    assert 0 < calls < 24
    asked = re.search(r"asked: \d+ replies · (\d+) \+ (\d+) tokens", err)
    assert asked
    assert int(asked[1]) + int(asked[2]) <= 600
    assert "price" in site.run("run", "--budget", "1usd", code=2)[1]


@pytest.mark.slow
def test_prices_of_the_project_appear_in_the_summary(site: Site) -> None:
    site.priced()
    _, err, _ = site.run("run", "--yes")
    line = next(line for line in err.splitlines() if line.startswith("asked:"))
    assert line.endswith(" usd")
    assert float(line.split()[-2]) > 0


@pytest.mark.slow
def test_an_expensive_run_wants_a_yes(site: Site) -> None:
    site.settings('confirm_above = "0.001usd"')
    site.priced()
    _, err, calls = site.run("run", code=2)
    assert calls == 0
    assert "--yes" in err
    assert site.run("run", "--yes")[2] == 24


@pytest.mark.slow
def test_two_scenarios_share_a_dataset_and_number_their_repeats_together(site: Site) -> None:
    site.replace(
        "scenarios/notes.yaml", "draw:\n  - words: {integer: [5, 30]}", "given: {words: 9}"
    )
    site.write(
        "scenarios/more.yaml",
        "prompt: notes\n" + (site.root / "scenarios/notes.yaml").read_text("utf-8"),
    )
    _, _, calls = site.run("run")
    assert calls == 48
    rows = site.rows()
    assert len({row["_key"] for row in rows}) == 48
    assert {row["_scenario"] for row in rows} == {"notes", "more"}


@pytest.mark.slow
def test_a_trial_exports_apart_and_the_dataset_stays(site: Site) -> None:
    site.run("run")
    before = bytes_of(site.root / "outputs" / "note")
    out, _, _ = site.run("run", "--rows", "3")
    assert "trial" in out
    assert len(site.rows("trial/mine-test-1/note")) == 3
    assert bytes_of(site.root / "outputs" / "note") == before


@pytest.mark.slow
def test_jsonl_on_request(site: Site) -> None:
    import jsonlines

    site.run("run", "--format", "jsonl")
    data = site.root / "outputs/note/data"
    assert [path.suffix for path in data.iterdir()] == [".jsonl"]
    with jsonlines.open(next(data.iterdir())) as reader:
        rows = list(reader)
    assert len(rows) == 24
    assert {row["topic"] for row in rows} == {"tea", "rain", "火车"}
    assert "火车" in next(data.iterdir()).read_text("utf-8")


def test_load_dataset_reads_the_folder_with_its_splits(site: Site) -> None:
    import datasets

    site.settings("[tool.builder.datasets.note]\nsplits = {train = 0.7, test = 0.3}")
    site.run("run")
    loaded = datasets.load_dataset(
        str(site.root / "outputs/note"), cache_dir=str(site.root / "cache")
    )
    assert set(loaded) == {"train", "test"}
    texts = [row["text"] for part in loaded.values() for row in part]
    rejects = (site.root / "outputs/note/rejects.jsonl").read_text("utf-8").splitlines()
    copies = [reject for line in rejects if (reject := json.loads(line))["stage"] == "similar"]
    assert len(texts) + len(copies) == 24
    assert len(texts) == len(set(texts))
    assert "火车" in loaded["train"]["topic"]
    assert loaded["train"].column_names[-4:] == ["_scenario", "_model", "_case", "_key"]
    assert loaded["train"].features["score"].dtype == "int64"


def test_plan_as_json_says_what_a_run_would_ask(site: Site) -> None:
    out, _, calls = site.run("plan", "--json")
    assert calls == 0
    (line,) = json.loads(out)["scenarios"]
    assert (line["wanted"], line["held"], line["to_ask"]) == (24, 0, 24)
    site.run("run")
    (line,) = json.loads(site.run("plan", "--json")[0])["scenarios"]
    assert (line["held"], line["to_ask"]) == (24, 0)
    shown = site.run("plan", "--show", "2")[0]
    assert shown.count("[user]") == 2


@pytest.mark.slow
def test_show_prints_rows_and_rejects_as_records(site: Site) -> None:
    site.provider.malformed = 0.3
    site.run("run")
    out, _, _ = site.run("show", "-n", "2")
    assert out.count("── row") == 2
    assert "mood" in out
    out, _, _ = site.run("show", "Note", "--rejects", "-n", "1")
    assert "reason" in out
    assert "raw" in out


def test_text_answers_fill_the_only_text_field(site: Site) -> None:
    site.write(
        "schemas/note.py",
        "from pydantic import BaseModel\n\nclass Note(BaseModel):\n    text: str\n    kind: int = 3\n",
    )
    site.replace("scenarios/notes.yaml", "schema: Note", "schema: Note\nanswer: text")
    site.run("run")
    assert "response_format" not in site.provider.bodies[0]
    assert all(row["text"] and row["kind"] == 3 for row in site.rows())
