"""Numbers of roots in [0, 1), which say in which split all stands that is made from one."""

from collections.abc import Mapping, Sequence

from builder.records import digest_of


def number(parts: Sequence[object]) -> float:
    """The number that stands for these parts."""
    return int.from_bytes(digest_of(parts)[:6], "big") / 2**48


def side(shares: Mapping[str, float], root: float) -> str:
    """The split that holds the roots of this number; the last where sums fall short of 1."""
    total = 0.0
    for name, share in shares.items():
        total += share
        if root < total:
            return name
    return name
