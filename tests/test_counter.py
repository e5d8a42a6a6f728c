"""The number of replies beside a store: losing some is noticed before anything is asked."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from builder import store
from builder.errors import StoreError
from builder.records import Completion, Key
from builder.store import codec, counter


def test_the_number_is_read_as_it_was_noted(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    assert counter.read(path) == 0
    counter.write(path, 12)
    assert counter.read(path) == 12
    assert [file.name for file in tmp_path.iterdir()] == ["store.count"]


@pytest.mark.parametrize(
    "text", ["", "12", "13 {sum}", "12 {sum} x", "twelve {sum}", "12 00000000"]
)
def test_a_torn_note_counts_as_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / "store.sqlite"
    counter.write(path, 12)
    number, check = counter.file(path).read_text("ascii").split()
    assert number == "12"
    counter.file(path).write_text(text.format(sum=check), "ascii")
    assert counter.read(path) == 0


def test_a_note_that_cannot_be_written_names_its_file(tmp_path: Path) -> None:
    (tmp_path / "store.part").mkdir()
    with pytest.raises(StoreError, match=r"cannot write .*store\.part: Is a directory"):
        counter.write(tmp_path / "store.sqlite", 1)


def test_fewer_replies_than_were_noted_are_an_error_and_more_are_none(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    counter.compare(path, 3, 3)
    counter.compare(path, 3, 4)
    with pytest.raises(StoreError, match="holds 2 of the 3 replies") as lost:
        counter.compare(path, 3, 2)
    assert f"delete {tmp_path / 'store.count'}" in lost.value.hint


def replies(number: int, *, stop: str = "end") -> list[Completion]:
    reply = Completion(Key(bytes(16), 0, 0), "x", "fake:any")
    keys = [Key(bytes([i]) * 16, 0, 0) for i in range(number)]
    return [
        reply._replace(key=key) if stop == "end" else reply._replace(key=key, stop="length")
        for key in keys
    ]


def test_a_store_notes_what_it_was_given_answers_and_others_alike(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    with store.writing(path) as answers:
        answers.add(replies(3))
        assert (answers.replies, counter.read(path)) == (3, 3)
        answers.add(replies(4) + replies(2, stop="length"))
        assert answers.replies == 6
        assert 3 <= counter.read(path) <= 6
        answers.drop([replies(1)[0].key])
        assert answers.replies == 5
    assert counter.read(path) == 5


def test_a_store_that_lost_replies_is_not_opened_and_a_lost_note_is_made_anew(
    tmp_path: Path,
) -> None:
    path = tmp_path / "store.sqlite"
    with store.writing(path) as answers:
        answers.add(replies(2))
    counter.file(path).unlink()
    with store.reading(path) as answers:
        assert answers.count() == 2
    assert counter.read(path) == 0
    with store.writing(path):
        assert counter.read(path) == 2
    counter.write(path, 3)
    with pytest.raises(StoreError, match="holds 2 of the 3"), store.reading(path):
        pass
    with pytest.raises(StoreError, match="holds 2 of the 3"), store.writing(path):
        pass
    path.unlink()
    with pytest.raises(StoreError, match="holds 0 of the 3"), store.reading(path):
        pass
    with pytest.raises(StoreError, match="holds 0 of the 3"), store.writing(path):
        pass


def test_a_store_that_was_taken_away_while_it_was_written_to_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    with store.writing(path) as answers:
        answers.add(replies(1))
        path.rename(tmp_path / "elsewhere.sqlite")
        with pytest.raises(StoreError, match="was deleted or moved while it was written to"):
            answers.add(replies(2))


def test_pages_that_do_not_fit_together_are_found_after_a_kill_and_by_an_audit(
    tmp_path: Path,
) -> None:
    path = tmp_path / "store.sqlite"
    with store.writing(path) as answers:
        answers.add(replies(200))
        assert answers.audit() == []
    content = bytearray(path.read_bytes())
    content[5000:9000] = bytes(4000)
    path.write_bytes(content)
    with store.reading(path) as answers, pytest.raises(StoreError, match="is damaged"):
        answers.audit()
    path.with_name("store.sqlite-wal").touch()
    with pytest.raises(StoreError, match="is damaged"), store.writing(path):
        pass


def test_an_audit_names_every_damaged_answer_and_misses_none_that_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    with store.writing(path) as answers:
        answers.add(replies(5))
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE completions SET text = 'y' WHERE id IN (2, 4)")
    with store.reading(path) as answers:
        assert answers.audit() == [replies(5)[1].key, replies(5)[3].key]
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("DELETE FROM completions WHERE id = 1")
    with store.reading(path) as answers, pytest.raises(StoreError, match="holds 4 of the 5"):
        answers.audit()


def test_a_store_of_an_earlier_version_counts_its_replies(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    with closing(sqlite3.connect(path)) as db:
        for version in range(2):
            db.executescript(codec.script(version))
    with store.reading(path) as answers:
        assert answers.replies == 0
    with store.writing(path) as answers:
        answers.add(replies(2))
        assert answers.replies == 2
