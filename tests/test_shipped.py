"""What this repository ships: scenarios, schemas, README and docs hold what they say."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from builder.project.words import LATER, Words

ROOT = Path(__file__).parent.parent
SCENARIOS = sorted(path.stem for path in (ROOT / "scenarios").glob("*.yaml"))
CHINESE = ["angry_customers"]
EDITOR_LINE = "# yaml-language-server: $schema=scenario.schema.json"


def ran(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """`builder WORDS` in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "builder", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )


@cache
def schema(module: str, name: str) -> type[BaseModel]:
    """A class of schemas/, loaded by itself."""
    spec = importlib.util.spec_from_file_location(module, ROOT / "schemas" / f"{module}.py")
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[module] = loaded
    try:
        spec.loader.exec_module(loaded)
        found: type[BaseModel] = getattr(loaded, name)
        found.model_rebuild()
    finally:
        del sys.modules[module]
    return found


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project that `builder init` writes, every scenario run on the fake engine."""
    folder = tmp_path_factory.mktemp("shipped") / "project"
    made = ran(folder.parent, "init", str(folder))
    assert made.returncode == 0, made.stderr
    settings = folder / "pyproject.toml"
    settings.write_text('[tool.builder]\nmodel = "fake:any"\n', "utf-8")
    done = ran(folder, "run")
    assert done.returncode == 0, done.stderr
    return folder


def manifest(project: Path, scenario: str) -> dict[str, Any]:
    """The manifest of the dataset that a scenario writes into."""
    for file in project.glob("outputs/*/manifest.json"):
        found: dict[str, Any] = json.loads(file.read_text("utf-8"))
        if scenario in found["scenarios"]:
            return found
    raise AssertionError(f"no dataset of {scenario}")


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_scenario_runs_whole_on_the_fake_engine(project: Path, name: str) -> None:
    found = manifest(project, name)["scenarios"][name]
    assert found["accepted"] == found["wanted"] > 0
    assert found["short_combinations"] == 0


def test_every_scenario_plans_with_the_model_of_the_project() -> None:
    done = ran(ROOT, "plan", "--json")
    assert done.returncode == 0, done.stderr
    planned = {line["scenario"]: line for line in json.loads(done.stdout)["scenarios"]}
    assert sorted(planned) == SCENARIOS
    assert all(line["wanted"] > 0 for line in planned.values())


def test_a_second_run_asks_for_nothing(project: Path) -> None:
    done = ran(project, "run")
    assert done.returncode == 0
    assert "replies" not in done.stderr


def test_two_scenarios_share_the_dataset_of_the_demo(project: Path) -> None:
    assert sorted(manifest(project, "support_messages")["scenarios"]) == [
        "support_messages",
        "support_off_topic",
    ]
    assert "support_messages support_off_topic" in (ROOT / "Makefile").read_text("utf-8")
    assert manifest(project, "support_messages")["rows"] >= 24


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_scenario_says_what_it_is_for_and_names_its_json_schema(name: str) -> None:
    lines = (ROOT / "scenarios" / f"{name}.yaml").read_text("utf-8").splitlines()
    comments = lines[: next(i for i, line in enumerate(lines) if not line.startswith("#"))]
    assert len(comments[0]) > 20
    assert comments[-1] == EDITOR_LINE
    assert len(lines) <= 40, "a scenario is read at a glance"


@pytest.mark.parametrize("name", CHINESE)
def test_chinese_scenarios_say_that_the_embedded_model_speaks_english_only(name: str) -> None:
    head = (ROOT / "scenarios" / f"{name}.yaml").read_text("utf-8").split("schema:")[0]
    assert "只会英文" in head
    assert f"builder run {name} --model openai:" in head


def test_a_refund_above_the_order_is_refused() -> None:
    complaint = schema("customer_complaint", "CustomerComplaint")
    answer = {
        "customer_intent": "要求退款",
        "sentiment": "愤怒",
        "message": "耳机三天就坏了,客服一直推脱,我要求全额退款,今天就给答复!",
        "entities": {"time_frame": "三天", "action": "全额退款"},
        "refund_amount": 199.0,
    }
    whole = complaint.model_validate(answer, context={"order_amount": 199.0})
    assert whole.model_dump()["refund_amount"] == 199.0
    with pytest.raises(ValidationError, match="退款 199 元高于订单金额 150 元"):
        complaint.model_validate(answer, context={"order_amount": 150.0})
    assert complaint.model_validate(answer), "without a case there is no order to hold it against"
    with pytest.raises(ValidationError, match="greater than or equal to 0"):
        complaint.model_validate({**answer, "refund_amount": -1})


def tagged(text: str, *mentions: tuple[str, str]) -> list[dict[str, Any]]:
    """The spans that the tagger's schema finds."""
    listed = [{"surface": surface, "label": label} for surface, label in mentions]
    sentence = schema("tagged_sentence", "TaggedSentence").model_validate(
        {"text": text, "mentions": listed}
    )
    row = sentence.model_dump(mode="json")
    assert list(row) == ["text", "spans"]
    found: list[dict[str, Any]] = row["spans"]
    return found


def test_spans_are_the_places_of_the_mentions() -> None:
    text = "Anna Bell met Ann in Annandale; later Ann left."
    spans = tagged(
        text, ("Ann", "person"), ("Ann", "person"), ("Anna Bell", "person"), ("Annandale", "place")
    )
    assert [text[span["start"] : span["end"]] for span in spans] == [
        "Ann", "Ann", "Anna Bell", "Annandale",
    ]  # fmt: skip
    assert [span["start"] for span in spans] == [14, 38, 0, 21]


@pytest.mark.parametrize("surface", ["Bob", "An", "ann"])
def test_a_mention_that_the_text_does_not_hold_is_refused(surface: str) -> None:
    with pytest.raises(ValidationError, match=f"the mention '{surface}' does not occur"):
        tagged("Yesterday Ann left for the coast.", (surface, "person"))


def test_a_name_listed_more_often_than_it_stands_there_is_refused() -> None:
    with pytest.raises(ValidationError, match="does not occur"):
        tagged("Yesterday Ann left for the coast.", ("Ann", "person"), ("Ann", "person"))


def test_a_dialogue_becomes_chat_messages_that_alternate() -> None:
    dialogue = schema("tutor_dialogue", "TutorDialogue")
    exchanges = [
        {"pupil": "What is a half?", "tutor": "What do you get when two share a cake?"},
        {"pupil": "One piece of two.", "tutor": "Just so. How would you write it?"},
    ]
    row = dialogue.model_validate({"exchanges": exchanges}).model_dump(mode="json")
    assert list(row) == ["messages"]
    assert [turn["role"] for turn in row["messages"]] == ["user", "assistant"] * 2
    assert row["messages"][1]["content"] == exchanges[0]["tutor"]
    with pytest.raises(ValidationError, match="the same twice"):
        dialogue.model_validate({"exchanges": exchanges[:1] * 2})


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("I am sorry to hear about your parcel.", "is what support says"),
        ("Hello, my parcel has not arrived and", "shorter, please"),
        ("Hello [name], where is my parcel now?", "no blanks"),
    ],
)
def test_a_support_message_is_a_whole_one_of_a_customer(message: str, reason: str) -> None:
    support = schema("support_message", "SupportMessage")
    assert support.model_validate({"message": "Hello, where is my parcel?"})
    with pytest.raises(ValidationError, match=reason):
        support.model_validate({"message": message})


def test_no_more_people_are_hurt_than_were_near() -> None:
    report = schema("incident_report", "IncidentReport")
    answer = {
        "report": "A hose came loose and solvent ran over the floor.",
        "severity": 2,
        "people_hurt": 2,
        "first_action": "Close the valve.",
    }
    assert report.model_validate(answer)
    assert report.model_validate(answer, context={"people_near": 2})
    with pytest.raises(ValidationError, match="2 people hurt, and 1 were near"):
        report.model_validate(answer, context={"people_near": 1})


def test_nothing_is_approved_under_the_lowest_score() -> None:
    note = schema("credit_note", "CreditNote")
    answer = {
        "note": "Income covers the loan, one payment was late.",
        "main_risk": "late payments",
        "recommendation": "approve",
    }
    assert note.model_validate(answer)
    assert note.model_validate(answer, context={"credit_score": 600})
    with pytest.raises(ValidationError, match="approved at a score of 550, under 600"):
        note.model_validate(answer, context={"credit_score": 550})


def test_income_and_score_are_pairs_of_the_table(project: Path) -> None:
    lines = (project / "scenarios/tables/credit.csv").read_text("utf-8").split()[1:]
    assert len(lines) == 10
    drawn = ran(project, "draw", "credit_notes", "--rows", "50", "--csv").stdout.splitlines()
    head, rows = drawn[0].split(","), [line.split(",") for line in drawn[1:]]
    income, score = head.index("income_10k_yuan"), head.index("credit_score")
    assert {f"{row[income]},{row[score]}" for row in rows} <= set(lines)


def blocks(file: str, language: str) -> list[str]:
    """The fenced blocks of a page in one language."""
    text = (ROOT / file).read_text("utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("readme", ["README.md", "README.zh.md"])
@pytest.mark.parametrize(
    ("language", "file"),
    [
        ("yaml", "scenarios/credit_notes.yaml"),
        ("jinja", "prompts/credit_notes.j2"),
        ("python", "schemas/credit_note.py"),
    ],
)
def test_the_files_in_the_readme_are_the_shipped_ones(
    readme: str, language: str, file: str
) -> None:
    assert (ROOT / file).read_text("utf-8") in blocks(readme, language)


def commands(readme: str) -> list[list[str]]:
    """The builder's commands in a README's shell blocks and tables, without environment."""
    text = (ROOT / readme).read_text("utf-8")
    lines = [line.split("#")[0] for block in blocks(readme, "sh") for line in block.splitlines()]
    lines += re.findall(r"`(builder [^`]*)`", text)
    words = (shlex.split(line.replace("…", "x")) for line in lines)
    return [found[found.index("builder") + 1 :] for found in words if "builder" in found]


@pytest.mark.parametrize("readme", ["README.md", "README.zh.md"])
def test_every_command_in_the_readme_exists(readme: str) -> None:
    verbs = set(re.findall(r"^  ([a-z]+)  ", ran(ROOT, "--help").stdout, re.MULTILINE))
    named = {command[0] for command in commands(readme)} - {"VERB", "命令"}
    assert named <= verbs
    assert {"init", "plan", "run", "show", "draw", "export"} <= named
    for target in re.findall(r"^make (\w+)", "".join(blocks(readme, "sh")), re.MULTILINE):
        assert f"\n{target}:" in (ROOT / "Makefile").read_text("utf-8")


@pytest.mark.parametrize("readme", ["README.md", "README.zh.md"])
def test_commands_of_the_readme_that_need_no_provider_run(project: Path, readme: str) -> None:
    found = [command for command in commands(readme) if "fake:any" in command]
    assert found
    for command in found:
        done = ran(project, *command)
        assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_rows_can_be_shown_and_exported_again(project: Path) -> None:
    for command in ("plan credit_notes --show 1", "show credit_note --table", "export"):
        done = ran(project, *command.split())
        assert done.returncode == 0, done.stderr
        assert done.stdout
    shown = ran(project, "show", "credit_note", "--rejects").stdout
    assert "under 600" in shown


def test_the_chinese_readme_begins_with_the_limit_of_the_embedded_model() -> None:
    assert "只会英文" in "\n".join((ROOT / "README.zh.md").read_text("utf-8").splitlines()[:4])


@pytest.mark.parametrize(
    "page",
    [
        *(p.name for p in ROOT.glob("*.md")),
        *(f"docs/{p.name}" for p in (ROOT / "docs").glob("*.md")),
    ],
)
def test_links_between_pages_lead_somewhere(page: str) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", (ROOT / page).read_text("utf-8")):
        assert ((ROOT / page).parent / target).exists(), target


def test_every_word_of_a_scenario_is_explained() -> None:
    page = (ROOT / "docs/scenario.md").read_text("utf-8")
    words = {field.alias or name for name, field in Words.model_fields.items()}
    in_table = set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE))
    assert in_table == words
    reserved = next(line for line in page.splitlines() if "reserved and refused" in line)
    assert set(re.findall(r"`(\w+)`", reserved)) == set(LATER)


def test_the_python_page_runs(tmp_path: Path) -> None:
    script = tmp_path / "page.py"
    script.write_text(blocks("docs/python.md", "python")[0], "utf-8")
    done = subprocess.run(
        [sys.executable, str(script)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "30 rows wanted, 30 to ask" in done.stdout
    assert "trial/fake-any/credit_note" in done.stdout.replace("\\", "/")
