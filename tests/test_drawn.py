"""Drawn columns compared with their table: in a plan before anything is asked, and in a check."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import builder
from builder import Finding
from tests import projects

TABLE = "amount,kind\n" + "".join(f"{i**1.1:.2f},{'ab'[i % 2]}\n" for i in range(60))
SCENARIO = """\
schema: Letter
rows: 60
draw:
  - bootstrap: {table: t.csv}
"""


def site(folder: Path, more: str = "", settings: str = "", **files: str) -> builder.Workspace:
    written = {
        "pyproject.toml": projects.SETTINGS + settings,
        "scenarios/letters.yaml": SCENARIO + more,
        "scenarios/t.csv": TABLE,
        "prompts/letters.j2": "{{ amount }} {{ kind }}\n",
    }
    return builder.open(projects.write(folder, {**written, **files}))


def drift(findings: object) -> dict[str, Finding]:
    assert isinstance(findings, builder.CheckResult)
    return {f"{f.gate} {f.what}": f for f in findings if f.gate.startswith("drift.")}


def test_a_plan_names_draws_that_drift_by_more_than_is_expected(tmp_path: Path) -> None:
    within = site(tmp_path, "keep: [amount <= 29]\n")
    assert within.plan().drift() == []
    lines = (
        site(tmp_path, "keep: [amount <= 29]\nexpect: {drift: {mean_shift: 0.2}}\n").plan().drift()
    )
    assert len(lines) == 1
    assert lines[0].startswith("letters: planned amount drifts from its table: ")
    assert lines[0].endswith("at most 0.2 is expected.") or "js" in lines[0]
    fair = site(tmp_path, "expect: {drift: {mean_shift: 5, js: 1}}\n").plan()
    assert fair.drift() == []


def test_a_reference_of_the_project_goes_before_the_table_of_the_draws(tmp_path: Path) -> None:
    other = "amount,kind\n" + "".join(f"{500 + i**1.1:.2f},{'ab'[i % 2]}\n" for i in range(60))
    expect = "[tool.builder.datasets.letter]\nexpect = {drift = {table = 'other.csv'}}\n"
    lines = site(tmp_path, settings=expect, **{"other.csv": other}).plan().drift()
    assert [line.split(" drifts")[0] for line in lines] == ["letters: planned amount"]


def test_a_check_compares_drawn_columns_with_their_table(tmp_path: Path) -> None:
    folder = site(tmp_path)
    folder.run(export=False)
    findings = drift(folder.check())
    assert {name for name in findings if name.endswith("amount")} >= {"drift.mean_shift amount"}
    shift = findings["drift.mean_shift amount"]
    assert (shift.verdict, shift.limit) == ("pass", 0.1)


def test_drift_that_keep_decides_is_shown_and_not_judged(tmp_path: Path) -> None:
    folder = site(tmp_path, "keep: [amount <= 29]\n")
    folder.run(export=False)
    shift = drift(folder.check())["drift.mean_shift amount"]
    assert (shift.verdict, shift.limit) == ("pass", None)
    assert shift.advice == "drawn within `keep`: shown, not judged"
    expecting = site(tmp_path, "keep: [amount <= 29]\nexpect: {drift: {mean_shift: 0.2}}\n")
    judged = drift(expecting.check())["drift.mean_shift amount"]
    assert (judged.verdict, judged.limit) == ("fail", 0.2)


def test_of_several_scenarios_each_is_judged_by_what_it_expects(tmp_path: Path) -> None:
    more = SCENARIO + "prompt: letters\nkeep: [amount <= 29]\nexpect: {drift: {mean_shift: 0.2}}\n"
    folder = site(tmp_path, **{"scenarios/more.yaml": more})
    folder.run(export=False)
    result = folder.check()
    findings = drift(result)
    assert findings["drift.mean_shift more: amount"].verdict == "fail"
    assert findings["drift.mean_shift letters: amount"].verdict == "pass"
    assert not result.passed
    assert result.summary().startswith("letter: ")
    assert " fail" in result.summary()
    assert {record["dataset"] for record in result.records()} == {"letter"}
    assert len(list(result.records())) == len(list(result))


def test_rows_of_anybody_are_judged_without_a_project(tmp_path: Path) -> None:
    def corpus(name: str, first: int) -> Path:
        lines = [
            json.dumps({"text": f"letter {i} of {i * 7919 % 101} words", "n": round(i**1.1, 2)})
            for i in range(first, first + 60)
        ]
        (tmp_path / name).write_text("\n".join(lines) + "\n", "utf-8")
        return tmp_path / name

    ours, fair, far = corpus("ours.jsonl", 0), corpus("fair.jsonl", 2), corpus("far.jsonl", 900)
    work = builder.open(projects.write(tmp_path / "site"))
    assert drift(work.check(ours, reference=fair))["drift.mean_shift n"].verdict == "pass"
    moved = work.check(ours, reference=far, report=tmp_path / "judged")
    assert drift(moved)["drift.mean_shift n"].verdict == "fail"
    assert not moved.passed
    report = json.loads((tmp_path / "judged" / "report.json").read_text("utf-8"))
    assert report["rows"] == 60
    copied = work.check(ours, reference=ours)
    assert {f.gate for f in copied if f.verdict == "fail"} >= {"privacy.copied_texts"}
    alien = tmp_path / "alien.csv"
    alien.write_text("m\n1\n2\n", "utf-8")
    with pytest.raises(builder.InputError, match="shares no column with the rows"):
        work.check(ours, reference=alien)
