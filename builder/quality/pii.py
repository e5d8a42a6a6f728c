"""Personal data and secrets in texts, found by shape and settled by checksum.

Each recogniser is a pattern and a test of what it matched: Luhn and issuer ranges for cards,
mod 97 for IBANs, mod 11-2 with date and province for Chinese identity numbers. Where two
overlap, the one with the stronger test stands. Full-width digits count as digits.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from builder.quality import checksums


@dataclass(frozen=True, slots=True)
class Hit:
    """One number, address or key in a text."""

    kind: str
    start: int
    end: int
    text: str
    placeholder: bool = False  # reserved for documentation or private networks: names nobody


@dataclass(frozen=True, slots=True)
class Recogniser:
    """A pattern, what must hold of a match, and how strong that test is."""

    kind: str
    pattern: re.Pattern[str]
    holds: Callable[[str], bool]
    # 2 for a checksum with further structure, 1 for a checksum or a distinctive shape.
    strength: int
    placeholder: Callable[[str], bool] = lambda _: False


def find(text: str) -> list[Hit]:
    """The hits in a text, in order, none overlapping another."""
    if not _ANY.search(text):
        return []
    text = text.translate(_FULL_WIDTH)
    hits = sorted(
        (
            (recogniser.strength, hit)
            for recogniser in RECOGNISERS
            for hit in _matches(recogniser, text)
        ),
        key=lambda pair: (-pair[0], pair[1].start - pair[1].end, pair[1].start),
    )
    apart: list[Hit] = []
    for _, hit in hits:
        if all(hit.end <= other.start or other.end <= hit.start for other in apart):
            apart.append(hit)
    return sorted(apart, key=lambda hit: hit.start)


def scan(texts: Iterable[str]) -> dict[str, list[int]]:
    """For each kind, the indices of the texts that hold it; placeholders are a kind."""
    by_kind: dict[str, list[int]] = {}
    for at, text in enumerate(texts):
        for kind in sorted({"placeholder" if h.placeholder else h.kind for h in find(text)}):
            by_kind.setdefault(kind, []).append(at)
    return by_kind


def mask(text: str) -> str:
    """The text with all but the first two characters of every hit replaced by a dot."""
    for hit in reversed(find(text)):
        text = text[: hit.start + 2] + "•" * (hit.end - hit.start - 2) + text[hit.end :]
    return text


def _matches(recogniser: Recogniser, text: str) -> Iterable[Hit]:
    at = 0
    while match := recogniser.pattern.search(text, at):
        start, end = match.span(1)
        if recogniser.holds(value := match.group(1)):
            yield Hit(recogniser.kind, start, end, value, recogniser.placeholder(value))
            at = end
        else:
            # A longer run may hide a valid one that begins later.
            at = start + 1


def _always(_: str) -> bool:
    return True


def _mixed(value: str) -> bool:
    """A key has digits and letters; a run of words joined by hyphens is none."""
    return any(c.isdigit() for c in value) and len(set(value)) > 8


def _bounded(body: str) -> re.Pattern[str]:
    """The body as a group, not inside a longer word or number; CJK beside it is no word."""
    return re.compile(rf"(?<![0-9A-Za-z_])({body})(?![0-9A-Za-z_])")


def _number(body: str) -> re.Pattern[str]:
    """The body as a group, not part of a longer number that separators divide."""
    before = r"(?<![0-9A-Za-z_])(?<![0-9][-.])(?<![0-9]{3} )"
    return re.compile(rf"{before}({body})(?![0-9A-Za-z_]|[-.][0-9]|[ ][0-9]{{3}})")


_FULL_WIDTH = {ord("０") + k: ord("0") + k for k in range(10)} | {
    ord("＠"): "@",
    ord("．"): ".",
    ord("－"): "-",
    ord("＋"): "+",
    ord("："): ":",
}
_ANY = re.compile(r"[0-9０-９@＠]|-----BEGIN|::")
_KEYS = (
    r"sk-(?:ant-|proj-|svcacct-|or-v1-)?[A-Za-z0-9_-]{20,200}",
    r"(?:AKIA|ASIA)[0-9A-Z]{16}",
    r"AIza[0-9A-Za-z_-]{35}",
    r"gh[pousr]_[A-Za-z0-9]{36,76}",
    r"github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}",
    r"glpat-[A-Za-z0-9_-]{20,50}",
    r"xox[abeoprs]-[0-9A-Za-z-]{10,200}",
    r"(?:sk|rk)_(?:live|test)_[0-9A-Za-z]{16,200}",
    r"hf_[A-Za-z0-9]{30,40}",
    r"npm_[A-Za-z0-9]{36}",
    r"pypi-AgEI[A-Za-z0-9_-]{50,200}",
    r"SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}",
    r"AC[0-9a-f]{32}|SK[0-9a-f]{32}",
    r"eyJ[A-Za-z0-9_-]{10,2000}\.eyJ[A-Za-z0-9_-]{10,4000}\.[A-Za-z0-9_-]{20,1000}",
)
# Every recogniser, in no order that matters.
RECOGNISERS = (
    Recogniser("chinese_id", _bounded(r"[1-8][0-9]{16}[0-9Xx]"), checksums.chinese_id, 3),
    Recogniser(
        "iban",
        _bounded(r"[A-Za-z]{2}[0-9]{2}(?: ?[0-9A-Za-z]{4}){2,7}(?: ?[0-9A-Za-z]{1,3})?"),
        checksums.iban,
        2,
    ),
    Recogniser("card", _number(r"[2-68][0-9]{3}(?:[ -]?[0-9]){8,15}"), checksums.card, 2),
    Recogniser("api_key", _bounded("|".join(_KEYS)), _mixed, 2),
    Recogniser("private_key", re.compile(r"(-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----)"), _always, 2),
    Recogniser(
        "ssn", _number(r"[0-9]{3}-[0-9]{2}-[0-9]{4}|[0-9]{3} [0-9]{2} [0-9]{4}"), checksums.ssn, 1
    ),
    Recogniser(
        "ssn",
        re.compile(
            r"(?:\bssn\b|social security)[^0-9\n]{0,24}([0-9]{9})(?![0-9A-Za-z_])", re.IGNORECASE
        ),
        checksums.ssn,
        1,
    ),
    Recogniser(
        "email",
        re.compile(
            r"(?<![A-Za-z0-9._%+-])([A-Za-z0-9._%+'-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9-]{0,62}\.)?"
            r"[A-Za-z0-9.-]{0,180}\.[A-Za-z]{2,24})(?![A-Za-z0-9])"
        ),
        checksums.email,
        1,
        checksums.reserved_email,
    ),
    Recogniser(
        "chinese_mobile",
        _number(
            r"(?:(?:\+|00)?86[ -]?)?1(?:3[0-9]|4[014-9]|5[0-35-9]|6[2567]|7[0-8]|8[0-9]|9[0-35-9])"
            r"(?:[ -]?[0-9]{4}){2}"
        ),
        _always,
        1,
    ),
    Recogniser(
        "phone",
        re.compile(
            r"(?<![0-9A-Za-z_+])((?:\+|00)[1-9][0-9]{0,2}(?:[ .-]?\(0\)[ .-]?)?"
            r"(?:[ .-]?\(?[0-9]{1,5}\)?){2,6})(?![0-9A-Za-z_]|[-.][0-9])"
        ),
        checksums.abroad,
        1,
        checksums.fictional,
    ),
    Recogniser(
        "phone",
        _number(r"(?:1[ .-])?(?:\([2-9][0-9]{2}\) ?|[2-9][0-9]{2}[ .-])[2-9][0-9]{2}[ .-][0-9]{4}"),
        checksums.north_american,
        0,
        checksums.fictional,
    ),
    Recogniser("phone", _number(r"\(?0[1-9][0-9]{1,2}\)?[ -][2-9][0-9]{6,7}"), _always, 0),
    Recogniser("phone", _number(r"0[1-9](?:[ .-][0-9]{2}){4}"), _always, 0),
    Recogniser(
        "phone",
        _number(
            r"07[0-9]{3} ?[0-9]{6}|0[12][0-9]{3} [0-9]{6}|0[12][0-9]{2} [0-9]{3} [0-9]{4}"
            r"|02[0-9] [0-9]{4} [0-9]{4}"
        ),
        _always,
        0,
    ),
    Recogniser(
        "ip",
        re.compile(
            r"(?<![0-9A-Za-z_.])(?<![vV] )(?<!ersion )((?:[0-9]{1,3}\.){3}[0-9]{1,3})"
            r"(?![0-9A-Za-z_]|\.[0-9])"
        ),
        checksums.ipv4,
        0,
        checksums.not_global,
    ),
    Recogniser(
        "ip",
        re.compile(
            r"(?<![0-9A-Za-z_:.])([0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?::[0-9.]{7,15})?)"
            r"(?![0-9A-Za-z_:])"
        ),
        checksums.ipv6,
        1,
        checksums.not_global,
    ),
)
KINDS = tuple(dict.fromkeys(recogniser.kind for recogniser in RECOGNISERS))
