"""A dataset never shrinks unsaid: what an export leaves alone, what it says, and what lets it go."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import builder
from tests import projects
from tests.projects import run

SETTINGS = '[tool.builder]\nmodel = "fake:any"\n[tool.builder.params]\nmax_tokens = 60\n'
MANY = "schema: Letter\nrows: 15 each\nvary:\n  tone: [glad, sad]\n"
STRICT = """\
from pydantic import BaseModel, Field, field_validator


class Letter(BaseModel):
    text: str = Field(min_length=5, max_length=80)

    @field_validator("text")
    @classmethod
    def short(cls, text: str) -> str:
        assert len(text) LIMIT, "too long"
        return text
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project of thirty rows that are exported."""
    projects.write(tmp_path, {"pyproject.toml": SETTINGS, "scenarios/letters.yaml": MANY})
    assert run(tmp_path, "run").code == 0
    assert rows(tmp_path) == 30
    return tmp_path


def home(folder: Path) -> Path:
    return folder / "outputs/letter"


def content(folder: Path) -> dict[str, bytes]:
    files = (path for path in home(folder).rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def rows(folder: Path) -> int:
    return int(json.loads((home(folder) / "manifest.json").read_text("utf-8"))["rows"])


def edit(folder: Path) -> None:
    (folder / "prompts/letters.j2").write_text("Compose a letter, {{ tone }}.\n", "utf-8")


def restrict(folder: Path, limit: str) -> None:
    (folder / "schemas/letters.py").write_text(STRICT.replace("LIMIT", limit), "utf-8")


def test_an_export_after_a_prompt_edit_leaves_the_folder_alone(folder: Path) -> None:
    before = content(folder)
    edit(folder)
    for words in (["export"], ["export", "--partial"], ["export", "--format", "csv"]):
        ran = run(folder, *words)
        assert (ran.code, ran.out) == (5, "")
        assert (
            "letter: left alone, it holds 30 rows from before your edit of prompts/letters.j2, and "
            "now 0 of 30 rows would stand there; `builder run` asks for 30"
        ) in ran.err
        assert content(folder) == before
    (folder / "prompts/letters.j2").write_text(projects.PROMPT, "utf-8")
    ran = run(folder, "export")
    assert (ran.code, ran.out) == (0, "outputs/letter\n")
    assert content(folder) == before


def test_an_export_after_a_stricter_validator_wants_a_word(folder: Path) -> None:
    before = content(folder)
    restrict(folder, "< 55")
    ran = run(folder, "export", "--format", "jsonl")
    assert ran.code == 5
    assert "from before your edit of schemas/letters.py, and now" in ran.err
    assert "`builder export letter --partial` writes what there is" in ran.err
    assert "`builder show --rejects` has them" in ran.err
    assert content(folder) == before
    partial = run(folder, "export", "--partial")
    assert partial.code == 0
    assert "where 30 stood before" in partial.err
    assert 0 < rows(folder) < 30


def test_a_stopped_run_does_not_replace_a_full_folder(folder: Path) -> None:
    before = content(folder)
    edit(folder)
    stopped = run(folder, "run", "--budget", "600tok")
    assert stopped.code == 75
    held = len(list(builder.open(folder).show()))
    assert 0 < held < 30
    assert (
        f"letter: left alone, it holds 30 rows from before your edit of prompts/letters.j2, and "
        f"now {held} of 30 rows would stand there; `builder run` asks for {30 - held}, "
        "`builder export letter --partial` writes what there is"
    ) in stopped.err
    assert "load it" not in stopped.err
    assert stopped.out == ""
    assert content(folder) == before
    assert not list(home(folder).rglob("*.part"))
    whole = run(folder, "run")
    assert (whole.code, rows(folder)) == (0, 30)


def test_a_stopped_run_writes_what_is_no_less(tmp_path: Path) -> None:
    projects.write(tmp_path, {"pyproject.toml": SETTINGS, "scenarios/letters.yaml": MANY})
    assert run(tmp_path, "run", "--budget", "600tok").code == 75
    first = rows(tmp_path)
    assert 0 < first < 30
    assert run(tmp_path, "run", "--budget", "600tok").code == 75
    assert rows(tmp_path) > first


def test_a_settled_plan_that_is_smaller_is_written_and_said(folder: Path) -> None:
    (folder / "scenarios/letters.yaml").write_text(MANY.replace("15 each", "4 each"), "utf-8")
    ran = run(folder, "export")
    assert ran.code == 0
    assert "letter: 8 of 8 rows, where 30 stood before" in ran.err
    assert rows(folder) == 8
    again = run(folder, "export")
    assert "stood before" not in again.err


def test_no_rows_are_never_written_over_some(folder: Path) -> None:
    before = content(folder)
    restrict(folder, "> 999")
    scenario = folder / "scenarios/letters.yaml"
    scenario.write_text(f"{MANY}tries: 1\n", "utf-8")
    for _ in range(3):
        ran = run(folder, "run", "--yes")
    assert run(folder, "export", "--partial").code == 5
    assert ran.code in (5, 75)
    assert content(folder) == before
    (home(folder) / "manifest.json").unlink()
    ran = run(folder, "export", "--partial")
    assert ran.code == 5
    assert "it holds data" in ran.err
    assert (home(folder) / "data").is_dir()


def test_a_dataset_of_two_scenarios_one_of_which_is_not_asked_again_says_so(folder: Path) -> None:
    (folder / "scenarios/more.yaml").write_text(f"prompt: letters\n{MANY}", "utf-8")
    assert run(folder, "run").code == 0
    edit(folder)
    ran = run(folder, "run", "letters")
    assert ran.code == 5
    assert "left alone, it holds 60 rows" in ran.err
    assert rows(folder) == 60


def test_show_names_the_rows_from_before_an_edit(folder: Path) -> None:
    edit(folder)
    shown = run(folder, "show")
    assert shown.code == 0
    assert shown.err == (
        "no rows now; `builder run` asks for some\n"
        "30 rows from before your edit of prompts/letters.j2; outputs/letter still holds them\n"
    )
    run(folder, "run", "--budget", "300tok")
    few = run(folder, "show", "-n", "30")
    assert few.out
    assert "30 rows from before your edit of prompts/letters.j2" in few.err
    (folder / "prompts/letters.j2").write_text(projects.PROMPT, "utf-8")
    assert run(folder, "show", "-n", "30").err == ""


def test_a_run_that_brings_nothing_names_what_is_held(folder: Path) -> None:
    edit(folder)
    ran = run(folder, "run", "--budget", "1tok")
    assert ran.code == 75
    assert "30 rows from before your edit of prompts/letters.j2; outputs/letter still" in ran.err


def test_old_rejects_are_told_once(tmp_path: Path) -> None:
    faulty = SETTINGS + "[tool.builder.providers.fake]\nfaults = {malformed = 0.4}\n"
    projects.write(tmp_path, {"pyproject.toml": faulty, "scenarios/letters.yaml": MANY})
    first = run(tmp_path, "run")
    assert "answers rejected, all in letter/rejects.jsonl" in first.err
    for words in (["run"], ["export"], ["export", "--format", "jsonl"]):
        again = run(tmp_path, *words)
        assert "rejected" not in again.err
        assert "× " not in again.err
    (tmp_path / "scenarios/letters.yaml").write_text(MANY.replace("15", "30"), "utf-8")
    grown = run(tmp_path, "run")
    assert " more answers of " in grown.err


def test_from_python_a_folder_that_is_left_alone_is_named(folder: Path) -> None:
    edit(folder)
    workspace = builder.open(folder)
    result = workspace.export()
    assert (result.folders, result.kept) == ([], ["letter"])
    assert "left alone: letter" in repr(result)
    assert next(iter(result.records()))["left alone"] is True
    assert workspace.export(partial=True).kept == ["letter"]
