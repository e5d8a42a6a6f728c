"""Personal data and secrets in texts, found by shape and settled by checksum.

Each recogniser is a pattern and a test of what it matched: Luhn and issuer ranges for cards,
mod 97 for IBANs, mod 11-2 with date and province for Chinese identity numbers. Where two
overlap, the one with the stronger test stands. Full-width digits count as digits.
"""

from __future__ import annotations

import datetime
import ipaddress
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

NOT_LOOKED_FOR = (
    "names of people, postal addresses, dates of birth, user names, passport, licence and plate "
    "numbers, bank accounts other than IBANs, identity numbers of other countries than China "
    "and the US, 15-digit Chinese identity numbers, pictures"
)
"""What no recogniser here finds; reports repeat it."""


@dataclass(frozen=True, slots=True)
class Hit:
    """One number, address or key in a text."""

    kind: str
    start: int
    end: int
    text: str
    placeholder: bool = False
    """Reserved for documentation or private networks: names nobody."""


@dataclass(frozen=True, slots=True)
class Recogniser:
    """A pattern, what must hold of a match, and how strong that test is."""

    kind: str
    pattern: re.Pattern[str]
    holds: Callable[[str], bool]
    strength: int
    """2 for a checksum with further structure, 1 for a checksum or a distinctive shape."""
    placeholder: Callable[[str], bool] = lambda _: False


def find(text: str) -> list[Hit]:
    """The hits in a text, in order, none overlapping another."""
    if not _ANY.search(text):
        return []
    text = text.translate(_FULL_WIDTH)
    found = [
        (recogniser.strength, hit)
        for recogniser in RECOGNISERS
        for hit in _matches(recogniser, text)
    ]
    found.sort(key=lambda pair: (-pair[0], pair[1].start - pair[1].end, pair[1].start))
    kept: list[Hit] = []
    for _, hit in found:
        if all(hit.end <= other.start or other.end <= hit.start for other in kept):
            kept.append(hit)
    return sorted(kept, key=lambda hit: hit.start)


def scan(texts: Iterable[str]) -> dict[str, list[int]]:
    """For each kind, the indices of the texts that hold it; placeholders are a kind."""
    found: dict[str, list[int]] = {}
    for at, text in enumerate(texts):
        for kind in sorted({"placeholder" if h.placeholder else h.kind for h in find(text)}):
            found.setdefault(kind, []).append(at)
    return found


def mask(text: str) -> str:
    """The text with all but the first two characters of every hit replaced by a dot."""
    for hit in reversed(find(text)):
        text = text[: hit.start + 2] + "•" * (hit.end - hit.start - 2) + text[hit.end :]
    return text


def _matches(recogniser: Recogniser, text: str) -> Iterable[Hit]:
    at = 0
    while match := recogniser.pattern.search(text, at):
        start, end = match.span(1)
        value = match.group(1)
        if recogniser.holds(value):
            yield Hit(recogniser.kind, start, end, value, recogniser.placeholder(value))
            at = end
        else:
            # A longer run may hide a valid one that begins later.
            at = start + 1


def luhn(digits: str) -> bool:
    """Whether the last digit is the check digit of the others (ISO/IEC 7812-1).

    >>> luhn("79927398713"), luhn("79927398710")
    (True, False)
    """
    total = 0
    for k, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if k % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


# First digits of a card number, as a range, with the lengths that its issuer uses.
_ISSUERS = (
    (4, 4, (13, 16, 19)),
    (51, 55, (16,)),
    (2221, 2720, (16,)),
    (34, 34, (15,)),
    (37, 37, (15,)),
    (6011, 6011, (16, 17, 18, 19)),
    (644, 659, (16, 17, 18, 19)),
    (62, 62, (16, 17, 18, 19)),
    (81, 81, (16, 17, 18, 19)),
    (3528, 3589, (16, 17, 18, 19)),
    (300, 305, (14, 15, 16, 17, 18, 19)),
    (3095, 3095, (14, 15, 16, 17, 18, 19)),
    (36, 36, (14, 15, 16, 17, 18, 19)),
    (38, 39, (14, 15, 16, 17, 18, 19)),
    (2200, 2204, (16, 17, 18, 19)),
    (5018, 5018, tuple(range(12, 20))),
    (5020, 5020, tuple(range(12, 20))),
    (5038, 5038, tuple(range(12, 20))),
    (5893, 5893, tuple(range(12, 20))),
    (6304, 6304, tuple(range(12, 20))),
    (6759, 6759, tuple(range(12, 20))),
    (6761, 6763, tuple(range(12, 20))),
)


def _card(value: str) -> bool:
    digits = _digits(value)
    known = any(
        low <= int(digits[: len(str(low))]) <= high and len(digits) in lengths
        for low, high, lengths in _ISSUERS
    )
    return known and luhn(digits) and len(set(digits)) > 1


# Characters of an IBAN by country (SWIFT's registry).
_IBAN = dict(
    part.split(":")
    for part in [
        "AD:24",
        "AE:23",
        "AL:28",
        "AT:20",
        "AZ:28",
        "BA:20",
        "BE:16",
        "BG:22",
        "BH:22",
        "BI:27",
        "BR:29",
        "BY:28",
        "CH:21",
        "CR:22",
        "CY:28",
        "CZ:24",
        "DE:22",
        "DJ:27",
        "DK:18",
        "DO:28",
        "EE:20",
        "EG:29",
        "ES:24",
        "FI:18",
        "FK:18",
        "FO:18",
        "FR:27",
        "GB:22",
        "GE:22",
        "GI:23",
        "GL:18",
        "GR:27",
        "GT:28",
        "HN:28",
        "HR:21",
        "HU:28",
        "IE:22",
        "IL:23",
        "IQ:23",
        "IS:26",
        "IT:27",
        "JO:30",
        "KW:30",
        "KZ:20",
        "LB:28",
        "LC:32",
        "LI:21",
        "LT:20",
        "LU:20",
        "LV:21",
        "LY:25",
        "MC:27",
        "MD:24",
        "ME:22",
        "MK:19",
        "MN:20",
        "MR:27",
        "MT:31",
        "MU:30",
        "NI:28",
        "NL:18",
        "NO:15",
        "OM:23",
        "PK:24",
        "PL:28",
        "PS:29",
        "PT:25",
        "QA:29",
        "RO:24",
        "RS:22",
        "RU:33",
        "SA:24",
        "SC:31",
        "SD:18",
        "SE:24",
        "SI:19",
        "SK:24",
        "SM:27",
        "SO:23",
        "ST:25",
        "SV:28",
        "TL:23",
        "TN:24",
        "TR:26",
        "UA:29",
        "VA:22",
        "VG:24",
        "XK:20",
        "YE:30",
    ]
)


def _iban(value: str) -> bool:
    plain = value.replace(" ", "").upper()
    if str(len(plain)) != _IBAN.get(plain[:2]):
        return False
    return int("".join(str(int(c, 36)) for c in plain[4:] + plain[:4])) % 97 == 1


_PROVINCES = frozenset(
    [
        "11",
        "12",
        "13",
        "14",
        "15",
        "21",
        "22",
        "23",
        "31",
        "32",
        "33",
        "34",
        "35",
        "36",
        "37",
        "41",
        "42",
        "43",
        "44",
        "45",
        "46",
        "50",
        "51",
        "52",
        "53",
        "54",
        "61",
        "62",
        "63",
        "64",
        "65",
        "71",
        "81",
        "82",
        "83",
    ]
)


def _chinese_id(value: str) -> bool:
    """GB 11643: province, birth date, and a check character (ISO 7064, mod 11-2)."""
    try:
        born = datetime.date(int(value[6:10]), int(value[10:12]), int(value[12:14]))
    except ValueError:
        return False
    total = sum(int(digit) * (2 ** (17 - k) % 11) for k, digit in enumerate(value[:17]))
    known = value[:2] in _PROVINCES and 1900 <= born.year < 2100
    return known and "10X98765432"[total % 11] == value[17].upper()


def _ssn(value: str) -> bool:
    digits = _digits(value)
    area, group, serial = digits[:3], digits[3:5], digits[5:]
    issued = area not in ("000", "666") and area < "900" and group != "00" and serial != "0000"
    return issued and digits not in ("078051120", "219099999", "123456789")


def _email(value: str) -> bool:
    local, _, domain = value.rpartition("@")
    labels = domain.split(".")
    whole = ".." not in value and not local.startswith(".") and not local.endswith(".")
    sane = all(x and not x.startswith("-") and not x.endswith("-") for x in labels)
    return whole and sane and len(local) <= 64 and len(value) <= 254


def _reserved_email(value: str) -> bool:
    """RFC 2606 and 6761: names that belong to nobody."""
    labels = value.rpartition("@")[2].lower().split(".")
    last_two = ".".join(labels[-2:])
    return last_two in ("example.com", "example.org", "example.net") or labels[-1] in (
        "example",
        "test",
        "invalid",
        "localhost",
    )


# Country codes of E.164: those of one and two digits; every other known one has three.
_COUNTRIES = frozenset(
    [
        "1",
        "7",
        "20",
        "27",
        "30",
        "31",
        "32",
        "33",
        "34",
        "36",
        "39",
        "40",
        "41",
        "43",
        "44",
        "45",
        "46",
        "47",
        "48",
        "49",
        "51",
        "52",
        "53",
        "54",
        "55",
        "56",
        "57",
        "58",
        "60",
        "61",
        "62",
        "63",
        "64",
        "65",
        "66",
        "81",
        "82",
        "84",
        "86",
        "90",
        "91",
        "92",
        "93",
        "94",
        "95",
        "98",
    ]
)
_THREE = re.compile("2[1-69]|35|37|38|42|50|59|67|68|69|80|85|87|88|96|97|99")


def _abroad(value: str) -> bool:
    digits = _digits(value.removeprefix("00") if value.startswith("00") else value)
    known = digits[:1] in _COUNTRIES or digits[:2] in _COUNTRIES or bool(_THREE.match(digits))
    if digits.startswith("86"):
        return len(digits) in range(11, 15)
    if digits.startswith("1"):
        return len(digits) == 11 and digits[1] in "23456789" and digits[4] in "23456789"
    return known and 8 <= len(digits) <= 15


def _north_american(value: str) -> bool:
    digits = _digits(value)
    area, exchange = digits[-10:-7], digits[-7:-4]
    return area[1:] != "11" and exchange[1:] != "11" and area not in ("400", "555")


def _fictional(value: str) -> bool:
    """555-0100 to 555-0199 are kept free for fiction."""
    digits = _digits(value)
    return digits[-10:-7] not in ("800", "888") and digits[-7:-2] == "55501" and len(digits) <= 11


def _ipv4(value: str) -> bool:
    return all(part == str(int(part)) and int(part) <= 255 for part in value.split("."))


def _ipv6(value: str) -> bool:
    try:
        ipaddress.IPv6Address(value)
    except ValueError:
        return False
    return sum(bool(part) for part in value.split(":")) >= 2


def _not_global(value: str) -> bool:
    return not ipaddress.ip_address(value).is_global


def _always(_: str) -> bool:
    return True


def _mixed(value: str) -> bool:
    """A key has digits and letters; a run of words joined by hyphens is none."""
    return any(c.isdigit() for c in value) and len(set(value)) > 8


def _digits(value: str) -> str:
    return "".join(c for c in value if c.isdigit())


def _bounded(body: str, *, flags: int = 0) -> re.Pattern[str]:
    """The body as a group, not inside a longer word or number; CJK beside it is no word."""
    return re.compile(rf"(?<![0-9A-Za-z_])({body})(?![0-9A-Za-z_])", flags)


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
RECOGNISERS = (
    Recogniser("chinese_id", _bounded(r"[1-8][0-9]{16}[0-9Xx]"), _chinese_id, 3),
    Recogniser(
        "iban",
        _bounded(r"[A-Za-z]{2}[0-9]{2}(?: ?[0-9A-Za-z]{4}){2,7}(?: ?[0-9A-Za-z]{1,3})?"),
        _iban,
        2,
    ),
    Recogniser("card", _number(r"[2-68][0-9]{3}(?:[ -]?[0-9]){8,15}"), _card, 2),
    Recogniser("api_key", _bounded("|".join(_KEYS)), _mixed, 2),
    Recogniser("private_key", re.compile(r"(-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----)"), _always, 2),
    Recogniser("ssn", _number(r"[0-9]{3}-[0-9]{2}-[0-9]{4}|[0-9]{3} [0-9]{2} [0-9]{4}"), _ssn, 1),
    Recogniser(
        "ssn",
        re.compile(
            r"(?:\bssn\b|social security)[^0-9\n]{0,24}([0-9]{9})(?![0-9A-Za-z_])", re.IGNORECASE
        ),
        _ssn,
        1,
    ),
    Recogniser(
        "email",
        re.compile(
            r"(?<![A-Za-z0-9._%+-])([A-Za-z0-9._%+'-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9-]{0,62}\.)?"
            r"[A-Za-z0-9.-]{0,180}\.[A-Za-z]{2,24})(?![A-Za-z0-9])"
        ),
        _email,
        1,
        _reserved_email,
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
        _abroad,
        1,
        _fictional,
    ),
    Recogniser(
        "phone",
        _number(r"(?:1[ .-])?(?:\([2-9][0-9]{2}\) ?|[2-9][0-9]{2}[ .-])[2-9][0-9]{2}[ .-][0-9]{4}"),
        _north_american,
        0,
        _fictional,
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
        _ipv4,
        0,
        _not_global,
    ),
    Recogniser(
        "ip",
        re.compile(
            r"(?<![0-9A-Za-z_:.])([0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?::[0-9.]{7,15})?)"
            r"(?![0-9A-Za-z_:])"
        ),
        _ipv6,
        1,
        _not_global,
    ),
)
"""Every recogniser, in no order that matters."""
KINDS = tuple(dict.fromkeys(recogniser.kind for recogniser in RECOGNISERS))
