"""Rounds of a top-up in this process: what is written, asked and paid, and when no round follows."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

import builder
from builder import Call, Fake, InputError
from builder.project.settings import Budget
from tests import complaints, projects

ROWS = 60


def answer(call: Call) -> str:
    """A complaint about late parcels, or about the topic whose words the prompt holds most of."""
    words = set(re.findall(r"\w+", " ".join(message.content for message in call.messages)))
    topic = max(complaints.TOPICS, key=lambda t: len(words & set(complaints.TOPICS[t].split())))
    return json.dumps({"text": complaints.text(topic, np.random.default_rng(call.seed))})


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose 60 rows cover one of the two topics of its reference."""
    rng = np.random.default_rng(1)
    reference = [complaints.text(topic, rng) for topic in complaints.TOPICS for _ in range(ROWS)]
    files = {
        "pyproject.toml": projects.SETTINGS + "params = {max_tokens = 20}\n",
        "prompts/letters.j2": complaints.PROMPT,
        "schemas/letters.py": complaints.SCHEMA,
        "scenarios/letters.yaml": complaints.SCENARIO.replace(
            f"rows: {complaints.ROWS}", "rows: 60"
        ),
        "real.jsonl": "".join(json.dumps({"text": line}) + "\n" for line in reference),
    }
    folder = projects.write(tmp_path_factory.mktemp("complaints"), files)
    assert builder.open(folder).run(engine=Fake(answer)).rows == ROWS
    return folder


def test_a_round_asks_for_what_is_thin_and_the_last_only_measures(site: Path) -> None:
    asked: list[str] = []

    def noted(call: Call) -> str:
        asked.append(call.messages[0].content)
        return answer(call)

    result = builder.open(site).topup(
        "letters", reference=site / "real.jsonl", rounds=1, rows=40, engine=Fake(noted)
    )
    first, last = result.rounds
    assert (first.number, first.rows, first.gained, first.end) == (1, 40, None, "")
    assert (last.number, last.rows) == (2, 0)
    assert last.end
    assert last.gained == pytest.approx(last.proposal.coverage - first.proposal.coverage)
    assert last.gained is not None
    assert last.gained > 0.15
    assert result.coverage == last.proposal.coverage
    assert len(asked) == 40
    assert all("Write about what these words point to: " in prompt for prompt in asked)
    assert (result.dataset, result.scenarios) == (
        "complaint",
        frozenset({"letters", "letters_topup"}),
    )
    assert (result.open, result.short, result.neighbours) == (0, 0, [])
    assert result.summary().startswith("complaint: 1 round, coverage ")
    assert [record["rows"] for record in result.records()] == [40, 0]
    assert result.file.read_text("utf-8").count("\n") > 10
    assert sum(tally.accepted for tally in result.tallies.values()) == ROWS + 40
    assert [export.rows for export in result.exports] == [ROWS + 40]
    # Run again, what was written is asked for no more.
    again = builder.open(site).topup(
        "letters", reference=site / "real.jsonl", rounds=0, engine=Fake(noted)
    )
    assert len(asked) == 40
    assert again.rounds[0].end
    assert again.summary().startswith("complaint: 0 rounds, ")
    result.file.write_text(result.file.read_text("utf-8").replace("rows:", "rows:  "), "utf-8")
    with pytest.raises(InputError, match="this file was written or changed by somebody"):
        builder.open(site).topup("letters", reference=site / "real.jsonl", engine=Fake(noted))
    result.file.rename(result.file.with_suffix(".yml"))
    with pytest.raises(InputError, match=r"letters_topup\.yml:1:1: this file was written"):
        builder.open(site).topup("letters", reference=site / "real.jsonl", engine=Fake(noted))
    result.file.with_suffix(".yml").unlink()


@pytest.mark.parametrize(
    ("scenario", "reference", "message"),
    [
        ("", None, "letters has no reference texts"),
        ("given: {focus: x}\n", "real.jsonl", "letters has a 'focus' of its own"),
        ("", "gone.jsonl", "gone.jsonl not found"),
    ],
)
def test_what_cannot_be_topped_up_is_said_before_anything_is_asked(
    tmp_path: Path, scenario: str, reference: str | None, message: str
) -> None:
    prompt = "{{ focus }}\n" if scenario else projects.PROMPT
    files = {
        "scenarios/letters.yaml": f"schema: Letter\nrows: 2\n{scenario}",
        "prompts/letters.j2": prompt,
        "real.jsonl": '{"text": "so short"}\n',
    }
    folder = projects.write(tmp_path, files)
    path = folder / reference if reference else None
    with pytest.raises(InputError, match=message):
        builder.open(folder).topup("letters", reference=path, engine=Fake())
    assert not (folder / "scenarios/letters_topup.yaml").exists()


def test_a_name_that_leaves_no_room_for_a_suffix_is_refused(tmp_path: Path) -> None:
    name = "a" * 60
    files = {f"scenarios/{name}.yaml": "schema: Letter\nprompt: letters\nrows: 2\n"}
    with pytest.raises(InputError, match="is too long for the name of a scenario"):
        builder.open(projects.write(tmp_path, files)).topup(name, reference="x", engine=Fake())


def test_too_few_texts_are_named_and_nothing_is_written(tmp_path: Path) -> None:
    folder = projects.write(tmp_path, {"real.jsonl": '{"text": "so short"}\n'})
    with pytest.raises(InputError, match="too few"):
        builder.open(folder).topup("letters", reference=folder / "real.jsonl", engine=Fake())
    assert [file.name for file in (folder / "scenarios").iterdir()] == ["letters.yaml"]


@pytest.mark.parametrize(
    ("cap", "left"),
    [
        (Budget(usd=2.0), Budget(usd=0.5)),
        (Budget(usd=1.0), Budget(usd=0.0)),
        (Budget(tokens=100), Budget(tokens=70)),
        (Budget(tokens=20), Budget(tokens=0)),
    ],
)
def test_what_a_round_cost_is_taken_off_the_budget_of_the_next(cap: Budget, left: Budget) -> None:
    assert cap.less(1.5, 30) == left
