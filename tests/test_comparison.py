"""What lies between two releases, from small folders; whole datasets and the Hub are in test_diff."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from builder.dataset import files
from builder.dataset.history import Change
from builder.dataset.manifests import AxisShares
from builder.errors import InputError
from builder.hub import comparison, remote
from builder.hub.comparison import Shard, Side
from builder.hub.remote import Entry
from tests import bare
from tests.shelf import Shelf

LETTERS = "train-00000-of-00001-letters-00000.jsonl"
NOTES = "train-00000-of-00001-notes-00000.jsonl"


def row(case: int, text: str, scenario: str = "letters", key: str = "k") -> dict[str, str]:
    return {"text": text, "_scenario": scenario, "_case": str(case), "_key": key}


def folder(path: Path, shards: Mapping[str, Sequence[Mapping[str, str]]]) -> Path:
    """A folder of JSONL shards."""
    (path / "data").mkdir(parents=True)
    for name, rows in shards.items():
        lines = "".join(json.dumps(record) + "\n" for record in rows)
        (path / "data" / name).write_text(lines, "utf-8")
    return path


def compare(root: Path, before: Sequence[Any], after: Sequence[Any]) -> comparison.Difference:
    left, right = folder(root / "a", {LETTERS: before}), folder(root / "b", {LETTERS: after})
    return comparison.between(comparison.folder(left), comparison.folder(right))


def test_rows_of_one_case_differ_by_their_content_alone(tmp_path: Path) -> None:
    before = [row(1, "a"), row(2, "b"), row(3, "c"), row(4, "d")]
    after = [row(3, "other"), row(1, "a", key="another"), row(4, "d"), row(5, "e"), row(6, "f")]
    difference = compare(tmp_path, before, after)
    assert difference.scenarios == {"letters": Change(added=2, removed=1, changed=1)}
    assert difference.opened == 2


def test_changes_are_counted_under_their_scenarios(tmp_path: Path) -> None:
    before = [row(1, "a"), row(2, "b", "notes"), row(3, "c", "old")]
    after = [row(1, "z"), row(2, "b", "notes"), row(4, "d", "notes"), row(5, "e", "new")]
    difference = compare(tmp_path, before, after)
    assert list(difference.scenarios) == ["letters", "new", "notes", "old"]
    assert difference.scenarios == {
        "letters": Change(changed=1),
        "notes": Change(added=1),
        "new": Change(added=1),
        "old": Change(removed=1),
    }
    assert difference.total == Change(added=2, removed=1, changed=1)
    shown = difference.as_dict()
    assert shown["scenarios"]["old"] == {"added": 0, "removed": 1, "changed": 0}
    assert (shown["before"], shown["after"]) == (str(tmp_path / "a"), str(tmp_path / "b"))


def test_a_file_of_the_same_content_stays_closed_whatever_its_name(tmp_path: Path) -> None:
    same = [row(1, "a")]
    left = folder(tmp_path / "a", {LETTERS: same, NOTES: [row(2, "b", "notes")]})
    right = folder(tmp_path / "b", {"other.jsonl": same, NOTES: [row(2, "c", "notes")]})
    difference = comparison.between(comparison.folder(left), comparison.folder(right))
    assert difference.opened == 2
    assert difference.scenarios == {"notes": Change(changed=1)}
    nothing = comparison.between(comparison.folder(left), comparison.folder(left))
    assert (nothing.opened, nothing.scenarios, nothing.total) == (0, {}, Change())


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        (Entry(3, "s", "g"), Entry(3, "s", "h"), True),
        (Entry(3, "s", "g"), Entry(3, "t", "g"), False),
        (Entry(3, "s"), Entry(4, "s"), False),
        (Entry(3, "", "g"), Entry(3, "", "g"), True),
        (Entry(3, "", "g"), Entry(3, "", "h"), False),
        (Entry(3, "", "g"), Entry(4, "", "g"), False),
        (Entry(3, "s", ""), Entry(3, "", "g"), False),
    ],
)
def test_entries_are_the_same_by_size_and_digest(
    left: Entry, right: Entry, *, expected: bool
) -> None:
    assert comparison.same(left, right) is expected
    assert comparison.same(right, left) is expected


def test_an_entry_that_git_alone_names_is_compared_with_the_content() -> None:
    content = b"abc"
    local = Entry(3, hashlib.sha256(content).hexdigest())
    assert comparison.same(local, Entry(3, "", remote.git_id(content)), lambda: content)
    assert not comparison.same(local, Entry(3, "", remote.git_id(b"abd")), lambda: content)


@pytest.mark.parametrize("turned", [False, True])
def test_a_small_file_on_the_hub_is_known_by_its_git_id(tmp_path: Path, *, turned: bool) -> None:
    path = folder(tmp_path / "a", {LETTERS: [row(1, "a")]}) / "data" / LETTERS
    content = path.read_bytes()
    local = Shard("x", Entry(len(content), files.digest(path)), lambda: nullcontext(path))
    hub = Shard("x", Entry(len(content), "", remote.git_id(content)), lambda: nullcontext(path))
    sides = [Side("local", (local,)), Side("hub", (hub,))]
    assert comparison.between(*(sides[::-1] if turned else sides)).opened == 0


def test_shares_of_values_stand_side_by_side_and_the_rest_is_others(tmp_path: Path) -> None:
    left, right = (folder(tmp_path / name, {LETTERS: [row(1, "a")]}) for name in "ab")
    axes = [
        {"tone": AxisShares(values={"glad": 3, "sad": 1}, other=0, distinct=2)},
        {"tone": AxisShares(values={"glad": 1, "calm": 1}, other=2, distinct=9)},
    ]
    for path, shares in zip((left, right), axes, strict=True):
        manifest = bare.manifest(axes=shares)
        (path / "manifest.json").write_text(manifest.as_json(), "utf-8")
    difference = comparison.between(comparison.folder(left), comparison.folder(right))
    assert difference.axes["tone"] == [
        ("glad", 0.75, 0.25), ("sad", 0.25, None), ("calm", None, 0.25), ("others", None, 0.5),
    ]  # fmt: skip


def test_figures_of_gates_stand_side_by_side(tmp_path: Path) -> None:
    left, right = (folder(tmp_path / name, {LETTERS: [row(1, "a")]}) for name in "ab")
    for path, value in ((left, 0.5), (right, None)):
        manifest = bare.manifest()
        (path / "manifest.json").write_text(manifest.as_json(), "utf-8")
        finding = {
            "gate": "drift.ks", "what": "n", "value": value, "limit": 0.1, "verdict": "pass", "advice": "",
        }  # fmt: skip
        report = {"rows": 1, "basis": {"records": "r"}, "findings": [finding]}
        (path / "report.json").write_text(json.dumps(report), "utf-8")
    difference = comparison.between(comparison.folder(left), comparison.folder(right))
    assert difference.gates == [("drift.ks", "n", 0.5, None)]


def test_a_release_in_a_repository_is_that_of_its_revision(tmp_path: Path) -> None:
    path = folder(tmp_path / "a", {LETTERS: [row(1, "a"), row(2, "b")]})
    shelf = Shelf(tmp_path)
    with pytest.raises(InputError, match="acme/letters holds no dataset of ours"):
        comparison.revision(shelf, "0")
    shelf.put("letter/manifest.json", b"{}")
    shelf.put(f"letter/data/{LETTERS}", (json.dumps(row(1, "a")) + "\n").encode())
    shelf.put("letter/data/.gitkeep", b"")
    old = comparison.revision(shelf, str(len(shelf.commits) - 1))
    assert old.name == "acme/letters@3"
    assert [shard.name for shard in old.shards] == [LETTERS]
    assert (old.axes, old.gates) == ({}, {})
    difference = comparison.between(old, comparison.folder(path))
    assert difference.total == Change(added=1)
    shelf.put("note/manifest.json", b"{}")
    last = str(len(shelf.commits) - 1)
    with pytest.raises(InputError, match="several datasets") as caught:
        comparison.revision(shelf, last)
    assert caught.value.hint == "--dataset names one of letter, note"
    assert comparison.revision(shelf, last, "letter", "v1").name == "v1"


def test_datasets_are_the_folders_with_a_manifest() -> None:
    paths = ["b/manifest.json", "a/manifest.json", "manifest.json", "a/b/manifest.json", "c/x.json"]
    assert comparison.datasets_in(paths) == ["a", "b"]


@pytest.mark.parametrize("missing", ["_case", "_scenario"])
def test_rows_without_a_case_were_not_made_here(tmp_path: Path, missing: str) -> None:
    record = row(1, "a")
    del record[missing]
    with pytest.raises(InputError, match="has no column _case"):
        compare(tmp_path, [record], [row(1, "a")])
