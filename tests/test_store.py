"""The store: what was acknowledged comes back as it was, or is named; one process writes."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from builder import store
from builder.errors import StoreError
from builder.records import (
    Completion,
    Key,
    Message,
    Usage,
)
from builder.store import DamagedError, codec
from builder.store.codec import APPLICATION, DETAILS, JUDGED, MIGRATIONS, SENT, script
from tests import projects

KEY = Key(bytes(range(16)), 0, 0)
ANSWER = Completion(
    key=KEY, text='{"text": "你好"}', model="fake:any", answered_by="fake-1", stop="end",
    stop_reason="stop", usage=Usage(10, 20, 3), mode="json_schema", host="localhost:1",
    latency=0.25, time=1.75e9, sent=(Message("user", "write 一封信"),), usd=0.125,
)  # fmt: skip
COLUMNS = (
    "digest", "repeat", "try", "text", "model", "answered_by", "stop", "stop_reason",
    "input_tokens", "output_tokens", "cached_tokens", "mode", "host", "latency", "time", "usd",
)  # fmt: skip
texts = st.text(max_size=40)
whole = st.integers(0, 2**63 - 1)
amounts = st.floats(0, 1e12, allow_nan=False)
messages = st.lists(
    st.builds(Message, st.sampled_from(["system", "user", "assistant"]), texts), max_size=3
)
completions = st.builds(
    Completion,
    key=st.builds(
        Key, st.binary(min_size=16, max_size=16), st.integers(0, 2**31), st.integers(0, 99)
    ),
    text=texts,
    model=texts,
    answered_by=texts,
    stop=st.sampled_from(["end", "length", "refusal", "filter"]),
    stop_reason=texts,
    usage=st.builds(Usage, st.none() | whole, st.none() | whole, st.none() | whole),
    mode=texts,
    host=texts,
    latency=amounts,
    reasoning=texts,
    kind=st.sampled_from(["answer", "judge", "turn"]),
    door=st.sampled_from(["online", "batch", "file"]),
    ticket=texts,
    time=amounts,
    sent=messages.map(tuple),
    usd=st.none() | amounts,
)
HOSTILE = {
    "NUL": "a\0b",
    "right to left": "\u202eabc\u202c \u061c",
    "controls": "".join(map(chr, range(1, 32))) + "\x7f\x9b",
    "line ends": "a\r\nb\rc\u2028d\u2029e\x85",
    "beyond the plane": "😀𠮷\U0010ffff\uffff\ufdd0",
    "combining": "e" + "\u0301" * 500,
    "quotes": "'; DROP TABLE completions; --\"`",
    "a megabyte": "长" * 350_000,
    "nothing": "",
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outputs" / "store.sqlite"


def kept(path: Path, *replies: Completion) -> None:
    with store.writing(path) as held:
        held.add(replies)


def walked(reply: Completion) -> Completion:
    """The reply as a walk over the store reads it, without what no verdict needs."""
    return reply._replace(sent=(), reasoning="", kind="answer", door="online", ticket="")


def answer(path: Path, key: Key = KEY) -> Completion | None:
    with store.reading(path) as held:
        return held.whole(key)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(replies=st.lists(completions, max_size=6))
def test_replies_come_back_as_they_were(replies: list[Completion], tmp_path: Path) -> None:
    path = tmp_path / f"{time.monotonic_ns()}" / "store.sqlite"
    kept(path, *replies[:3])
    kept(path, *replies[3:])
    first: dict[Key, Completion] = {}
    others: dict[Key, list[Completion]] = {}
    for reply in replies:
        if reply.is_answer:
            first.setdefault(reply.key, reply)
        else:
            others.setdefault(reply.key, []).append(reply)
    with store.reading(path) as held:
        keys = [reply.key for reply in replies]
        assert {key: held.whole(key) for key in keys} == {key: first.get(key) for key in keys}
        assert set(held.keys()) == set(first)
        assert held.count() == len(first)
        for key in keys:
            assert held.attempts(key) == [walked(r) for r in others.get(key, [])]
        assert held.count("attempts") == sum(map(len, others.values()))


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_texts_come_back_as_they_were(name: str, path: Path) -> None:
    text = HOSTILE[name]
    reply = ANSWER._replace(text=text, answered_by=text[:99], stop_reason=text[:99], host=text[:99],
        sent=(Message("user", text),),
    )  # fmt: skip
    kept(path, reply)
    assert answer(path) == reply


def test_half_a_surrogate_pair_costs_no_answer(path: Path) -> None:
    other = Key(bytes(16), 0, 0)
    reply = ANSWER._replace(
        text="a\ud800b", answered_by="\udfff", sent=(Message("assistant", "\ud83d"),)
    )
    kept(path, ANSWER._replace(key=other), reply)
    found = answer(path)
    assert found is not None
    assert (found.text, found.answered_by) == ("a?b", "?")
    assert answer(path, other) is not None


def test_the_first_answer_to_a_key_wins(path: Path) -> None:
    kept(path, ANSWER, ANSWER._replace(text="second"))
    kept(path, ANSWER._replace(text="third"))
    found = answer(path)
    assert found is not None
    assert found.text == ANSWER.text
    with store.reading(path) as held:
        assert held.count() == 1


def test_a_reply_that_is_no_answer_occupies_no_key(path: Path) -> None:
    cut, refused = (ANSWER._replace(stop=stop, text=stop) for stop in ("length", "refusal"))
    kept(path, cut, refused)
    assert answer(path) is None
    with store.reading(path) as held:
        assert not held.tries([KEY])
        assert [reply.text for reply in held.attempts(KEY)] == ["length", "refusal"]
    kept(path, ANSWER)
    assert answer(path) is not None
    with store.reading(path) as held:
        assert (held.count(), held.count("attempts")) == (1, 2)


def test_tries_end_at_the_first_gap(path: Path) -> None:
    for attempt in (0, 1, 3):
        kept(path, ANSWER._replace(key=KEY._replace(attempt=attempt), text=str(attempt)))
    kept(path, ANSWER._replace(key=KEY._replace(repeat=1), text="another repeat"))
    with store.reading(path) as held:
        (found,) = held.tries([KEY]).values()
        assert [reply.text for reply in found] == ["0", "1"]


def test_an_absent_store_is_empty_and_stays_absent(path: Path) -> None:
    with store.reading(path) as held:
        assert (held.count(), held.whole(KEY), held.tries([KEY])) == (0, None, {})
        assert (held.attempts(KEY), list(held.keys())) == ([], [])
    assert not path.exists()


def edit(path: Path, change: str, *values: Any) -> None:
    db = sqlite3.connect(path)
    with db:
        db.execute(change, values)
    db.close()


def flipped(value: Any) -> Any:
    """The value with one bit of it flipped."""
    if value is None:
        return 1
    if isinstance(value, bytes):
        return bytes([value[0] ^ 1]) + value[1:]
    if isinstance(value, str):
        return chr(ord(value[0]) ^ 1) + value[1:]
    return value + 1 if isinstance(value, int) else value * (1 + 2**-52)


@pytest.mark.parametrize("column", [*COLUMNS, "checksum"])
def test_a_flipped_bit_is_found_in_each_column(column: str, path: Path) -> None:
    kept(path, ANSWER)
    db = sqlite3.connect(path)
    (value,) = db.execute(f"SELECT {column} FROM completions").fetchone()
    db.close()
    edit(path, f"UPDATE completions SET {column} = ?", flipped(value))
    with store.reading(path) as held:
        (key,) = held.keys()
        with pytest.raises(DamagedError, match="is damaged"):
            held.whole(key)
        if key.attempt == 0:
            with pytest.raises(DamagedError) as found:
                held.tries([key])
            assert str(path) in str(found.value)
            assert str(key) in str(found.value)


def test_a_missing_value_where_there_was_one_is_found(path: Path) -> None:
    kept(path, ANSWER)
    edit(path, "UPDATE completions SET usd = NULL")
    with pytest.raises(DamagedError):
        answer(path)


def test_a_flipped_bit_is_found_in_what_was_sent(path: Path) -> None:
    kept(path, ANSWER)
    edit(path, "UPDATE completions SET sent = ?", b"12345678" + b"[]")
    with store.reading(path) as held, pytest.raises(DamagedError):
        held.whole(KEY)


@pytest.mark.parametrize("column", [column.name for column in DETAILS])
def test_a_flipped_bit_is_found_in_what_else_is_known(column: str, path: Path) -> None:
    kept(path, ANSWER._replace(reasoning="first this, then that", door="batch", ticket="b-1"))
    edit(
        path,
        f"UPDATE completions SET {column} = ?",
        "other" if "sum" not in column else b"12345678",
    )
    with store.reading(path) as held, pytest.raises(DamagedError):
        held.whole(KEY)


def test_a_detail_that_appears_beside_a_plain_answer_is_found(path: Path) -> None:
    kept(path, ANSWER)
    edit(path, "UPDATE completions SET door = 'batch'")
    with store.reading(path) as held, pytest.raises(DamagedError):
        held.whole(KEY)


def test_a_store_of_the_first_version_is_read_as_it_is_and_migrated_by_a_writer(path: Path) -> None:
    path.parent.mkdir()
    db = sqlite3.connect(path)
    db.executescript(script(0))
    names = ", ".join(column.name for column in (*JUDGED, SENT))
    values = codec.record_of(ANSWER)[: len(JUDGED) + 1]
    db.execute(f"INSERT INTO completions ({names}) VALUES ({', '.join('?' * len(values))})", values)
    db.commit()
    db.close()
    before = path.read_bytes()
    with store.reading(path) as held:
        assert held.whole(KEY) == ANSWER
        assert list(held.tries([KEY])) == [KEY]
    assert path.read_bytes() == before
    other = ANSWER._replace(key=KEY._replace(repeat=1), reasoning="hm")
    kept(path, other)
    assert answer(path) == ANSWER
    assert answer(path, other.key) == other


def test_a_damaged_answer_is_dropped_by_whoever_writes_and_can_be_given_again(path: Path) -> None:
    kept(path, ANSWER, ANSWER._replace(key=KEY._replace(repeat=1)))
    edit(path, "UPDATE completions SET text = 'x' WHERE repeat = 0")
    with store.writing(path) as held:
        assert held.whole(KEY) is None
        assert held.dropped == [KEY]
        held.add([ANSWER])
    assert answer(path) == ANSWER


@pytest.mark.parametrize("opened", [store.reading, store.writing])
def test_a_store_of_a_later_version_is_refused(opened: Any, path: Path) -> None:
    kept(path, ANSWER)
    later = len(MIGRATIONS) + 1
    edit(path, f"PRAGMA user_version = {later}")
    before = path.read_bytes()
    with pytest.raises(StoreError, match=f"later version .format {later}"), opened(path):
        pass
    assert path.read_bytes() == before


def test_each_migration_leads_to_the_present_format(path: Path) -> None:
    path.parent.mkdir()
    db = sqlite3.connect(path)
    for number, migration in enumerate(MIGRATIONS):
        assert db.execute("PRAGMA user_version").fetchone() == (number,)
        db.close()
        copy = path.with_name(f"from-{number}.sqlite")
        copy.write_bytes(path.read_bytes() if path.exists() else b"")
        kept(copy, ANSWER)
        assert answer(copy) == ANSWER
        db = sqlite3.connect(path)
        db.executescript(f"{migration}; PRAGMA user_version = {number + 1};")
    present = db.execute("PRAGMA user_version").fetchone()
    tables = db.execute("SELECT sql FROM sqlite_master ORDER BY name").fetchall()
    db.close()
    assert present == (len(MIGRATIONS),)
    other = path.with_name("new.sqlite")
    kept(other)
    db = sqlite3.connect(other)
    assert db.execute("SELECT sql FROM sqlite_master ORDER BY name").fetchall() == tables
    assert db.execute("PRAGMA application_id").fetchone() == (APPLICATION,)
    db.close()


@pytest.mark.parametrize(
    "content", [b"not a database, " * 100, b"SQLite format 3\0" + b"\xff" * 4000]
)
def test_a_file_that_is_no_store_is_named_and_left_alone(content: bytes, path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    for opened in (store.reading, store.writing):
        with pytest.raises(StoreError) as found, opened(path) as held:
            held.count()
        assert str(path) in str(found.value)
    assert path.read_bytes() == content


def test_a_store_that_may_only_be_read_is_read(path: Path) -> None:
    kept(path, ANSWER)
    for left in path.parent.iterdir():
        left.chmod(0o444)
    path.parent.chmod(0o555)
    try:
        assert answer(path) == ANSWER
    finally:
        path.parent.chmod(0o755)


def test_reading_changes_no_answer(path: Path) -> None:
    kept(path, ANSWER)
    with store.reading(path) as held, pytest.raises(StoreError):
        held.add([ANSWER._replace(key=KEY._replace(repeat=1))])
    with store.reading(path) as held:
        assert held.count() == 1


def test_readers_see_what_a_writer_acknowledged_while_it_goes_on(path: Path) -> None:
    with store.writing(path) as writer:
        writer.add([ANSWER])
        with store.reading(path) as reader:
            assert reader.count() == 1
            writer.add([ANSWER._replace(key=KEY._replace(repeat=1))])
            assert reader.count() == 2


HOLD = """
import sys, time
from pathlib import Path
from builder import store
with store.locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path: Path) -> Any:
    """Another process that holds the lock of a project."""
    folder = projects.write(tmp_path / "project")
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder / "outputs")], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield process, folder
    process.kill()
    process.communicate()


@pytest.mark.parametrize("words", [["run"], ["export"]])
def test_a_second_writer_ends_at_once_and_names_the_first(words: list[str], holder: Any) -> None:
    process, folder = holder
    ran = projects.run(folder, *words)
    assert ran.code == 4
    assert f"in use by pid {process.pid} since " in ran.err
    assert projects.held(folder) == 0


def test_who_only_looks_needs_no_lock(holder: Any) -> None:
    _, folder = holder
    for words in (["plan"], ["show"]):
        assert projects.run(folder, *words).code == 0


def test_a_lock_ends_with_its_process(holder: Any) -> None:
    process, folder = holder
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert projects.run(folder, "run").code == 0
    assert projects.held(folder) == 2


def test_a_killed_writer_loses_nothing_that_was_acknowledged(path: Path) -> None:
    code = (
        "import os, sys\nfrom dataclasses import replace\nfrom pathlib import Path\n"
        "from builder import store\nfrom tests.test_store import ANSWER, KEY\n"
        "with store.writing(Path(sys.argv[1])) as held:\n"
        "    for repeat in range(300):\n"
        "        held.add([ANSWER._replace(key=KEY._replace(repeat=repeat))])\n"
        "        print(repeat, flush=True)\n"
        "        if repeat == 211: os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == -signal.SIGKILL
    told = int(done.stdout.split()[-1])
    with store.writing(path) as held:
        assert held.count() == told + 1 == 212
        keys = [KEY._replace(repeat=repeat) for repeat in range(told + 1)]
        assert len(held.tries(keys)) == 212


def test_a_file_of_nobodys_tables_or_of_none_is_named_or_empty(path: Path) -> None:
    path.parent.mkdir()
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE somebody (x)")
    db.commit()
    db.close()
    with pytest.raises(StoreError, match="is damaged"), store.reading(path):
        pass
    edit(path, "DROP TABLE somebody")
    with store.reading(path) as held:
        assert held.count() == 0
    page = bytearray(path.read_bytes())
    page[100] = 0x7F
    path.write_bytes(page)
    with pytest.raises(StoreError, match="is damaged"), store.reading(path):
        pass
