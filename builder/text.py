"""Text for people: how wide it is, cut to a width, nothing in it obeyed, and figures as words.

A column is one letter of a terminal or of a picture; Chinese, Japanese and Korean letters take two.
"""

import math
import re
import unicodedata


def width(text: str) -> int:
    """The columns that a text takes.

    >>> width("refund"), width("退款")
    (6, 4)
    """
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def plain(text: str) -> str:
    """The text on one line, with a blank for each letter that does not print.

    >>> plain("a\\tb\\u202ec")
    'a b c'
    """
    return "".join(c if c.isprintable() else " " for c in text)


def visible(text: str) -> str:
    """The text with its lines and tabs, other control characters shown and not obeyed.

    >>> visible("a\\x1b[31m")
    'a\\\\x1b[31m'
    """
    return "".join(c if c in "\n\t" or c.isprintable() else f"\\x{ord(c):02x}" for c in text)


def cut(text: str, columns: float) -> str:
    """As much of a plain text as fits into so many columns, with … where it was longer.

    >>> cut("refund", 6), cut("refunds", 6), cut("退款申请", 6)
    ('refund', 'refun…', '退款…')
    """
    # Every letter takes a column at least: what lies further on cannot show.
    line = plain(text[: max(0, int(columns)) + 1])
    if width(line) <= columns:
        return line
    while line and width(line) > columns - 1:
        line = line[:-1]
    return line + "…"


def fit(text: str, columns: int) -> str:
    """The text in exactly so many columns, cut or padded."""
    line = cut(text, columns)
    return line + " " * (columns - width(line))


def number(value: float) -> str:
    """A figure of four digits that count.

    >>> number(0.12345), number(12345.6), number(3.0), number(float("nan"))
    ('0.1235', '12,346', '3', '–')
    """
    if value != value:
        return "–"
    return f"{value:,.0f}" if abs(value) >= 1000 or value == round(value) else f"{value:.4g}"


def decimals(usd: float) -> int:
    """The decimals that an amount of US dollars needs: two digits that count, and cents at least.

    >>> decimals(0.0), decimals(12.345), decimals(0.0123), decimals(0.000042)
    (2, 2, 4, 6)
    """
    return 2 if usd >= 0.1 or usd <= 0 else max(4, 1 - math.floor(math.log10(usd)))


def money(usd: float | None) -> str:
    """US dollars with as many decimals as they need.

    >>> money(None), money(0.0), money(12.345), money(0.0123), money(0.0000424)
    ('unknown', '0.00', '12.35', '0.0123', '0.000042')
    """
    return "unknown" if usd is None else f"{usd:.{decimals(usd)}f}"


def cell(value: object) -> str:
    """A value in a table.

    >>> cell(12345), cell(0.5), cell(True), cell("a")
    ('12,345', '0.5', 'True', 'a')
    """
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, int):
        return f"{value:,}"
    return number(value) if isinstance(value, float) else str(value)


def counted(count: int, one: str, many: str = "") -> str:
    """A number and what it counts.

    >>> counted(1, "row"), counted(2_000, "row"), counted(2, "reply", "replies")
    ('1 row', '2,000 rows', '2 replies')
    """
    return f"{count:,} {one if count == 1 else many or one + 's'}"


# A path or an address that only one machine knows, perhaps behind `provider:`, and its last part.
_PLACE = re.compile(r"(?:/|~[/\\]|[A-Za-z]:[/\\]|\\\\|\w+://)(?:.*[/\\])?([^/\\]+)[/\\]*")
# Words in names of models that say nothing of whose they are.
_COMMON = frozenset(
    ("base", "chat", "default", "gguf", "instruct", "it", "latest", "model", "preview")
)


def model_name(name: str) -> str:
    """A model's name as it may be published: of a path on some machine the last part.

    >>> model_name("/srv/models/qwen.gguf"), model_name("vllm:C:\\\\m\\\\qwen"), model_name("org/qwen")
    ('qwen.gguf', 'vllm:qwen', 'org/qwen')
    """
    if place := _PLACE.fullmatch(name):
        return place[1]
    provider, colon, model = name.partition(":")
    place = _PLACE.fullmatch(model)
    return f"{provider}{colon}{place[1]}" if place else name


def akin(name: str, other: str) -> bool:
    """Whether two names of models have a word in common, figures and common words aside.

    >>> akin("openai:gpt-5-mini", "gpt-5-mini-2026-01-01"), akin("vllm:default", "Qwen3-8B-Instruct")
    (True, False)
    """
    if other.casefold().startswith((name.partition(":")[2] or name).casefold()):
        return True
    words, others = map(_words, (name, other))
    return bool(words & others) or any(
        len(word) > 3 and (word in more or more in word) for word in words for more in others
    )


def _words(name: str) -> frozenset[str]:
    """The words of a model's name, whole (`qwen3`) and without their figures (`qwen`)."""
    parts = re.findall(r"[^\W_]{2,}", name.casefold())
    words = {word for part in parts for word in (part, *re.findall(r"[^\d]{2,}", part))}
    return frozenset(word for word in words - _COMMON if not word.isdigit())
