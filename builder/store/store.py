"""The store: every completion that was ever paid for, under its content address.

SQLite in WAL mode with synchronous=FULL: what a commit acknowledged survives kill -9 and a
power cut. Completions (answers) occupy a key and never change; attempts (replies that were
cut off, refused or filtered) are logged with their cost and occupy none. Every record
carries a checksum, so that a flipped bit is found rather than trained on: whoever writes drops
such a record by name, and it is asked again. How many replies were acknowledged stands in a row of
the store's own, and beside it in `store.count`, so that a log or a file that went missing is
noticed too.

One process writes at a time (`lock.locked`); any number read.
"""

import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

from builder.errors import StoreError
from builder.records import Completion, Key
from builder.store import codec, counter

WITNESS = 0.25  # Seconds between two notes of the number of replies, beside the store.
TOGETHER = 500  # Keys that are looked up in one query.

_JUDGED = codec.names(codec.JUDGED)
_ALL = codec.names((*codec.JUDGED, codec.SENT, *codec.DETAILS))
# The same of a store of version 1 that is only read, and so not migrated.
_ALL_OF_FIRST = f"{_JUDGED}, sent, 'answer', 'online', '', '', NULL"
_INSERT = f"({_ALL}) VALUES ({', '.join('?' * len((*codec.JUDGED, codec.SENT, *codec.DETAILS)))})"
_COUNT_ON = "UPDATE state SET value = value + ? WHERE name = 'replies'"
_KEY = "digest = ? AND repeat = ? AND try = ?"

Table = Literal["completions", "attempts"]


class Store:
    """An open store. Use `reading` or `writing`."""

    def __init__(self, path: Path, db: sqlite3.Connection | None, *, repairs: bool = False) -> None:
        self.path = path
        self._db = db
        self._repairs = repairs
        self._file = path.stat().st_ino if repairs else 0
        self._noted_at = 0.0
        # Damaged answers that were dropped while this store was open for writing.
        self.dropped: list[Key] = []

    def tries(self, keys: Sequence[Key]) -> dict[Key, list[Completion]]:
        """For the first-try keys of some cases, their answers in order of tries up to the first gap.

        `sent`, `reasoning` and the like are left out: no verdict hangs on them, see `whole`.
        """
        if self._db is None or not keys:
            return {}
        tries: dict[tuple[bytes, int], list[Completion]] = {key[:2]: [] for key in keys}
        with self._guard():
            cursor = self._db.cursor()
            for start in range(0, len(keys), TOGETHER):
                part = keys[start : start + TOGETHER]
                wanted = ", ".join(["(?, ?)"] * len(part))
                # The join is crossed, so that the index is asked once for each of the wanted.
                query = (
                    f"WITH wanted (d, r) AS (VALUES {wanted}) SELECT {_JUDGED} FROM wanted "
                    "CROSS JOIN completions ON digest = d AND repeat = r ORDER BY try"
                )
                for record in self._records(cursor, query, [p for key in part for p in key[:2]]):
                    answers = tries[record[:2]]
                    completion = self._sound(record) if record[2] == len(answers) else None
                    if completion is not None:
                        answers.append(completion)
        return {Key(*key, 0): answers for key, answers in tries.items() if answers}

    def whole(self, key: Key) -> Completion | None:
        """The answer under this key with all that is known of it, or None."""
        if self._db is None:
            return None
        for record in self._select(f"SELECT {self._all()} FROM completions WHERE {_KEY}", key):
            return self._sound(record, codec.whole_completion_of)
        return None

    def keys(self) -> Iterator[Key]:
        """Every key that holds an answer."""
        if self._db is not None:
            with self._guard():
                for record in self._db.execute("SELECT digest, repeat, try FROM completions"):
                    yield Key(*record)

    def count(self, table: Table = "completions") -> int:
        """How many answers, or replies that were none, the store holds."""
        if self._db is None:
            return 0
        with self._guard():
            number: int = self._db.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0]
        return number

    def attempts(self, key: Key) -> list[Completion]:
        """The replies to this key that were no answer, oldest first."""
        attempts = []
        query = f"SELECT {_JUDGED} FROM attempts WHERE {_KEY} ORDER BY id"
        for record in self._select(query, key):
            # A damaged one shows no text any more, but it was asked for and counts as such.
            with suppress(codec.DamagedRecordError):
                attempts.append(codec.completion_of(record))
        return attempts

    def add(self, completions: Sequence[Completion]) -> None:
        """Keeps these replies in one transaction; on return they are on the disk.

        An answer whose key is taken already changes nothing.
        """
        assert self._db is not None
        answers = [codec.record_of(c) for c in completions if c.is_answer]
        others = [codec.record_of(c) for c in completions if not c.is_answer]
        before = self._db.total_changes
        with self._guard(), self._db:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany(f"INSERT OR IGNORE INTO completions {_INSERT}", answers)
            self._db.executemany(f"INSERT INTO attempts {_INSERT}", others)
            self._db.execute(_COUNT_ON, [self._db.total_changes - before])
        self._check_file()
        if time.monotonic() - self._noted_at > WITNESS:
            self._note()

    def drop(self, keys: Sequence[Key]) -> None:
        """Forgets damaged answers, which are asked again."""
        assert self._db is not None
        with self._guard(), self._db:
            self._db.execute("BEGIN IMMEDIATE")
            before = self._db.total_changes
            self._db.executemany(f"DELETE FROM completions WHERE {_KEY}", keys)
            self._db.execute(_COUNT_ON, [before - self._db.total_changes])
        self._note()

    @property
    def replies(self) -> int:
        """Replies that were acknowledged, answers and others; as the store's own row says."""
        if self._db is None or self._version() < 3:
            return self.count() + self.count("attempts")
        with self._guard():
            number: int = self._db.execute("SELECT value FROM state").fetchone()[0]
        return number

    def audit(self) -> list[Key]:
        """The keys of all damaged answers; reads the whole store.

        Raises StoreError where pages of the file do not fit together, or replies are gone.
        """
        self.check()
        counter.compare(self.path, self.replies, self.count() + self.count("attempts"))
        damaged: list[Key] = []
        if self._db is None:
            return damaged
        query = (
            f"SELECT id, {self._all()} FROM completions WHERE id > ? ORDER BY id LIMIT {TOGETHER}"
        )
        last = 0
        with self._guard():
            while records := self._records(self._db.cursor(), query, [last]):
                for record in records:
                    try:
                        codec.whole_completion_of(record[1:])
                    except codec.DamagedRecordError as error:
                        damaged.append(error.key)
                last = records[-1][0]
        return damaged

    def _version(self) -> int:
        """The version of the store's format."""
        assert self._db is not None
        with self._guard():
            version: int = self._db.execute("PRAGMA user_version").fetchone()[0]
        return version

    def _all(self) -> str:
        """Every column of a reply, as SQL of this store's version."""
        return _ALL if self._version() > 1 else _ALL_OF_FIRST

    def check(self) -> None:
        """Raises StoreError where pages of the file do not fit together."""
        if self._db is None:
            return
        with self._guard():
            problems = [str(r[0]) for r in self._db.execute("PRAGMA integrity_check(3)")]
        if problems != ["ok"]:
            raise _damaged(self.path, " ".join("; ".join(problems).split()))

    def check_count(self, noted: int) -> None:
        """Raises StoreError where the store holds fewer replies than were noted beside it."""
        replies = self.replies
        counter.compare(self.path, noted, replies)
        if self._repairs and noted < replies:
            self._note()

    def _note(self) -> None:
        """Writes beside the store how many replies it holds."""
        counter.write(self.path, self.replies)
        self._noted_at = time.monotonic()

    def _check_file(self) -> None:
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

    def _select(self, query: str, key: Key) -> list[Any]:
        if self._db is None:
            return []
        with self._guard():
            return self._records(self._db.cursor(), query, key)

    def _records(self, cursor: sqlite3.Cursor, query: str, values: Sequence[Any]) -> list[Any]:
        try:
            return cursor.execute(query, values).fetchall()
        except sqlite3.OperationalError as error:
            if "decode" not in str(error):
                raise
        # A flipped bit made text that is no UTF-8: read what is there, its checksum will differ.
        assert self._db is not None
        self._db.text_factory = lambda text: text.decode("utf-8", "replace")
        try:
            return self._db.execute(query, values).fetchall()
        finally:
            self._db.text_factory = str

    def _sound(
        self,
        record: Sequence[Any],
        read: Callable[[Sequence[Any]], Completion] = codec.completion_of,
    ) -> Completion | None:
        """The completion of a record; None for a damaged one, which whoever writes drops."""
        try:
            return read(record)
        except codec.DamagedRecordError as error:
            if not self._repairs:
                raise DamagedError(self.path, error.key) from error
            self.dropped.append(error.key)
            self.drop([error.key])
        return None

    def _guard(self) -> AbstractContextManager[None]:
        return _guarded(self.path)


class DamagedError(StoreError):
    """A record of the store is damaged, and the store is open for reading only."""

    def __init__(self, path: Path, key: Key) -> None:
        super().__init__(
            f"{path}: the answer {key} is damaged (its checksum does not fit)",
            hint="`builder run` drops it and asks again",
        )
        self.key = key


@contextmanager
def reading(path: Path) -> Iterator[Store]:
    """The store for looking only; one that never was is empty."""
    noted = counter.read(path)  # before the count: a run may be adding to both
    if not path.is_file() or not path.stat().st_size:
        counter.compare(path, noted, 0)
        yield Store(path, None)
        return
    with closing(_connect(path, write=False)) as db:
        with _guarded(path):
            empty = not _has_tables(db, path)
        store = Store(path, None if empty else db)
        if noted:
            store.check_count(noted)
        yield store


@contextmanager
def writing(path: Path) -> Iterator[Store]:
    """The store for adding to, made where it is missing. Hold the project's lock.

    Damaged answers are dropped as they are met, see `Store.dropped`. A store whose last writer was
    killed is checked. Raises StoreError where the file itself is damaged, or where replies that
    were kept are gone.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"cannot make {path.parent}: {error.strerror}") from error
    noted = counter.read(path)
    if not path.is_file() or not path.stat().st_size:
        counter.compare(path, noted, 0)
    killed = _log(path).exists()  # an orderly end leaves no log
    with closing(_connect(path, write=True)) as db:
        store = Store(path, db, repairs=True)
        if killed:
            store.check()
        store.check_count(noted)
        try:
            yield store
        finally:
            with suppress(StoreError):
                store.check_count(counter.read(path))


def _log(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def _connect(path: Path, *, write: bool) -> sqlite3.Connection:
    with _guarded(path):
        where = path.resolve().as_uri()
        if not write and not os.access(path.parent, os.W_OK) and not _log(path).exists():
            where += "?immutable=1"  # the log's index could not be made, and there is no log
        db = sqlite3.connect(
            where, uri=True, isolation_level=None, check_same_thread=False, timeout=10
        )
        try:
            _prepare(db, path, write=write)
        except BaseException:
            db.close()
            raise
    return db


def _prepare(db: sqlite3.Connection, path: Path, *, write: bool) -> None:
    db.execute("PRAGMA trusted_schema = OFF")
    # A look-up of some hundred keys would have newer versions index the whole store first.
    db.execute("PRAGMA automatic_index = OFF")
    version: int = db.execute("PRAGMA user_version").fetchone()[0]
    if version > len(codec.MIGRATIONS):
        raise StoreError(
            f"{path} was written by a later version (format {version}, this one knows {len(codec.MIGRATIONS)})",
            hint="upgrade text-dataset-builder",
        )
    if not write:
        # A store of an earlier version is read as it is: what it lacks is not looked up in walks.
        db.execute("PRAGMA query_only = ON")
        return
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    for number in range(version, len(codec.MIGRATIONS)):
        db.executescript(codec.script(number))


def _has_tables(db: sqlite3.Connection, path: Path) -> bool:
    """False for a file whose writer was killed before it made a table. StoreError for another's."""
    if db.execute("PRAGMA user_version").fetchone()[0]:
        return True
    if db.execute("SELECT name FROM sqlite_master").fetchall():
        raise _damaged(path, "it holds tables that are none of a store")
    return False


@contextmanager
def _guarded(path: Path) -> Iterator[None]:
    """Trouble with the database as a StoreError that names the file."""
    try:
        yield
    except sqlite3.Error as error:
        raise _trouble(path, error) from error


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
