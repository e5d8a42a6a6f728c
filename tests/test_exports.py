"""A dataset's folder: what is written, what is left alone, and why it is stale."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from builder import store
from builder.dataset import exports, manifests
from builder.dataset.exports import Form
from builder.errors import Place, StoreError
from builder.plan.plans import DatasetPlan, Plan
from builder.records import Case, Key, Reject
from builder.store import Store
from tests import projects

SPLITS = "[tool.builder.datasets.letter]\nsplits = {train = 0.999, rare = 0.001}\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of six letters that were asked for and not exported."""
    projects.write(
        tmp_path,
        {"scenarios/letters.yaml": "schema: Letter\nrows: 3 each\nvary:\n  tone: [a, b]\n"},
    )
    assert projects.run(tmp_path, "run", "--no-export").code == 0
    return tmp_path


@contextmanager
def planned(project: Path) -> Iterator[tuple[Plan, DatasetPlan, Store]]:
    plan = projects.plan(project)
    with store.reading(project / "outputs/store.sqlite") as answers:
        yield plan, plan.datasets[0], answers


def reject(reason: str, raw: str = "{}") -> Reject:
    case = Case("a", {}, 0, {}, {})
    return Reject(case, Key(bytes(16), 0, 0), "fake:any", "validate", reason, raw, Place(Path("x")))


@pytest.mark.parametrize(
    ("reason", "raw", "expected"),
    [
        ("approved at a score of 512, under 600.5", "{}", "approved at a score of N, under N"),
        ("text: 'the words' is wrong", "x THE WORDS x", "text: … is wrong"),
        ("text: 'other words' is wrong", "x", "text: 'other words' is wrong"),
        ("say “这个” again", "这个", "say … again"),
        ("n: must be whole (found 3.5); m: too long (found 'x')", "{}", "n: must be whole; m: too long"),
        ("near-duplicate of 00112233445566778899aabbccddeeff-3-1, 0.93", "{}",
         "near-duplicate of another row, N"),
        ("no JSON object in the answer: Hello there", "{}", "no JSON object in the answer"),
        ("a2 is no number", "{}", "a2 is no number"),
    ],
)  # fmt: skip
def test_reasons_of_rejects_are_told_without_their_particulars(
    reason: str, raw: str, expected: str
) -> None:
    shown = exports.plain(reject(reason, raw))
    assert shown.removesuffix(":").removesuffix(": ") == expected


def test_rejects_are_counted_by_reason_with_the_first_of_each(project: Path) -> None:
    with planned(project) as (plan, dataset, answers):
        export = exports.write(plan, dataset, answers)
    first, second = reject("over 3"), reject("over 4")
    for entry in (first, second, reject("other")):
        export.note(entry)
    assert export.reasons == {("validate", "over N"): 2, ("validate", "other"): 1}
    assert export.examples["validate", "over N"] is first


def test_a_folder_that_holds_just_this_is_left_alone(project: Path) -> None:
    with planned(project) as (plan, dataset, answers):
        assert exports.compare(plan, dataset, exports.read(dataset, answers)) is None
        export = exports.write(plan, dataset, answers)
        assert (export.changed, export.rows, export.splits) == (True, 6, {"train": 6})
        before = {path: path.stat().st_mtime_ns for path in export.folder.rglob("*")}
        again = exports.write(plan, dataset, answers)
        assert not again.changed
        assert (again.rows, again.splits, again.tallies) == (6, {"train": 6}, export.tallies)
        assert {path: path.stat().st_mtime_ns for path in export.folder.rglob("*")} == before
        other = exports.write(plan, dataset, answers, Form("jsonl"))
        assert other.changed
        assert [path.suffix for path in (other.folder / "data").iterdir()] == [".jsonl"]


def test_rows_come_from_the_pass_that_is_given(project: Path) -> None:
    with planned(project) as (plan, dataset, answers):
        first = exports.write(plan, dataset, answers)
        manifest = (first.folder / "manifest.json").read_bytes()
        (first.folder / "README.md").unlink()
        reading = exports.read(dataset, answers)
        export = exports.write_rows(plan, dataset, reading)
        assert export.changed
        assert export.tallies is reading.tallies
        assert (export.folder / "manifest.json").read_bytes() == manifest
        assert (export.folder / "README.md").is_file()
        assert not list(export.folder.rglob("*.part"))


def test_a_split_without_a_row_is_left_out_and_named(project: Path) -> None:
    (project / "pyproject.toml").write_text(f"{projects.SETTINGS}\n{SPLITS}", "utf-8")
    with planned(project) as (plan, dataset, answers):
        export = exports.write(plan, dataset, answers)
        assert (export.splits, export.empty_splits) == ({"train": 6}, ["rare"])
        assert exports.write(plan, dataset, answers).empty_splits == ["rare"]
    manifest = manifests.read(export.folder)
    assert manifest is not None
    assert manifest.splits == {"train": 6}


def test_a_stale_folder_says_why(project: Path) -> None:
    with planned(project) as (plan, dataset, answers):
        assert exports.stale_reasons(plan, dataset, answers) == (["letter was not exported"], {})
        export = exports.write(plan, dataset, answers, Form("csv", raw=True))
        reasons, tallies = exports.stale_reasons(plan, dataset, answers)
        assert reasons == []
        assert tallies["letters"].accepted == 6
    prompt = project / "prompts/letters.j2"
    text = prompt.read_text("utf-8")
    prompt.write_text(text + "\nBe brief.\n", "utf-8")
    with planned(project) as (plan, dataset, answers):
        reasons, _ = exports.stale_reasons(plan, dataset, answers)
        assert reasons == ["prompts/letters.j2 changed since the export"]
    prompt.write_text(text, "utf-8")
    (project / "pyproject.toml").write_text(f"{projects.SETTINGS}\n{SPLITS}", "utf-8")
    with planned(project) as (plan, dataset, answers):
        reasons, _ = exports.stale_reasons(plan, dataset, answers)
        assert reasons == ["rows, settings or answers changed since the export"]
        (export.folder / "rejects.jsonl").write_text("torn")
        reasons, _ = exports.stale_reasons(plan, dataset, answers)
        assert reasons == ["files in letter are not those that were exported"]


def test_trials_stand_apart_by_model_and_are_found(project: Path) -> None:
    assert projects.run(project, "run", "--rows", "2", "--model", "fake:other").code == 0
    plan = projects.plan(project)
    assert exports.folder(plan, plan.datasets[0]) == project / "outputs/letter"
    assert exports.trials(plan, plan.datasets[0]) == ["fake:other"]
    trial = project / "outputs/trial/fake-other/letter"
    assert (trial / "manifest.json").is_file()
    (trial / "rejects.jsonl").write_text("torn")
    assert exports.trials(plan, plan.datasets[0]) == []


def test_trouble_with_the_disk_names_the_path_and_what_to_do(project: Path) -> None:
    (project / "outputs/letter").write_text("in the way")
    with planned(project) as (plan, dataset, answers), pytest.raises(StoreError) as caught:
        exports.write(plan, dataset, answers)
    assert str(project / "outputs/letter") in caught.value.message
    assert "builder export" in caught.value.hint
