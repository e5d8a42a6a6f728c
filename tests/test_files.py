"""Files of a dataset in each format: cells, groups, and the folder that they are written into."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from builder.dataset import files
from builder.dataset.files import Folder, Format, Layout
from builder.dataset.shapes import Shape
from builder.results.rows import REST, Batch
from builder.table.tables import INTEGER, STRING, Kind

TAGS = Kind("list", of=STRING)
SHAPE = Shape("columns", {"text": STRING, "n": INTEGER, "tags": TAGS, "_key": STRING})
COLUMNS: dict[str, list[Any]] = {
    "text": ["=1+1", "四", None],
    "n": [-1, None, 3],
    "tags": [["a", "b"], [], None],
    "_key": ["x", "y", "z"],
}


def written(path: Path, form: Format, *, raw: bool = False) -> Path:
    writer = files.opener(Layout(form, SHAPE, raw))(path)
    writer.write(COLUMNS)
    writer.close()
    return path


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("=cmd()", "'=cmd()"), ("+1", "'+1"), ("-1", "'-1"), ("@x", "'@x"), ("\tx", "'\tx"),
        ("\rx", "'\rx"), ("x=1", "x=1"), ("", ""), (-1, -1), (None, None), (True, "true"),
        (["=a"], '["=a"]'), ({"a": "四"}, '{"a": "四"}'), (0.5, 0.5),
    ],
)  # fmt: skip
def test_no_cell_is_run_by_a_spreadsheet(value: object, expected: object) -> None:
    assert files.cell(value) == expected
    if isinstance(value, str):
        assert files.plain(value) == value


def test_a_csv_file_has_a_head_and_a_line_a_row(tmp_path: Path) -> None:
    text = written(tmp_path / "a.csv", "csv").read_text("utf-8")
    assert text == 'text,n,tags,_key\n\'=1+1,-1,"[""a"", ""b""]",x\n四,,[],y\n,3,,z\n'
    raw = written(tmp_path / "b.csv", "csv", raw=True).read_text("utf-8")
    assert raw.splitlines()[1].startswith("=1+1,")


def test_a_jsonl_file_has_an_object_a_line(tmp_path: Path) -> None:
    text = written(tmp_path / "a.jsonl", "jsonl").read_text("utf-8")
    assert text.splitlines() == [
        '{"text":"=1+1","n":-1,"tags":["a","b"],"_key":"x"}',
        '{"text":"四","n":null,"tags":[],"_key":"y"}',
        '{"text":null,"n":3,"tags":null,"_key":"z"}',
    ]


def test_a_parquet_file_holds_the_rows_and_knows_its_size(tmp_path: Path) -> None:
    from pyarrow import parquet

    path = written(tmp_path / "a.parquet", "parquet")
    with parquet.ParquetFile(path) as opened:
        assert opened.read().to_pydict() == COLUMNS
        group = opened.metadata.row_group(0)
        names = [group.column(i).path_in_schema for i in range(group.num_columns)]
        bounded = {name: group.column(i).is_stats_set for i, name in enumerate(names)}
        assert bounded["text"]
        assert not bounded["_key"]
        assert group.column(0).compression == "ZSTD"
        sizes = [group.column(i).total_uncompressed_size for i in range(group.num_columns)]
    assert files.unpacked(path) == sum(sizes)


@pytest.mark.parametrize(("most", "groups"), [(3, [3, 3]), (4, [6]), (7, [6])])
def test_rows_wait_until_a_group_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int, groups: list[int]
) -> None:
    from pyarrow import parquet

    monkeypatch.setattr(files, "GROUP", most)
    writer = files.opener(Layout("parquet", SHAPE))(tmp_path / "a.parquet")
    assert writer.write(COLUMNS) > 0
    assert (tmp_path / "a.parquet").exists() is (most == 3)
    writer.write(COLUMNS)
    writer.close()
    metadata = parquet.read_metadata(tmp_path / "a.parquet")
    assert [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)] == groups


@pytest.mark.parametrize("form", ["parquet", "jsonl", "csv"])
def test_long_rows_are_written_before_they_fill_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: Format
) -> None:
    first = files.opener(Layout(form, SHAPE))(tmp_path / "a")
    size = first.write(COLUMNS)
    assert not (tmp_path / "a").exists()
    monkeypatch.setattr(files, "GROUP_BYTES", size)
    second = files.opener(Layout(form, SHAPE))(tmp_path / "b")
    second.write(COLUMNS)
    assert (tmp_path / "b").exists()
    for writer in (first, second):
        writer.close()
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_batch_falls_apart_into_its_splits() -> None:
    batch = Batch("a", 0, ["test", "train", "test"], {"n": [1, 2, 3]})
    assert list(files.by_split(batch)) == [("test", {"n": [1, 3]}), ("train", {"n": [2]})]
    whole = Batch("a", 0, ["train", "train"], {"n": [1, 2]})
    assert list(files.by_split(whole)) == [("train", {"n": [1, 2]})]


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (("train", "a", 0), "train-00000-of-00001-a-00000.jsonl"),
        (("test", "a", 12), "test-00000-of-00001-a-00012.jsonl"),
        (("train", "a-of-b", REST), "train-00000-of-00001-a~of~b-rest.jsonl"),
    ],
)
def test_a_shard_is_named_by_split_scenario_and_block(key: files.Key, expected: str) -> None:
    assert files.shard_name(key, "jsonl") == expected


def batch(text: str) -> Batch:
    return Batch("a", 0, ["train"], {"text": [text], "n": [1], "tags": [None], "_key": ["k"]})


def test_files_are_partial_until_they_are_published(tmp_path: Path) -> None:
    (tmp_path / "old.part").write_text("torn")
    (tmp_path / "old.csv").write_text("of an earlier export")
    (tmp_path / "notes.txt").write_text("of somebody")
    with Folder(tmp_path, Layout("jsonl", SHAPE)) as folder:
        assert not (tmp_path / "old.part").exists()
        folder.write(batch("x"))
    name = "train-00000-of-00001-a-00000.jsonl"
    assert folder.partial() == {name: tmp_path / f"{name}.part"}
    assert {path.name for path in tmp_path.iterdir()} == {f"{name}.part", "old.csv", "notes.txt"}
    folder.publish()
    assert {path.name for path in tmp_path.iterdir()} == {name, "notes.txt"}


def test_what_fails_leaves_no_partial_file(tmp_path: Path) -> None:
    (tmp_path / "old.jsonl").write_text("of an earlier export")

    def fail() -> None:
        with Folder(tmp_path, Layout("jsonl", SHAPE)) as folder:
            folder.write(batch("x"))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert [path.name for path in tmp_path.iterdir()] == ["old.jsonl"]


def test_a_digest_is_that_of_the_content(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"content")
    assert files.digest(tmp_path / "a") == hashlib.sha256(b"content").hexdigest()
