"""The format of the store, version by version."""

from __future__ import annotations

from builder.store import codec

_FIRST = ", ".join(f"{name} {type_}" for name, type_ in (*codec.JUDGED, codec.SENT))
_ADDED = "".join(
    f"ALTER TABLE {table} ADD COLUMN {name} {type_};"
    for table in ("completions", "attempts")
    for name, type_ in codec.DETAILS
)
MIGRATIONS: tuple[str, ...] = (
    f"""
    CREATE TABLE completions (id INTEGER PRIMARY KEY, {_FIRST});
    CREATE UNIQUE INDEX completions_key ON completions (digest, repeat, try);
    CREATE TABLE attempts (id INTEGER PRIMARY KEY, {_FIRST});
    CREATE INDEX attempts_key ON attempts (digest, repeat, try);
    """,
    _ADDED,
)
"""Entry n brings a store of version n to version n + 1; PRAGMA user_version counts them."""
APPLICATION = 0x54445342  # "TDSB"


def script(version: int) -> str:
    """The SQL that brings a store of this version to the next one, whole or not at all."""
    return (
        f"BEGIN IMMEDIATE; {MIGRATIONS[version]} PRAGMA application_id = {APPLICATION}; "
        f"PRAGMA user_version = {version + 1}; COMMIT;"
    )
