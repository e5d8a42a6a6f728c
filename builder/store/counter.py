"""How many replies a store was given, noted beside it: so that losing some is noticed."""

import zlib
from pathlib import Path

from builder.errors import StoreError


def file(store: Path) -> Path:
    """Where the number stands."""
    return store.with_suffix(".count")


def read(store: Path) -> int:
    """The number; 0 where nobody noted one, or the note is torn."""
    try:
        number, sum_ = file(store).read_text("ascii").split()
        return int(number) if sum_ == _sum(number) else 0
    except (OSError, ValueError):
        return 0


def write(store: Path, replies: int) -> None:
    """Notes the number after a commit: lost with the power it says less than there is, never more."""
    part = file(store).with_suffix(".part")
    try:
        part.write_text(f"{replies} {_sum(str(replies))}\n", "ascii")
        part.replace(file(store))
    except OSError as error:
        raise StoreError(f"cannot write {part}: {error.strerror}") from error


def compare(store: Path, told: int, held: int) -> None:
    """Raises StoreError where fewer replies are held than were noted."""
    if held < told:
        raise StoreError(
            f"{store} holds {held} of the {told} replies that were kept in it: it or its -wal file "
            "was damaged, deleted or replaced",
            hint=f"bring both files back; or delete {file(store)} to go on with what is there: "
            "the rest is asked and paid again",
        )


def _sum(number: str) -> str:
    return f"{zlib.crc32(number.encode()):08x}"
