"""What publishing would change, decided before anything is sent; the Hub itself is in test_publish."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from builder.dataset import card, history, manifests
from builder.dataset.history import Change
from builder.errors import GateError, HubError, InputError
from builder.hub import releases
from builder.quality.findings import Finding
from tests import projects
from tests.shelf import Shelf

SCENARIO = "# Letters.\nschema: Letter\nrows: 5 each\nvary:\n  tone: [{}]\n"


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose letters are exported: two tones, and what it becomes with a third."""
    folder = projects.write(
        tmp_path_factory.mktemp("letters"),
        {
            "scenarios/letters.yaml": SCENARIO.format("glad, sad"),
            "scenarios/more.yaml": "prompt: letters\nschema: Letter\nrows: 4\n",
        },
    )
    assert projects.run(folder, "run").code == 0
    shutil.copytree(folder / "outputs/letter", folder / "before")
    (folder / "scenarios/letters.yaml").write_text(SCENARIO.format("glad, calm, odd"), "utf-8")
    assert projects.run(folder, "run").code == 0
    shutil.copytree(folder / "outputs/letter", folder / "after")
    return folder


@pytest.fixture
def before(exported: Path) -> Path:
    return exported / "before"


@pytest.fixture
def after(exported: Path) -> Path:
    return exported / "after"


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)


def finding(verdict: str, what: str = "", limit: float | None = 0.1, advice: str = "") -> Finding:
    return Finding("drift.ks", what, 0.25, limit, verdict, advice)  # type: ignore[arg-type]


def test_a_failed_gate_is_named_with_its_figure_and_its_limit() -> None:
    for verdict in ("pass", "warn", "too-few-rows"):
        releases.refuse_failures("letter", [finding(verdict)])
    with pytest.raises(GateError) as caught:
        releases.refuse_failures("letter", [finding("pass"), finding("fail", "age", advice="why")])
    assert caught.value.message == (
        "1 gate of letter failed: drift.ks of age is 0.25, limit 0.1: why"
    )
    with pytest.raises(GateError, match=r"drift.ks is 0.25\n"):
        releases.refuse_failures("letter", [finding("fail", limit=None)])


@pytest.mark.parametrize(("failed", "more"), [(5, ""), (6, "; and 1 more"), (8, "; and 3 more")])
def test_five_failed_gates_are_named_and_the_others_counted(failed: int, more: str) -> None:
    findings = [finding("fail", f"c{number}") for number in range(failed)]
    with pytest.raises(GateError) as caught:
        releases.refuse_failures("letter", findings)
    assert caught.value.message.startswith(f"{failed} gates of letter failed: ")
    assert caught.value.message.count("drift.ks of") == 5
    assert caught.value.message.endswith(f"c4 is 0.25, limit 0.1{more}")


@pytest.mark.parametrize("public", [False, True])
def test_a_repository_that_is_not_there_is_made_as_was_said(
    shelf: Shelf, before: Path, *, public: bool
) -> None:
    planned = releases.prepare(shelf, before, public=public)
    assert planned.private is not public
    assert planned.parent is None
    assert not planned.empty
    assert (planned.rows, planned.data, planned.kept, planned.deleted) == (14, 2, 0, [])
    assert planned.message == "letter: 14 rows"
    assert planned.size == sum(path.stat().st_size for path in (before / "data").iterdir())
    assert shelf.commits == [{}]
    published = releases.send(shelf, planned)
    assert shelf.private is not public
    assert published.made
    assert not published.tagged
    assert published.commit == "1"
    assert shelf.messages == ["letter: 14 rows"]
    assert planned.sent == sum(map(len, shelf.commits[-1].values()))


def test_a_public_repository_is_not_published_to_by_oversight(shelf: Shelf, before: Path) -> None:
    shelf.made, shelf.private = True, False
    with pytest.raises(InputError, match="is public, and nobody said --public"):
        releases.prepare(shelf, before)
    planned = releases.prepare(shelf, before, public=True)
    assert not planned.private
    assert planned.notes == []


def test_a_private_repository_stays_private_and_that_is_said(shelf: Shelf, before: Path) -> None:
    shelf.made = True
    assert releases.prepare(shelf, before).notes == []
    planned = releases.prepare(shelf, before, public=True)
    assert planned.private
    assert [note.split(";")[0] for note in planned.notes] == [
        "acme/letters is private and stays so"
    ]


def test_a_repository_made_by_somebody_else_meanwhile_is_left_alone(
    shelf: Shelf, before: Path
) -> None:
    planned = releases.prepare(shelf, before)

    def create(*, private: bool) -> None:
        shelf.made, shelf.private = True, False

    shelf.create = create  # type: ignore[method-assign]
    with pytest.raises(HubError, match="made by somebody else"):
        releases.send(shelf, planned)
    assert shelf.commits == [{}]


def test_what_is_published_holds_no_rejects_and_its_own_manifest(
    shelf: Shelf, before: Path
) -> None:
    releases.send(shelf, releases.prepare(shelf, before))
    files = shelf.commits[-1]
    manifest = manifests.parse(files["letter/manifest.json"])
    assert {f"letter/{name}" for name in manifest.files} <= set(files)
    assert all(name.startswith("data/") for name in manifest.files)
    assert "letter/plots/axes.svg" in files
    assert "letter/releases.json" not in files
    assert card.NAME in files


def test_nothing_changed_is_no_commit_and_what_changed_is_all_that_is_sent(
    shelf: Shelf, before: Path, after: Path
) -> None:
    releases.send(shelf, releases.prepare(shelf, before))
    shelf.put("letter/data/train-old.parquet", b"old")
    shelf.put("NOTES.md", b"mine")
    planned = releases.prepare(shelf, after)
    assert planned.deleted == ["letter/data/train-old.parquet"]
    assert (planned.data, planned.kept) == (1, 1)
    assert not planned.empty
    releases.send(shelf, planned)
    assert shelf.commits[-1]["NOTES.md"] == b"mine"
    again = releases.prepare(shelf, after)
    assert again.empty
    assert (again.sent, again.data, again.kept) == (0, 0, 2)
    assert not releases.send(shelf, again).made
    assert len(shelf.messages) == 2


def test_files_of_the_same_size_and_other_content_are_sent(shelf: Shelf, before: Path) -> None:
    releases.send(shelf, releases.prepare(shelf, before))
    names = [f"letter/data/{next((before / 'data').iterdir()).name}", "letter/plots/axes.svg"]
    for name in names:
        content = shelf.commits[-1][name]
        shelf.put(name, content[:-1] + bytes([content[-1] ^ 1]))
    assert sorted(releases.prepare(shelf, before).changed) == sorted(names)


def test_a_release_says_what_changed_since_the_one_before(
    shelf: Shelf, before: Path, after: Path
) -> None:
    first = releases.prepare(shelf, before, tag="v1")
    assert first.release is not None
    assert (first.release.since, first.release.changes) == (None, {})
    assert first.message == "letter v1: 14 rows"
    assert releases.send(shelf, first).tagged
    second = releases.prepare(shelf, after, tag="v2")
    assert second.release is not None
    assert second.release.since == "v1"
    assert second.release.changes == {
        "letters": Change(added=10, removed=5, changed=0),
        "more": Change(added=0, removed=0, changed=0),
    }
    releases.send(shelf, second)
    content = shelf.commits[-1]["letter/releases.json"]
    assert [release.tag for release in history.parse(content)] == ["v1", "v2"]
    manifest = manifests.parse((after / "manifest.json").read_bytes())
    assert history.parse(content)[1].content == manifest.content
    assert history.parse(content)[1].date == (manifest.last_answer or "")[:10]
    assert shelf.names == {"v1": "1", "v2": "2"}
    assert b"| v2 |" in shelf.commits[-1][card.NAME]
    without = releases.prepare(shelf, after)
    assert without.release is None
    assert without.empty


def test_a_release_whose_tag_is_gone_is_nothing_to_compare_with(
    shelf: Shelf, before: Path, after: Path
) -> None:
    releases.send(shelf, releases.prepare(shelf, before, tag="v1"))
    shelf.names.clear()
    planned = releases.prepare(shelf, after, tag="v2")
    assert planned.release is not None
    assert planned.release.since is None


def test_a_tag_stays_with_its_content(shelf: Shelf, before: Path, after: Path) -> None:
    releases.send(shelf, releases.prepare(shelf, before, tag="v1"))
    again = releases.prepare(shelf, before, tag="v1")
    assert again.empty
    assert again.tagged
    assert not releases.send(shelf, again).tagged
    with pytest.raises(InputError, match="v1 of acme/letters is there already"):
        releases.prepare(shelf, after, tag="v1")
    with pytest.raises(InputError, match="no name of a release"):
        releases.prepare(shelf, after, tag="v 2")


def test_other_columns_are_said_to_rewrite_every_file(shelf: Shelf, before: Path) -> None:
    releases.send(shelf, releases.prepare(shelf, before))
    assert releases.prepare(shelf, before).notes == []
    manifest = json.loads(shelf.commits[-1]["letter/manifest.json"])
    manifest["features"][0]["dtype"] = "int64"
    shelf.put("letter/manifest.json", json.dumps(manifest).encode())
    (note,) = releases.prepare(shelf, before).notes
    assert note.startswith("the columns changed")


def test_another_dataset_of_the_repository_stands_on_its_card(shelf: Shelf, before: Path) -> None:
    releases.send(shelf, releases.prepare(shelf, before))
    other = json.loads(shelf.commits[-1]["letter/manifest.json"])
    other["dataset"] = "other"
    shelf.put("other/manifest.json", json.dumps(other).encode())
    releases.send(shelf, releases.prepare(shelf, before))
    text = shelf.commits[-1][card.NAME].decode()
    assert "Several datasets" in text
    assert text.index("## letter") < text.index("## other")
    for broken in (b"[]", b"{", b'{"dataset": "other"}'):
        shelf.put("other/manifest.json", broken)
        with pytest.raises(InputError, match=r"a dataset 'other' whose manifest\.json"):
            releases.prepare(shelf, before)


@pytest.mark.parametrize("content", [b'["v1"]', b'{"tag": "v1"}', b"7", b"{"])
def test_a_list_of_releases_that_somebody_else_wrote_is_named(
    shelf: Shelf, before: Path, content: bytes
) -> None:
    releases.send(shelf, releases.prepare(shelf, before))
    shelf.put("letter/releases.json", content)
    with pytest.raises(InputError, match=r"holds a letter/releases\.json that cannot be read"):
        releases.prepare(shelf, before, tag="v2")


def test_a_report_about_these_rows_goes_along(shelf: Shelf, before: Path, tmp_path: Path) -> None:
    folder = tmp_path / "letter"
    shutil.copytree(before, folder)
    manifest = manifests.parse((folder / "manifest.json").read_bytes())
    report = {"rows": 14, "findings": [], "basis": {"records": manifest.records}}
    (folder / "report.json").write_text(json.dumps(report), "utf-8")
    assert "letter/report.json" in releases.prepare(shelf, folder).changed
    report["basis"] = {"records": "other"}
    (folder / "report.json").write_text(json.dumps(report), "utf-8")
    assert "letter/report.json" not in releases.prepare(shelf, folder).changed
