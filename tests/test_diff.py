"""What lies between two releases, from folders and from the Hub."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from builder.errors import InputError
from builder.hub import comparison
from tests import projects
from tests.hub import Hub
from tests.publishing import REPO, Desk

SCENARIO = "schema: Letter\nrows: {} each\nvary:\n  tone: [{}]\n"
MORE = "prompt: letters\nschema: Letter\nrows: 6\n"


@pytest.fixture
def releases(tmp_path: Path) -> tuple[Path, Path]:
    """A dataset before and after: a tone taken out, one put in, both grown, one scenario as it was."""
    projects.write(
        tmp_path,
        {"scenarios/letters.yaml": SCENARIO.format(5, "glad, sad"), "scenarios/more.yaml": MORE},
    )
    assert projects.run(tmp_path, "run").code == 0
    folder, before = tmp_path / "outputs/letter", tmp_path / "before"
    shutil.copytree(folder, before)
    (tmp_path / "scenarios/letters.yaml").write_text(SCENARIO.format(7, "glad, calm"), "utf-8")
    assert projects.run(tmp_path, "run").code == 0
    return before, folder


def test_rows_are_paired_by_case_and_counted_by_scenario(releases: tuple[Path, Path]) -> None:
    before, after = releases
    found = comparison.between(comparison.folder(before), comparison.folder(after))
    assert {name: c.model_dump() for name, c in found.scenarios.items()} == {
        "letters": {"added": 9, "removed": 5, "changed": 0}
    }
    assert found.opened == 2  # the other scenario's file is the same and stays closed
    assert {v: (a, b) for v, a, b in found.axes["tone"]} == {
        "glad": (0.5, 0.5), "sad": (0.5, None), "calm": (None, 0.5),
    }  # fmt: skip


def test_another_answer_to_the_same_case_is_a_changed_row(tmp_path: Path) -> None:
    projects.write(tmp_path, {"scenarios/letters.yaml": SCENARIO.format(5, "glad, sad")})
    projects.run(tmp_path, "run")
    shutil.copytree(tmp_path / "outputs/letter", tmp_path / "before")
    (tmp_path / "prompts/letters.j2").write_text("Pen a letter, {{ tone }}.\n", "utf-8")
    projects.run(tmp_path, "run")
    found = comparison.between(
        comparison.folder(tmp_path / "before"), comparison.folder(tmp_path / "outputs/letter")
    )
    assert found.total.model_dump() == {"added": 0, "removed": 0, "changed": 10}


def test_another_split_is_no_other_row(tmp_path: Path) -> None:
    projects.write(tmp_path, {"scenarios/letters.yaml": SCENARIO.format(5, "glad, sad")})
    projects.run(tmp_path, "run")
    shutil.copytree(tmp_path / "outputs/letter", tmp_path / "before")
    splits = "[tool.builder.datasets.letter]\nsplits = {train = 0.5, test = 0.5}"
    (tmp_path / "pyproject.toml").write_text(f"{projects.SETTINGS}\n{splits}\n", "utf-8")
    projects.run(tmp_path, "export")
    found = comparison.between(
        comparison.folder(tmp_path / "before"), comparison.folder(tmp_path / "outputs/letter")
    )
    assert found.total.model_dump() == {"added": 0, "removed": 0, "changed": 0}


def test_gates_stand_side_by_side(releases: tuple[Path, Path]) -> None:
    for folder, value in zip(releases, (0.5, 0.25), strict=True):
        finding = {
            "gate": "diversity.distinct_2", "what": "", "value": value, "limit": 0.2,
            "verdict": "pass", "advice": "",
        }  # fmt: skip
        records = json.loads((folder / "manifest.json").read_text("utf-8"))["records"]
        report = {"basis": {"records": records}, "findings": [finding]}
        (folder / "report.json").write_text(json.dumps(report), "utf-8")
    found = comparison.between(*map(comparison.folder, releases))
    assert found.gates == [("diversity.distinct_2", "", 0.5, 0.25)]


def test_the_command_says_it_in_a_table_and_as_json(releases: tuple[Path, Path]) -> None:
    before, after = releases
    root = after.parents[1]
    ran = projects.run(root, "diff", str(before), "letter")
    assert ran.code == 0
    assert "9 added, 5 removed, 0 changed" in ran.out
    assert "calm" in ran.out
    found = json.loads(projects.run(root, "diff", str(before), "letter", "--json").out)
    assert found["scenarios"]["letters"] == {"added": 9, "removed": 5, "changed": 0}


@pytest.mark.slow
@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_other_formats_are_compared_with_their_like(
    releases: tuple[Path, Path], form: str, tmp_path: Path
) -> None:
    before, after = releases
    root = after.parents[1]
    projects.run(root, "export", "--format", form)
    same = comparison.between(comparison.folder(after), comparison.folder(after))
    assert same.total.model_dump() == {"added": 0, "removed": 0, "changed": 0}
    with pytest.raises(InputError, match="two formats"):
        comparison.between(comparison.folder(before), comparison.folder(after))


@pytest.mark.slow
@pytest.mark.parametrize(
    "manifest", ["[1]", "{", '{"axes": {"tone": 3}}', '{"axes": [], "files": 1}']
)
def test_a_manifest_that_somebody_else_wrote_tells_no_shares(
    releases: tuple[Path, Path], manifest: str
) -> None:
    before, after = releases
    (before / "manifest.json").write_text(manifest, "utf-8")
    found = comparison.between(comparison.folder(before), comparison.folder(after))
    assert found.total.model_dump() == {"added": 9, "removed": 5, "changed": 0}
    assert {value for value, then, _ in found.axes["tone"] if then is None} == {"glad", "calm"}


def test_what_is_no_release_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no dataset"):
        comparison.folder(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data/train.jsonl").write_text('{"text": "x"}\n', "utf-8")
    with pytest.raises(InputError, match="no column _case"):
        comparison.between(comparison.folder(tmp_path), comparison.Side("nothing", ()))


@pytest.mark.slow
def test_releases_on_the_hub_are_compared_with_one_another_and_with_a_folder(
    tmp_path: Path,
) -> None:
    with Hub() as hub:
        desk = Desk(tmp_path, hub)
        desk.set_up()
        assert desk.publish("--tag", "v1").code == 0
        scenario = desk.project / "scenarios/more.yaml"
        scenario.write_text(scenario.read_text("utf-8").replace("rows: 10", "rows: 14"), "utf-8")
        desk.builder("run")
        local = desk.builder("diff", f"{REPO}@v1", "letter")
        assert "4 added, 0 removed, 0 changed" in local.out
        assert desk.publish("--tag", "v2").code == 0
        both = desk.builder("diff", f"{REPO}@v1", "v2")
        assert both.code == 0, both.err
        assert "4 added, 0 removed, 0 changed" in both.out
        missing = desk.builder("diff", f"{REPO}@v9", "v2")
        assert missing.code == 2
        assert "no such repository or revision" in missing.err
        assert desk.told_nobody()
        assert hub.unknown == []
