"""The store: every completion that was ever paid for, under its content address.

SQLite in WAL mode with synchronous=FULL: what a commit acknowledged survives kill -9 and a
power cut. Completions (answers) occupy a key and never change; attempts (replies that were
cut off, refused or filtered) are logged with their cost and occupy none. Every record
carries a checksum, so that a flipped bit is found rather than trained on.

One process writes at a time (`Project` lock below); any number read.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import orjson

from builder.errors import BusyError, StoreError
from builder.records import Completion, Key, Message, Usage, message_bytes

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

APPLICATION = 0x54445342  # "TDSB"
_NAMES = (
    "digest, repeat, try, text, model, answered_by, stop, stop_reason, input_tokens, "
    "output_tokens, cached_tokens, mode, host, latency, time, usd, checksum"
)
_INSERT = f"({_NAMES}, sent) VALUES ({', '.join('?' * 18)})"


class Store:
    """An open store. Use `reading` or `writing`."""

    def __init__(self, path: Path, db: sqlite3.Connection | None) -> None:
        self.path = path
        self._db = db

    # -- reading ---------------------------------------------------------------

    def completions(self, keys: Sequence[Key]) -> dict[Key, Completion]:
        """The answers held under these keys."""
        if self._db is None or not keys:
            return {}
        found: dict[Key, Completion] = {}
        query = f"SELECT {_NAMES} FROM completions WHERE digest = ? AND repeat = ? AND try = ?"
        with self._guard():
            cursor = self._db.cursor()
            for key in keys:
                record = cursor.execute(query, key).fetchone()
                if record is not None:
                    found[key] = self._completion(record)
        return found

    def tries(self, keys: Sequence[Key]) -> dict[Key, list[Completion]]:
        """For the first-try keys of some cases, their held answers in order of tries, no gap."""
        if self._db is None or not keys:
            return {}
        found: dict[Key, list[Completion]] = {}
        query = f"SELECT {_NAMES} FROM completions WHERE digest = ? AND repeat = ? ORDER BY try"
        with self._guard():
            cursor = self._db.cursor()
            for key in keys:
                held: list[Completion] = []
                for record in cursor.execute(query, key[:2]):
                    if record[2] != len(held):
                        break
                    held.append(self._completion(record))
                if held:
                    found[key] = held
        return found

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
        with self._guard():
            return [self._completion(record) for record in self._db.execute(query, key)]

    def sent(self, key: Key) -> tuple[Message, ...]:
        """The messages that were really sent for this answer, a re-ask's turns among them."""
        if self._db is None:
            return ()
        query = "SELECT sent FROM completions WHERE digest = ? AND repeat = ? AND try = ?"
        with self._guard():
            record = self._db.execute(query, key).fetchone()
        return () if record is None else self._messages(key, record[0])

    # -- writing ---------------------------------------------------------------

    def add(self, completions: Sequence[Completion]) -> None:
        """Keeps these replies in one transaction; on return they are on the disk.

        An answer whose key is held already changes nothing.
        """
        assert self._db is not None
        answers = [_record(c) for c in completions if c.is_answer]
        others = [_record(c) for c in completions if not c.is_answer]
        with self._guard(), self._db:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany(f"INSERT OR IGNORE INTO completions {_INSERT}", answers)
            self._db.executemany(f"INSERT INTO attempts {_INSERT}", others)

    def drop(self, keys: Sequence[Key]) -> None:
        """Forgets these answers: for damaged ones alone, which are asked again."""
        assert self._db is not None
        with self._guard(), self._db:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany(
                "DELETE FROM completions WHERE digest = ? AND repeat = ? AND try = ?", keys
            )

    # -- inside ----------------------------------------------------------------

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
def reading(path: Path) -> Iterator[Store]:
    """The store for looking only; an absent one is empty."""
    if not path.is_file():
        yield Store(path, None)
        return
    db = _connect(path, write=False)
    try:
        yield Store(path, db)
    finally:
        db.close()


@contextmanager
def writing(path: Path) -> Iterator[Store]:
    """The store for adding to, made where it is missing. Hold the project's lock."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"cannot make {path.parent}: {error.strerror}") from error
    db = _connect(path, write=True)
    try:
        yield Store(path, db)
    finally:
        db.close()


@contextmanager
def locked(outputs: Path) -> Iterator[None]:
    """Holds the project's outputs for one writer. BusyError at once where another one does.

    The lock is the operating system's, so it ends with its process however that ends.
    """
    from filelock import FileLock, Timeout

    try:
        outputs.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"cannot make {outputs}: {error.strerror}") from error
    owner = outputs / ".lock.owner"
    lock = FileLock(outputs / ".lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        told = owner.read_text("utf-8") if owner.is_file() else "another process"
        raise BusyError(
            f"{outputs} is in use by {told.strip()}", hint="wait for it, or stop it and run again"
        ) from None
    except OSError as error:
        raise StoreError(f"cannot lock {outputs}: {error.strerror}") from error
    try:
        since = time.strftime("%Y-%m-%d %H:%M:%S")
        owner.write_text(f"pid {os.getpid()} since {since}\n", "utf-8")
        yield
    finally:
        owner.unlink(missing_ok=True)
        lock.release()


def _connect(path: Path, *, write: bool) -> sqlite3.Connection:
    try:
        db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
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
    fields = (
        *completion.key, completion.text, completion.model, completion.answered_by,
        completion.stop, completion.stop_reason, usage.input, usage.output, usage.cached,
        completion.mode, completion.host, completion.latency, completion.time, completion.usd,
    )  # fmt: skip
    sent = message_bytes(completion.sent)
    sealed = hashlib.blake2b(sent, digest_size=8).digest() + sent
    return (*fields, _checksum(fields), sealed)


def _checksum(fields: Sequence[Any]) -> bytes:
    content = orjson.dumps(fields[1:], default=str)
    return hashlib.blake2b(bytes(fields[0]) + content, digest_size=8).digest()


def _trouble(path: Path, error: sqlite3.Error) -> StoreError:
    message = str(error)
    if isinstance(error, sqlite3.DatabaseError) and (
        "malformed" in message or "not a database" in message
    ):
        return StoreError(
            f"{path} is damaged: {message}",
            hint=f"move it away to begin anew, or salvage it: sqlite3 {path.name} .recover",
        )
    hint = (
        "free some space and run again" if "full" in message else "what was kept is kept; run again"
    )
    return StoreError(f"{path}: {message}", hint=hint)
