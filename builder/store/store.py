"""The store: every completion that was ever paid for, under its content address.

SQLite in WAL mode with synchronous=FULL: what a commit acknowledged survives kill -9 and a
power cut. Completions (answers) occupy a key and never change; attempts (replies that were
cut off, refused or filtered) are logged with their cost and occupy none. Every record
carries a checksum, so that a flipped bit is found rather than trained on: whoever writes drops
such a record by name, and it is asked again. How many replies were acknowledged stands beside
the store, in `store.count`, so that a log or a file that went missing is noticed too.

One process writes at a time (`lock.locked`); any number read.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

import orjson

from builder.errors import StoreError
from builder.records import (
    Completion,
    Key,
    Message,
    Usage,
    message_bytes,
)
from builder.store import counter

_COLUMNS = """
    digest BLOB NOT NULL, repeat INTEGER NOT NULL, try INTEGER NOT NULL,
    text TEXT NOT NULL, model TEXT NOT NULL, answered_by TEXT NOT NULL,
    stop TEXT NOT NULL, stop_reason TEXT NOT NULL,
    input_tokens INTEGER, output_tokens INTEGER, cached_tokens INTEGER,
    mode TEXT NOT NULL, host TEXT NOT NULL, latency REAL NOT NULL, time REAL NOT NULL, usd REAL,
    checksum BLOB NOT NULL, sent BLOB NOT NULL
"""
MIGRATIONS: tuple[str, ...] = (
    f"""
    CREATE TABLE completions (id INTEGER PRIMARY KEY, {_COLUMNS});
    CREATE UNIQUE INDEX completions_key ON completions (digest, repeat, try);
    CREATE TABLE attempts (id INTEGER PRIMARY KEY, {_COLUMNS});
    CREATE INDEX attempts_key ON attempts (digest, repeat, try);
    """,
)
"""Entry n brings a store of version n to version n + 1; PRAGMA user_version counts them."""

TOGETHER = 500
"""Keys that are looked up in one query."""
APPLICATION = 0x54445342  # "TDSB"
_NAMES = (
    "digest, repeat, try, text, model, answered_by, stop, stop_reason, input_tokens, "
    "output_tokens, cached_tokens, mode, host, latency, time, usd, checksum"
)
_INSERT = f"({_NAMES}, sent) VALUES ({', '.join('?' * 18)})"


class Store:
    """An open store. Use `reading` or `writing`."""

    def __init__(self, path: Path, db: sqlite3.Connection | None, *, mends: bool = False) -> None:
        self.path = path
        self._db = db
        self._mends = mends
        self._file = path.stat().st_ino if mends else 0
        self._replies = self.count() + self.count("attempts") if mends else 0
        self.dropped: list[Key] = []
        """Damaged answers that were dropped while this store was open for writing."""

    def completions(self, keys: Sequence[Key]) -> dict[Key, Completion]:
        """The answers held under these keys."""
        if self._db is None or not keys:
            return {}
        found: dict[Key, Completion] = {}
        query = f"SELECT {_NAMES} FROM completions WHERE digest = ? AND repeat = ? AND try = ?"
        with self._guard():
            cursor = self._db.cursor()
            for key in keys:
                for record in self._records(cursor, query, key):
                    completion = self._sound(record)
                    if completion is not None:
                        found[key] = completion
        return found

    def tries(self, keys: Sequence[Key]) -> dict[Key, list[Completion]]:
        """For the first-try keys of some cases, their held answers in order of tries, no gap."""
        if self._db is None or not keys:
            return {}
        held: dict[Key, list[Completion]] = {Key(*key[:2], 0): [] for key in keys}
        with self._guard():
            cursor = self._db.cursor()
            for start in range(0, len(keys), TOGETHER):
                some = keys[start : start + TOGETHER]
                wanted = ", ".join(["(?, ?)"] * len(some))
                # The join is crossed, so that the index is asked once for each of the wanted.
                query = (
                    f"WITH wanted (d, r) AS (VALUES {wanted}) SELECT {_NAMES} FROM wanted "
                    "CROSS JOIN completions ON digest = d AND repeat = r ORDER BY try"
                )
                for record in self._records(cursor, query, [p for key in some for p in key[:2]]):
                    answers = held[Key(record[0], record[1], 0)]
                    completion = self._sound(record) if record[2] == len(answers) else None
                    if completion is not None:
                        answers.append(completion)
        return {key: answers for key, answers in held.items() if answers}

    def keys(self) -> Iterator[Key]:
        """Every key that holds an answer."""
        if self._db is not None:
            with self._guard():
                for record in self._db.execute("SELECT digest, repeat, try FROM completions"):
                    yield Key(*record)

    def count(self, table: Literal["completions", "attempts"] = "completions") -> int:
        """How many answers, or replies that were none, are held."""
        if self._db is None:
            return 0
        with self._guard():
            number: int = self._db.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0]
        return number

    def attempts(self, key: Key) -> list[Completion]:
        """The replies to this key that were no answer, oldest first."""
        if self._db is None:
            return []
        query = (
            f"SELECT {_NAMES} FROM attempts WHERE digest = ? AND repeat = ? AND try = ? ORDER BY id"
        )
        found = []
        with self._guard():
            for record in self._records(self._db.cursor(), query, key):
                # A damaged one shows no text any more, but it was asked for and counts as such.
                with suppress(Damaged):
                    found.append(self._completion(record))
        return found

    def sent(self, key: Key) -> tuple[Message, ...]:
        """The messages that were really sent for this answer, a re-ask's turns among them."""
        if self._db is None:
            return ()
        query = "SELECT sent FROM completions WHERE digest = ? AND repeat = ? AND try = ?"
        with self._guard():
            record = self._db.execute(query, key).fetchone()
        return () if record is None else self._messages(key, record[0])

    def add(self, completions: Sequence[Completion]) -> None:
        """Keeps these replies in one transaction; on return they are on the disk.

        An answer whose key is held already changes nothing.
        """
        assert self._db is not None
        answers = [_record(c) for c in completions if c.is_answer]
        others = [_record(c) for c in completions if not c.is_answer]
        before = self._db.total_changes
        with self._guard(), self._db:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany(f"INSERT OR IGNORE INTO completions {_INSERT}", answers)
            self._db.executemany(f"INSERT INTO attempts {_INSERT}", others)
        self._still_there()
        self._replies += self._db.total_changes - before
        counter.write(self.path, self._replies)

    def drop(self, keys: Sequence[Key]) -> None:
        """Forgets damaged answers, which are asked again."""
        assert self._db is not None
        with self._guard(), self._db:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany(
                "DELETE FROM completions WHERE digest = ? AND repeat = ? AND try = ?", keys
            )
        self._replies = self.count() + self.count("attempts")
        counter.write(self.path, self._replies)

    def _still_there(self) -> None:
        """SQLite goes on writing into a file that was deleted or moved; nobody would find it."""
        try:
            same = self.path.stat().st_ino == self._file
        except OSError:
            same = False
        if not same:
            raise StoreError(
                f"{self.path} was deleted or moved while it was written to",
                hint="put its folder back as it was and run again; what is not there is asked again",
            )

    def _check(self) -> None:
        """Raises StoreError where pages do not fit together."""
        assert self._db is not None
        with self._guard():
            problems = [str(r[0]) for r in self._db.execute("PRAGMA integrity_check(3)")]
        if problems != ["ok"]:
            raise _damaged(self.path, " ".join("; ".join(problems).split()))

    def _records(self, cursor: sqlite3.Cursor, query: str, key: Sequence[Any]) -> list[Any]:
        try:
            return cursor.execute(query, key).fetchall()
        except sqlite3.OperationalError as error:
            if "decode" not in str(error):
                raise
        # A flipped bit made text that is no UTF-8: read what is there, its checksum will tell.
        assert self._db is not None
        self._db.text_factory = lambda text: text.decode("utf-8", "replace")
        try:
            return self._db.execute(query, key).fetchall()
        finally:
            self._db.text_factory = str

    def _sound(self, record: Sequence[Any]) -> Completion | None:
        """The completion of a record; a damaged one is dropped by whoever writes."""
        try:
            return self._completion(record)
        except Damaged as damaged:
            if not self._mends:
                raise
            self.dropped.append(damaged.key)
            self.drop([damaged.key])
            return None

    @contextmanager
    def _guard(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise _trouble(self.path, error) from error

    def _completion(self, record: Sequence[Any]) -> Completion:
        if record[16] != _checksum(record[:16]):
            key = Key(bytes(record[0]), int(record[1]), int(record[2]))
            raise Damaged(self.path, key)
        return Completion(
            key=Key(record[0], record[1], record[2]),
            text=record[3],
            model=record[4],
            answered_by=record[5],
            stop=record[6],
            stop_reason=record[7],
            usage=Usage(record[8], record[9], record[10]),
            mode=record[11],
            host=record[12],
            latency=record[13],
            time=record[14],
            usd=record[15],
        )

    def _messages(self, key: Key, sent: bytes) -> tuple[Message, ...]:
        if hashlib.blake2b(sent[8:], digest_size=8).digest() != sent[:8]:
            raise Damaged(self.path, key)
        return tuple(Message(role, content) for role, content in json.loads(sent[8:]))


class Damaged(StoreError):
    """A record whose checksum does not fit it."""

    def __init__(self, path: Path, key: Key) -> None:
        super().__init__(
            f"{path}: the answer {key} is damaged (its checksum does not fit)",
            hint="`builder run` drops it and asks again",
        )
        self.key = key


@contextmanager
def reading(path: Path, *, check: bool = False) -> Iterator[Store]:
    """The store for looking only; one that never was is empty. `check` reads it whole first, for
    those who would write down what they did not find."""
    told = counter.read(path)  # before the count: a run may be adding to both
    if not path.is_file() or not path.stat().st_size:
        counter.compare(path, told, 0)
        yield Store(path, None)
        return
    db = _connect(path, write=False)
    try:
        store = Store(path, db)
        if check:
            store._check()
        if told:
            counter.compare(path, told, store.count() + store.count("attempts"))
        yield store
    finally:
        db.close()


@contextmanager
def writing(path: Path) -> Iterator[Store]:
    """The store for adding to, made where it is missing. Hold the project's lock.

    Damaged answers are dropped as they are met, see `Store.dropped`. Raises StoreError where
    the file itself is damaged, or where replies that were kept are gone.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"cannot make {path.parent}: {error.strerror}") from error
    told = counter.read(path)
    if not path.is_file() or not path.stat().st_size:
        counter.compare(path, told, 0)
    db = _connect(path, write=True)
    try:
        store = Store(path, db, mends=True)
        store._check()
        counter.compare(path, told, store._replies)
        if told < store._replies:
            counter.write(path, store._replies)
        yield store
    finally:
        db.close()


def _connect(path: Path, *, write: bool) -> sqlite3.Connection:
    try:
        where = path.resolve().as_uri()
        log = path.with_name(path.name + "-wal")
        if not write and not os.access(path.parent, os.W_OK) and not log.exists():
            where += "?immutable=1"  # the log's index could not be made, and there is no log
        db = sqlite3.connect(
            where, uri=True, isolation_level=None, check_same_thread=False, timeout=10
        )
        try:
            _prepare(db, path, write=write)
        except BaseException:
            db.close()
            raise
    except sqlite3.Error as error:
        raise _trouble(path, error) from error
    return db


def _prepare(db: sqlite3.Connection, path: Path, *, write: bool) -> None:
    db.execute("PRAGMA trusted_schema = OFF")
    version: int = db.execute("PRAGMA user_version").fetchone()[0]
    if version > len(MIGRATIONS):
        raise StoreError(
            f"{path} was written by a later version (format {version}, this one knows {len(MIGRATIONS)})",
            hint="upgrade text-dataset-builder",
        )
    if write:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
    elif version == len(MIGRATIONS):
        db.execute("PRAGMA query_only = ON")
    for number in range(version, len(MIGRATIONS)):
        db.executescript(
            f"BEGIN IMMEDIATE; {MIGRATIONS[number]} PRAGMA application_id = {APPLICATION}; "
            f"PRAGMA user_version = {number + 1}; COMMIT;"
        )


def _record(completion: Completion) -> tuple[Any, ...]:
    usage = completion.usage
    values = (
        *completion.key, completion.text, completion.model, completion.answered_by,
        completion.stop, completion.stop_reason, usage.input, usage.output, usage.cached,
        completion.mode, completion.host, completion.latency, completion.time, completion.usd,
    )  # fmt: skip
    fields = tuple(map(_writable, values))
    turns = (Message(turn.role, _writable(turn.content)) for turn in completion.sent)
    sent = message_bytes(tuple(turns))
    sealed = hashlib.blake2b(sent, digest_size=8).digest() + sent
    return (*fields, _checksum(fields), sealed)


def _writable(value: Any) -> Any:
    """The value; of a text, halves of surrogate pairs are replaced, as no encoding can write them."""
    if isinstance(value, str) and not value.isascii():
        return value.encode("utf-8", "replace").decode()
    return value


def _checksum(fields: Sequence[Any]) -> bytes:
    content = orjson.dumps(fields[1:], default=str)
    return hashlib.blake2b(bytes(fields[0]) + content, digest_size=8).digest()


def _trouble(path: Path, error: sqlite3.Error) -> StoreError:
    message = str(error)
    if isinstance(error, sqlite3.DatabaseError) and any(
        word in message
        for word in ("malformed", "not a database", "no such table", "corrupt", "already exists")
    ):
        return _damaged(path, message)
    hint = (
        "free some space and run again" if "full" in message else "what was kept is kept; run again"
    )
    return StoreError(f"{path}: {message}", hint=hint)


def _damaged(path: Path, how: str) -> StoreError:
    return StoreError(
        f"{path} is damaged: {how}",
        hint=f"bring back a copy of it; or salvage what is whole: sqlite3 {path.name} .recover | "
        f"sqlite3 new.sqlite; or move it and {counter.file(path).name} away and begin anew",
    )
