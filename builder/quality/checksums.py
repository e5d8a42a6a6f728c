"""What must hold of a number beyond its shape: checksums, ranges, lengths, dates.

Each function takes a match, separators included, and says whether it can be a real one.
"""

import datetime
import ipaddress
import re


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


def card(value: str) -> bool:
    """Whether these are the digits of a payment card: an issuer's range and length, the Luhn sum."""
    digits = digits_of(value)
    return (
        any(
            low <= int(digits[: len(str(low))]) <= high and len(digits) in lengths
            for low, high, lengths in _ISSUERS
        )
        and luhn(digits)
        and len(set(digits)) > 1
    )


# Countries by the characters of their IBANs (SWIFT's registry), two letters each.
_IBAN = {
    15: "NO",
    16: "BE",
    18: "DK FI FK FO GL NL SD",
    19: "MK SI",
    20: "AT BA EE KZ LT LU MN XK",
    21: "CH HR LI LV",
    22: "BG BH CR DE GB GE IE ME RS VA",
    23: "AE GI IL IQ OM SO TL",
    24: "AD CZ ES MD PK RO SA SE SK TN VG",
    25: "LY PT ST",
    26: "IS TR",
    27: "BI DJ FR GR IT MC MR SM",
    28: "AL AZ BY CY DO GT HN HU LB NI PL SV",
    29: "BR EG PS QA UA",
    30: "JO KW MU YE",
    31: "MT SC",
    32: "LC",
    33: "RU",
}


def iban(value: str) -> bool:
    """Whether this is an IBAN: a country of that length, and a remainder of 1 by 97."""
    plain = value.replace(" ", "").upper()
    if plain[:2] not in _IBAN.get(len(plain), ""):
        return False
    return int("".join(str(int(c, 36)) for c in plain[4:] + plain[:4])) % 97 == 1


# Codes of provinces, GB/T 2260: each range of two digits.
_PROVINCES = ((11, 15), (21, 23), (31, 37), (41, 46), (50, 54), (61, 65), (71, 71), (81, 83))


def chinese_id(value: str) -> bool:
    """GB 11643: province, birth date, and a check character (ISO 7064, mod 11-2)."""
    try:
        born = datetime.date(int(value[6:10]), int(value[10:12]), int(value[12:14]))
    except ValueError:
        return False
    total = sum(int(digit) * (2 ** (17 - k) % 11) for k, digit in enumerate(value[:17]))
    return (
        any(low <= int(value[:2]) <= high for low, high in _PROVINCES)
        and 1900 <= born.year < 2100
        and "10X98765432"[total % 11] == value[17].upper()
    )


def ssn(value: str) -> bool:
    """Whether this may be a social security number of the United States that was issued."""
    digits = digits_of(value)
    area, group, serial = digits[:3], digits[3:5], digits[5:]
    return (
        area not in ("000", "666")
        and area < "900"
        and group != "00"
        and serial != "0000"
        and digits not in ("078051120", "219099999", "123456789")
    )


def email(value: str) -> bool:
    """Whether this is an address whose domain can be one."""
    local, _, domain = value.rpartition("@")
    labels = domain.split(".")
    return (
        ".." not in value
        and not local.startswith(".")
        and not local.endswith(".")
        and all(x and not x.startswith("-") and not x.endswith("-") for x in labels)
        and len(local) <= 64
        and len(value) <= 254
    )


def reserved_email(value: str) -> bool:
    """RFC 2606 and 6761: names that belong to nobody."""
    labels = value.rpartition("@")[2].lower().split(".")
    last_two = ".".join(labels[-2:])
    return last_two in ("example.com", "example.org", "example.net") or labels[-1] in (
        "example",
        "test",
        "invalid",
        "localhost",
    )


# Country codes of E.164.
_COUNTRY = re.compile(
    "1|7|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]|2[1-69]|35|37|38|42|50|59|67|68|69"
    "|80|85|87|88|96|97|99"
)


def abroad(value: str) -> bool:
    """Whether these digits are an international telephone number."""
    digits = digits_of(value.removeprefix("00") if value.startswith("00") else value)
    if digits.startswith("86"):
        return len(digits) in range(11, 15)
    if digits.startswith("1"):
        return len(digits) == 11 and digits[1] in "23456789" and digits[4] in "23456789"
    return bool(_COUNTRY.match(digits)) and 8 <= len(digits) <= 15


def north_american(value: str) -> bool:
    """Whether these digits are a telephone number of North America."""
    digits = digits_of(value)
    area, exchange = digits[-10:-7], digits[-7:-4]
    return area[1:] != "11" and exchange[1:] != "11" and area not in ("400", "555")


def fictional(value: str) -> bool:
    """555-0100 to 555-0199 are kept free for fiction."""
    digits = digits_of(value)
    return digits[-10:-7] not in ("800", "888") and digits[-7:-2] == "55501" and len(digits) <= 11


def ipv4(value: str) -> bool:
    """Whether this is an IPv4 address, its parts without leading zeros."""
    return all(part == str(int(part)) and int(part) <= 255 for part in value.split("."))


def ipv6(value: str) -> bool:
    """Whether this is an IPv6 address."""
    try:
        ipaddress.IPv6Address(value)
    except ValueError:
        return False
    return sum(bool(part) for part in value.split(":")) >= 2


def not_global(value: str) -> bool:
    """Whether this address is of a private or reserved net."""
    return not ipaddress.ip_address(value).is_global


def digits_of(value: str) -> str:
    """The digits of a text, the rest left out."""
    return "".join(c for c in value if c.isdigit())
