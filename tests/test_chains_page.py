"""The page on chains: its files make a project that plans and runs, and its table counts right."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pyarrow.parquet
import pytest

import builder
from builder.records import Call
from tests import projects

PAGE = (Path(__file__).parent.parent / "docs/chains.md").read_text("utf-8")
FILES = dict(re.findall(r"`([\w./]+\.\w+)`:\n\n```\w+\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE))
STEPS = ("warm", "brief", "pairs", "best")
TABLE, REPLIES, PAIRS = (
    "scenarios/tables/questions.csv",
    "prompts/replies.j2",
    "prompts/pairs.j2",
)


@pytest.fixture
def chain(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text.replace("openai:gpt-5-mini", "fake:any"), "utf-8")
    return tmp_path


def asked(folder: Path) -> list[int]:
    """What one more run asks, by step."""
    calls: Counter[str] = Counter()

    def script(call: Call) -> None:
        prompt = call.messages[0].content
        marks = {"warm": "warm and patient", "brief": "brief and plain", "pairs": "serves them"}
        calls.update(name for name, mark in marks.items() if mark in prompt)

    builder.open(folder).run(engine=builder.Fake(script))
    return [calls[name] for name in STEPS]


def counts(change: str) -> list[int]:
    """The figures of the page for a change."""
    row = next(line for line in PAGE.splitlines() if line.startswith(f"| {change}"))
    return [int(cell) for cell in row.split("|")[2:6]]


def edit(folder: Path, name: str, old: str, new: str) -> None:
    file = folder / name
    text = file.read_text("utf-8")
    assert old in text
    file.write_text(text.replace(old, new), "utf-8")


def test_the_project_of_the_page_runs_from_its_last_scenario(chain: Path) -> None:
    ran = projects.run(chain, "run", "best")
    assert ran.code == 0, ran.err
    assert len(projects.rows(chain, "best")) == 4
    pairs = {row["prompt"]: row for row in projects.rows(chain, "pairs")}
    assert all({"prompt", "chosen", "rejected"} <= row.keys() for row in pairs.values())
    assert {row["prompt"]: row["completion"] for row in projects.rows(chain, "best")} == {
        prompt: row["chosen"] for prompt, row in pairs.items()
    }
    assert {file.name for file in (chain / "outputs").iterdir() if file.is_dir()} == {
        "best",
        "pairs",
    }


def test_the_picture_of_the_page_is_what_plan_draws(chain: Path) -> None:
    (picture,) = re.findall(r"^```mermaid\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    drawn = projects.run(chain, "plan", "--graph=mermaid").out
    assert drawn.replace("0 of ", "") == picture


def test_the_page_counts_what_each_change_asks_again(chain: Path) -> None:
    assert asked(chain) == [4, 4, 4, 0]
    (chain / "outputs/pairs/manifest.json").unlink()
    assert asked(chain) == counts("nothing")
    files = {name: (chain / name).read_text("utf-8") for name in (TABLE, REPLIES, PAIRS)}
    for change, name, old, new in (
        ("one question in the table", TABLE, "two parcels", "three parcels"),
        ("a topic", TABLE, "orders", "deliveries"),
        ("a question more", TABLE, "q4,", "q5,orders,Who took my parcel?\nq4,"),
        ("a word of `prompts/replies.j2`", REPLIES, "Answer", "Reply to"),
        ("a word of `prompts/pairs.j2`", PAIRS, "A customer", "Somebody"),
    ):
        edit(chain, name, old, new)
        assert asked(chain) == counts(change), change
        for file, text in files.items():
            (chain / file).write_text(text, "utf-8")
        assert asked(chain) == counts("all of it back"), change


def test_a_row_stands_where_its_root_stands(chain: Path) -> None:
    assert projects.run(chain, "run").code == 0
    sides = {
        name: {
            row["prompt"]: file.name.split("-")[0]
            for file in sorted((chain / "outputs" / name / "data").glob("*.parquet"))
            for row in pyarrow.parquet.read_table(file).to_pylist()
        }
        for name in ("pairs", "best")
    }
    assert sides["pairs"] == sides["best"]
    edit(
        chain,
        "pyproject.toml",
        "contains_source",
        "[tool.builder.datasets.best]\nsplits = {train = 0.5, test = 0.5}\n#",
    )
    assert "'best' is made from rows of another dataset" in projects.run(chain, "plan").err


def test_the_commands_of_the_page_run(chain: Path) -> None:
    (block,) = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    commands = [line.split("#")[0].split()[1:] for line in block.splitlines()]
    assert [words[0] for words in commands] == ["plan", "run", "run", "show", "why", "publish"]
    for words in commands[:4]:
        ran = projects.run(chain, *words)
        assert ran.code == 0, ran.err
    trial = chain / "outputs/trial/fake-any"
    assert [path.name for path in trial.iterdir()] == ["pairs"]
    case = projects.rows(chain, "pairs")[0]["_case"]
    assert "scenarios/tables/questions.csv" in projects.run(chain, "why", case).out
    refused = chain / "pyproject.toml"
    refused.write_text(refused.read_text("utf-8").replace("contains_source = true", ""), "utf-8")
    ran = projects.run(chain, *commands[5], "--dry-run")
    assert "contains_source = true" in ran.err
