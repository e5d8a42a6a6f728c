"""Shards: which file a row goes to, and that the same store gives the same bytes."""

from __future__ import annotations

from pathlib import Path

import pytest

from builder import store
from builder.dataset import files, shapes
from builder.dataset.files import Folder, Layout
from builder.results import rows, settle
from builder.results.rows import Batch
from builder.table.tables import STRING
from tests import projects

SPLIT = "[tool.builder.datasets.letter]\nsplits = {train = 0.6, extra = 0.2, 'train.hard' = 0.2}"


def written(folder: Path, form: files.Format, placed: list[tuple[str, str, int, str]]) -> list[str]:
    shape = shapes.Shape("columns", {"a": STRING})
    with Folder(folder, Layout(form, shape)) as out:
        for split, scenario, block, value in placed:
            out.write(Batch(scenario, block, [split], {"a": [value]}))
    out.publish()
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("card", [True, False])
@pytest.mark.parametrize("form", ["parquet", "jsonl", "csv"])
def test_datasets_finds_the_splits_with_and_without_a_card(
    tmp_path: Path, form: str, card: bool
) -> None:
    import datasets

    projects.write(
        tmp_path,
        {
            "pyproject.toml": f"{projects.SETTINGS}\n{SPLIT}",
            "prompts/letters.j2": "Write letter {{ n }}.\n",
            "scenarios/letters.yaml": f"schema: Letter\nvary:\n  n: {list(range(120))}\n",
            "scenarios/letters-00000-of-00001-test.yaml": (
                f"prompt: letters\nschema: Letter\nvary:\n  n: {list(range(200, 220))}\n"
            ),
        },
    )
    assert projects.run(tmp_path, "run", "--format", form).code == 0
    if not card:
        (tmp_path / "outputs/letter/README.md").unlink()
    loaded = datasets.load_dataset(
        str(tmp_path / "outputs/letter"), cache_dir=str(tmp_path / "cache")
    )
    assert set(loaded) == {"train", "extra", "train.hard"}
    assert sum(part.num_rows for part in loaded.values()) == 140


def test_a_block_of_a_scenario_is_a_file_and_late_rows_share_one(tmp_path: Path) -> None:
    placed = [
        ("train", "a", 0, "1"), ("test", "a", 0, "2"), ("train", "a", 1, "3"),
        ("train", "b", 0, "4"), ("train", "a", 0, "late"), ("train", "b", rows.REST, "5"),
        ("train", "a", rows.REST, "6"), ("train", "b", 0, "7"),
    ]  # fmt: skip
    assert written(tmp_path, "jsonl", placed) == [
        "test-00000-of-00001-a-00000.jsonl",
        "train-00000-of-00001-a-00000.jsonl",
        "train-00000-of-00001-a-00001.jsonl",
        "train-00000-of-00001-a-rest.jsonl",
        "train-00000-of-00001-b-00000.jsonl",
        "train-00000-of-00001-b-rest.jsonl",
    ]
    rest = (tmp_path / "train-00000-of-00001-a-rest.jsonl").read_text("utf-8")
    assert rest == '{"a":"late"}\n{"a":"6"}\n'


def test_an_unchanged_shard_is_left_alone_and_an_unwanted_one_goes(tmp_path: Path) -> None:
    first = [("train", "a", 0, "1"), ("train", "b", 0, "2"), ("train", "c", 0, "3")]
    written(tmp_path, "parquet", first)
    before = {path.name: path.stat().st_ino for path in tmp_path.iterdir()}
    written(
        tmp_path,
        "parquet",
        [("train", "a", 0, "1"), ("train", "b", 0, "9"), ("train", "b", 1, "8")],
    )
    after = {path.name: path.stat().st_ino for path in tmp_path.iterdir()}
    a, b = (files.shard_name(("train", name, 0), "parquet") for name in "ab")
    assert after[a] == before[a]
    assert after[b] != before[b]
    assert files.shard_name(("train", "c", 0), "parquet") not in after
    assert len(after) == 3


def test_rows_that_come_late_are_written_in_groups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "GROUP_BYTES", 30)
    placed = [("train", f"s{i % 2}", rows.REST, str(i)) for i in range(10)]
    written(tmp_path, "jsonl", placed)
    lines = (tmp_path / "train-00000-of-00001-s1-rest.jsonl").read_text("utf-8").splitlines()
    assert lines == [f'{{"a":"{i}"}}' for i in range(1, 10, 2)]


def test_export_twice_and_in_another_folder_gives_the_same_bytes(tmp_path: Path) -> None:
    scenario = {
        "scenarios/letters.yaml": "schema: Letter\nrows: 30 each\nvary:\n  tone: [glad, sad]\n"
    }
    import shutil

    one, two = tmp_path / "one", tmp_path / "two"
    projects.write(one, scenario)
    assert projects.run(one, "run").code == 0
    shutil.copytree(one, two)
    shutil.rmtree(two / "outputs/letter")
    assert projects.run(two, "export").code == 0
    found = [
        {p.relative_to(f).as_posix(): p.read_bytes() for p in sorted(f.rglob("*")) if p.is_file()}
        for f in (one / "outputs/letter", two / "outputs/letter")
    ]
    assert found[0] == found[1]
    assert {"README.md", "manifest.json", "plots/axes.svg"} <= set(found[0])


def test_growing_a_scenario_rewrites_its_last_block_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "BLOCK", 10)
    text = "schema: Letter\nrows: {} each\nvary:\n  tone: [glad, sad]\n"
    projects.write(tmp_path, {"scenarios/letters.yaml": text.format(12)})
    assert projects.run(tmp_path, "run").code == 0
    data = tmp_path / "outputs/letter/data"
    before = {path.name: path.read_bytes() for path in data.iterdir()}
    (tmp_path / "scenarios/letters.yaml").write_text(text.format(18), "utf-8")
    assert projects.run(tmp_path, "run").code == 0
    after = {path.name: path.read_bytes() for path in data.iterdir()}
    assert [name[-13:-8] for name in sorted(before)] == ["00000", "00001", "00002"]
    same = [name for name in before if after[name] == before[name]]
    assert len(same) == 2
    assert len(after) == 4


@pytest.mark.parametrize(("name", "most"), [("BATCH", 1), ("BATCH", 7), ("BATCH_TEXT", 50)])
def test_rows_are_the_same_in_batches_of_any_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, most: int
) -> None:
    scenario = "schema: Letter\nrows: 15 each\nvary:\n  tone: [glad, sad]\n"
    files_ = {"pyproject.toml": f"{projects.SETTINGS}\n{SPLIT}", "scenarios/letters.yaml": scenario}
    projects.write(tmp_path, files_)
    assert projects.run(tmp_path, "run", "--format", "jsonl").code == 0
    data = tmp_path / "outputs/letter/data"
    before = {path.name: path.read_bytes() for path in data.iterdir()}
    monkeypatch.setattr(rows, name, most)
    assert projects.run(tmp_path, "export", "--format", "jsonl").code == 0
    assert {path.name: path.read_bytes() for path in data.iterdir()} == before
    with store.reading(tmp_path / "outputs/store.sqlite") as held:
        found = rows.read(settle.settle(projects.plan(tmp_path).datasets[0], held))
        sizes = [len(one.splits) for one in found.batches() if isinstance(one, rows.Batch)]
    assert sum(sizes) == 30
    assert max(sizes) <= (most if name == "BATCH" else 29)
