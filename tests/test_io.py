"""Files written whole or not at all; trouble with the disk is one line that names the path."""

from __future__ import annotations

import os
import resource
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from builder import io
from builder.errors import StoreError


@contextmanager
def disk_of(size: int) -> Iterator[None]:
    """No file may grow beyond so many bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("content", ["四\r\n", "四\r\n".encode()])
def test_a_file_holds_what_was_written_and_nothing_else_stays(
    tmp_path: Path, content: bytes | str
) -> None:
    file = tmp_path / "file"
    file.write_text("something longer that was there before", "utf-8")
    io.write(file, content)
    assert file.read_bytes() == "四\r\n".encode()
    assert list(tmp_path.iterdir()) == [file]


def test_a_file_is_for_others_to_read_as_any_file_is(tmp_path: Path) -> None:
    io.write(tmp_path / "file", "x")
    (tmp_path / "plain").write_text("x")
    modes = {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert len(modes) == 1


def test_a_full_disk_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("before", "utf-8")
    with disk_of(4), pytest.raises(OSError, match="too large") as caught:
        io.write(file, "content")
    assert caught.value.filename == str(file)
    assert file.read_text("utf-8") == "before"
    assert list(tmp_path.iterdir()) == [file]


def test_the_disk_has_content_before_names_and_then_the_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there, asked = tmp_path / "b", os.fsync
    seen: list[tuple[bool, bool]] = []

    def fsync(descriptor: int) -> None:
        seen.append((stat.S_ISDIR(os.fstat(descriptor).st_mode), there.exists()))
        asked(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    places = {}
    for name in "ab":
        partial = tmp_path / f"{name}.part"
        partial.write_text(name)
        places[partial] = tmp_path / name
    io.replace(places)
    assert seen == [(False, False), (False, False), (True, True)]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]
    seen.clear()
    io.write(there, "more")
    assert seen == [(False, True), (True, True)]


def test_a_link_goes_on_pointing_where_it_did(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (tmp_path / "link").symlink_to(folder / "file")
    for text in ("one", "two"):
        io.write(tmp_path / "link", text)
        assert (folder / "file").read_text("utf-8") == text
    assert (tmp_path / "link").is_symlink()


def test_what_is_no_file_is_written_to_as_it_is(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    io.write(pipe, "through")
    assert os.read(reader, 100) == b"through"
    os.close(reader)
    assert not pipe.is_file()


def test_trouble_names_the_file_or_else_the_place_it_was_about(tmp_path: Path) -> None:
    file = tmp_path / "no/such/file"
    with pytest.raises(StoreError) as caught, io.writing(tmp_path, hint="do this"):
        io.write(file, "x")
    assert str(caught.value) == f"cannot write {file}: No such file or directory\n  do this"
    torn = f"cannot write {tmp_path}: torn"
    with pytest.raises(StoreError, match=torn) as caught, io.writing(tmp_path):
        raise OSError("torn")
    assert not caught.value.hint
