"""A run stops when its first answers were all refused for one reason, and goes on when that is mended."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests import projects

pytestmark = pytest.mark.slow

VALIDATOR = """\
from pydantic import BaseModel, Field, ValidationInfo, model_validator


class Letter(BaseModel):
    text: str = Field(min_length=5, max_length=80)

    @model_validator(mode="after")
    def fits(self, info: ValidationInfo) -> "Letter":
        {line}
        return self
"""
SCENARIO = "schema: Letter\nrows: {rows}\nvary:\n  tone: [{tones}]\n"


def site(folder: Path, line: str, *, rows: str = "200", tones: str = "glad, sad") -> Path:
    files = {
        "schemas/letters.py": VALIDATOR.format(line=line),
        "scenarios/letters.yaml": SCENARIO.format(rows=rows, tones=tones),
    }
    return projects.write(folder, files)


def mend(folder: Path) -> None:
    (folder / "schemas/letters.py").write_text(projects.SCHEMA, "utf-8")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            "info.context['tune']",
            "a validator raised KeyError: 'tune', which is no name of info.context. "
            "Did you mean 'tone'? Its names: schema, tone",
        ),
        ("assert info.contxt", "a validator raised AttributeError: "),
        ("assert self.text < 3", "a validator raised TypeError: '<' not supported"),
        ("nothing()", "a validator raised NameError: name 'nothing' is not defined"),
    ],
)
def test_a_fault_of_the_schema_stops_the_run_at_its_line(
    line: str, said: str, tmp_path: Path
) -> None:
    folder = site(tmp_path, line)
    ran = projects.run(folder, "run", "--concurrency", "4")
    assert ran.code == 75
    assert f"error: schemas/letters.py:9:1: {said}" in ran.err
    assert "a fault of the schema, not of the answers" in ran.err
    assert projects.held(folder) <= 5 + 4 * 4


def test_a_validator_without_end_stops_the_run_at_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("builder.results.validate.LIMIT", 0.05)
    ran = projects.run(site(tmp_path, "while True: pass"), "run", "--concurrency", "1")
    assert ran.code == 75
    assert "error: schemas/letters.py:9:1: a validator took over 0.05 s" in ran.err


def test_a_validator_has_its_limit_of_time_while_a_round_of_rows_is_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("builder.results.validate.LIMIT", 0.05)
    folder = site(tmp_path, "[None for _ in range(2 * 10**7)]")
    scenario = folder / "scenarios/letters.yaml"
    scenario.write_text(scenario.read_text("utf-8") + "similarity_below: 1.0\n", "utf-8")
    before = signal.getsignal(signal.SIGALRM)
    ran = projects.run(folder, "run", "--concurrency", "1")
    assert ran.code == 75
    assert "error: schemas/letters.py:9:1: a validator took over 0.05 s" in ran.err
    assert signal.getsignal(signal.SIGALRM) == before


def test_answers_that_a_fault_refused_are_judged_anew_for_free(tmp_path: Path) -> None:
    folder = site(tmp_path, "info.context['tune']", rows="3 each")
    assert projects.run(folder, "run", "--concurrency", "1").code == 75
    paid = projects.held(folder)
    assert paid >= 5
    mend(folder)
    assert projects.run(folder, "run").code == 0
    assert projects.held(folder) <= 6 + paid


def test_refusals_for_the_same_reason_stop_the_run_with_an_example(tmp_path: Path) -> None:
    line = 'raise ValueError(f"{len(self.text)} signs: begin with Dear")'
    folder = site(tmp_path, line)
    ran = projects.run(folder, "run", "--concurrency", "4")
    assert ran.code == 75
    assert "the first 40 answers of 'letters' were all refused for one reason: " in ran.err
    assert "signs: begin with Dear" in ran.err
    assert 'the last of them: {"text":' in ran.err
    assert "change the prompt, or the validator" in ran.err
    assert projects.held(folder) <= 40 + 4 * 4
    mend(folder)
    assert projects.run(folder, "run").code == 0


@pytest.mark.parametrize(
    "line",
    [
        "assert info.context['tone'] != 'sad' or info.context['tune']",
        "assert info.context['tone'] != 'sad', 'never sad'",
        "assert ord(self.text[-1]) % 2, f'{len(self.text)} signs'",
    ],
)
@pytest.mark.parametrize("tones", ["glad, sad", "a, b, c, d, e, sad"])
def test_refusals_of_some_answers_stop_nothing(line: str, tones: str, tmp_path: Path) -> None:
    folder = site(tmp_path, line, rows="120", tones=tones)
    assert projects.run(folder, "run", "--concurrency", "4").code in (0, 5)
    assert projects.held(folder) >= 120


def test_a_few_rows_that_are_all_refused_are_reported_as_short(tmp_path: Path) -> None:
    folder = site(tmp_path, "raise ValueError('no')", rows="1 each")
    ran = projects.run(folder, "run")
    assert ran.code == 5
    assert "rows short in" in ran.err


def test_rows_that_are_held_already_let_a_run_go_to_its_end(tmp_path: Path) -> None:
    folder = site(tmp_path, "assert len(info.context['tone']) == 3, 'no'", rows="9", tones="sad")
    assert projects.run(folder, "run").code == 0
    (folder / "scenarios/letters.yaml").write_text(
        SCENARIO.format(rows="9 each", tones="sad, glad, gloomy"), "utf-8"
    )
    assert projects.run(folder, "run").code == 5
