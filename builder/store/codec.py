"""A completion as one record of the store, and back; each record bears the checksums of its fields.

The format of the store's tables stands here too, version by version.
"""

import hashlib
import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import orjson

from builder.records import Completion, Key, Message, Usage, message_bytes


class Column(NamedTuple):
    """A column of the tables `completions` and `attempts`."""

    name: str
    type: str


# What every walk over the store reads; `checksum` covers the columns before it.
JUDGED = (
    Column("digest", "BLOB NOT NULL"),
    Column("repeat", "INTEGER NOT NULL"),
    Column("try", "INTEGER NOT NULL"),
    Column("text", "TEXT NOT NULL"),
    Column("model", "TEXT NOT NULL"),
    Column("answered_by", "TEXT NOT NULL"),
    Column("stop", "TEXT NOT NULL"),
    Column("stop_reason", "TEXT NOT NULL"),
    Column("input_tokens", "INTEGER"),
    Column("output_tokens", "INTEGER"),
    Column("cached_tokens", "INTEGER"),
    Column("mode", "TEXT NOT NULL"),
    Column("host", "TEXT NOT NULL"),
    Column("latency", "REAL NOT NULL"),
    Column("time", "REAL NOT NULL"),
    Column("usd", "REAL"),
    Column("checksum", "BLOB NOT NULL"),
)
# The messages that were sent, behind a checksum of their own: no verdict needs them.
SENT = Column("sent", "BLOB NOT NULL")
# What else is known of a reply. The checksum of the others is null where all have their default.
DETAILS = (
    Column("kind", "TEXT NOT NULL DEFAULT 'answer'"),
    Column("door", "TEXT NOT NULL DEFAULT 'online'"),
    Column("ticket", "TEXT NOT NULL DEFAULT ''"),
    Column("reasoning", "TEXT NOT NULL DEFAULT ''"),
    Column("details_checksum", "BLOB"),
)

_PLAIN = ("answer", "online", "", "")
_FIRST = ", ".join(f"{name} {type_}" for name, type_ in (*JUDGED, SENT))
_ADDED = "".join(
    f"ALTER TABLE {table} ADD COLUMN {name} {type_};"
    for table in ("completions", "attempts")
    for name, type_ in DETAILS
)
# Entry n brings a store of version n to version n + 1; PRAGMA user_version counts them.
MIGRATIONS: tuple[str, ...] = (
    f"""
    CREATE TABLE completions (id INTEGER PRIMARY KEY, {_FIRST});
    CREATE UNIQUE INDEX completions_key ON completions (digest, repeat, try);
    CREATE TABLE attempts (id INTEGER PRIMARY KEY, {_FIRST});
    CREATE INDEX attempts_key ON attempts (digest, repeat, try);
    """,
    _ADDED,
    """
    CREATE TABLE state (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
    INSERT INTO state SELECT 'replies', COUNT(*) FROM (SELECT 1 FROM completions UNION ALL SELECT 1 FROM attempts);
    """,
)
APPLICATION = 0x54445342  # "TDSB"


class DamagedRecordError(ValueError):
    """A record whose checksum does not fit it."""

    def __init__(self, key: Key) -> None:
        super().__init__(str(key))
        self.key = key


def script(version: int) -> str:
    """The SQL that brings a store of this version to the next one, whole or not at all."""
    return (
        f"BEGIN IMMEDIATE; {MIGRATIONS[version]} PRAGMA application_id = {APPLICATION}; "
        f"PRAGMA user_version = {version + 1}; COMMIT;"
    )


def names(columns: Sequence[Column]) -> str:
    """The columns' names as SQL lists them."""
    return ", ".join(column.name for column in columns)


def record_of(completion: Completion) -> tuple[Any, ...]:
    """The values of all columns: those of JUDGED, SENT and DETAILS in this order."""
    usage = completion.usage
    values = (
        *completion.key, completion.text, completion.model, completion.answered_by,
        completion.stop, completion.stop_reason, usage.input, usage.output, usage.cached,
        completion.mode, completion.host, completion.latency, completion.time, completion.usd,
    )  # fmt: skip
    fields: tuple[Any, ...] = tuple(map(_encodable, values))
    turns = tuple(Message(turn.role, str(_encodable(turn.content))) for turn in completion.sent)
    sent = message_bytes(turns)
    known = (completion.kind, completion.door, completion.ticket, completion.reasoning)
    details = tuple(map(_encodable, known))
    seal = None if details == _PLAIN else _details_checksum(completion.key.digest, details)
    return (*fields, _checksum(fields), _digest(sent) + sent, *details, seal)


def completion_of(record: Sequence[Any]) -> Completion:
    """The completion of the values of JUDGED; DamagedRecordError where they do not fit their checksum."""
    if record[16] != _checksum(record[:16]):
        raise DamagedRecordError(Key(bytes(record[0]), int(record[1]), int(record[2])))
    digest, repeat, attempt, text, model, answered_by, stop, stop_reason, *counts = record[:11]
    mode, host, latency, time, usd = record[11:16]
    # By position: of a million answers, names would take a second.
    return Completion(
        Key(digest, repeat, attempt), text, model, answered_by, stop, stop_reason,
        Usage(*counts), mode, host, latency, time, (), usd,
    )  # fmt: skip


def whole_completion_of(record: Sequence[Any]) -> Completion:
    """The completion of the values of all columns. Raises DamagedRecordError."""
    completion = completion_of(record[:17])
    sent, details, seal = record[17], tuple(record[18:22]), record[22]
    digest = completion.key.digest
    whole = details == _PLAIN if seal is None else seal == _details_checksum(digest, details)
    if sent[:8] != _digest(sent[8:]) or not whole:
        raise DamagedRecordError(completion.key)
    kind, door, ticket, reasoning = details
    return completion._replace(
        sent=tuple(Message(role, content) for role, content in json.loads(sent[8:])),
        kind=kind,
        door=door,
        ticket=ticket,
        reasoning=reasoning,
    )


def _encodable(value: object) -> object:
    """The value; of a text, halves of surrogate pairs are replaced, as no encoding can write them."""
    if isinstance(value, str) and not value.isascii():
        return value.encode("utf-8", "replace").decode()
    return value


def _checksum(fields: Sequence[Any]) -> bytes:
    content = orjson.dumps(fields[1:], default=str)
    return _digest(bytes(fields[0]) + content)


def _details_checksum(digest: bytes, details: tuple[Any, ...]) -> bytes:
    return _digest(digest + orjson.dumps(details))


def _digest(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=8).digest()
