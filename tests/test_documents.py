"""YAML as it is typed: plain values with the places of each, and what would be read otherwise refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from builder.errors import InputError
from builder.project import documents
from builder.project.documents import Document, KeyPath


def read(folder: Path, text: str) -> Document:
    file = folder / "x.yaml"
    file.write_text(text, "utf-8")
    return documents.read(file)


def test_values_are_plain_and_each_has_its_place(tmp_path: Path) -> None:
    text = "a: 1\nb:\n  - x\n  - 'y: z'\nc: {d: 1.5, e: true, f: ~}\ng:\n2: 2026-01-01\n"
    document = read(tmp_path, text)
    assert document.data == {
        "a": 1,
        "b": ["x", "y: z"],
        "c": {"d": 1.5, "e": True, "f": None},
        "g": None,
        2: "2026-01-01",
    }
    places: dict[KeyPath, str] = {
        (): "1:1", ("a",): "1:4", ("b", 0): "3:5", ("b", 1): "4:5", ("c", "e"): "5:16",
        ("g",): "6:1", ("b", 9): "3:3", ("gone", "x"): "1:1",
    }  # fmt: skip
    for path, place in places.items():
        where = document.place(path)
        assert f"{where.line}:{where.column}" == place
    key = document.place(("c", "e"), key=True)
    assert (key.line, key.column) == (5, 13)
    assert document.text_place(("b", 1)).column == 6
    assert document.text_place(("b", 0)).column == 5


def test_a_file_of_nothing_holds_nothing(tmp_path: Path) -> None:
    document = read(tmp_path, "# nothing\n")
    assert document.data is None
    assert document.place(("a",)).line == 0


def test_tabs_are_taken_where_yaml_takes_them(tmp_path: Path) -> None:
    text = "a:\tx\ty\nb: [1,\t2]\t\nc: 'd'\t# e\n\t\nf: g\t\n"
    assert read(tmp_path, text).data == {"a": "x\ty", "b": [1, 2], "c": "d", "f": "g"}


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("a: 4.10\n", "1:4", "the number 4.10 would be read as 4.1"),
        ("a: 0x1F\n", "1:4", "0x1F is no number in plain decimal digits"),
        ("a: .inf\n", "1:4", ".inf is no number in plain decimal digits"),
        ("a: 9223372036854775808\n", "1:4", "too large: at most 9223372036854775807"),
        ("a: 1\nb: 2\na: 3\n", "3:1", "key 'a' stands here again; first at line 1"),
        ("a: !b c\n", "1:4", "the tag '!b' is not allowed"),
        ("a: !!set {b}\n", "1:4", "the tag 'set' is not allowed"),
        ("a: [x，y]\n", "1:6", "joins 'x，y' into one value"),
        ("a: [x、y]\n", "1:6", "'、' joins 'x、y' into one value"),
        ("a:\n  \u3000b: 1\n", "2:3", "a full-width space stands before 'b'"),
        ("a:\n  \u00a0b: 1\n", "2:3", "a no-break space stands before 'b'"),
        ("“a”: 1\n", "1:1", "to YAML the quotes are a part of “a”"),
        ("? [a]\n: 1\n", "1:3", "a key must be a plain word"),
        ('a: "\\0"\n', "1:4", "a NUL, which no text holds"),
        ('a: "\\ud800"\n', "1:4", "half of a surrogate pair"),
        ("a: b\x07\n", "1:5", "the control character 7 is not allowed"),
        ("a:\n\t- 1\n", "2:1", "not YAML"),
        ("a: &b [*b]\n", "1:4", "nested deeper than 40 levels, or an alias within itself"),
        ("[" * 41 + "]" * 41, "1:41", "nested deeper than 40 levels"),
        ("[" + "1, " * 30_000 + "]", "1:89999", "at most 30000 values"),
        ("a: '" + "x" * 2**19 + "'\n", "0:0", "at most 524288 characters"),
    ],
    ids=range(21),
)  # fmt: skip
def test_what_would_be_read_as_something_else_is_refused(
    text: str, place: str, message: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError) as refused:
        read(tmp_path, text)
    assert message in refused.value.message
    where = refused.value.place
    assert where is not None
    assert f"{where.line}:{where.column}" == place


def test_the_largest_file_is_read(tmp_path: Path) -> None:
    assert read(tmp_path, "[" + "1, " * 29_999 + "]").data == [1] * 29_999
    assert read(tmp_path, f"a: {2**63 - 1}\n").data == {"a": 2**63 - 1}
    assert len(str(read(tmp_path, "[" * 40 + "]" * 40).data)) == 80


def test_a_file_that_is_named_lies_within_the_project(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "a.txt").write_text("a", "utf-8")
    document = read(tmp_path / "inner", "file: ../a.txt\n")
    found = documents.file_inside(document, ("file",), "../a.txt", tmp_path)
    assert found == tmp_path / "a.txt"
    for name, message in (
        (3, "expected the path of a file, found 3"),
        ("  ", "expected the path of a file"),
        ("../a.txt", "'../a.txt' lies outside the project"),
        ("x.yml", "file 'x.yml' not found. Did you mean 'x.yaml'?"),
        ("none/x", "file 'none/x' not found."),
    ):
        with pytest.raises(InputError) as refused:
            documents.file_inside(document, ("file",), name, tmp_path / "inner")
        assert refused.value.message.startswith(message)


@pytest.mark.parametrize(
    ("value", "described"), [(True, "True"), ({}, "a mapping"), (2.5, "2.5"), ("", "''")]
)
def test_an_error_names_a_value_as_it_is_written(value: object, described: str) -> None:
    assert documents.describe(value) == described
