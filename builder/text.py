"""Text for people: how wide it is, cut to a width, nothing in it obeyed, and figures as words.

A column is one letter of a terminal or of a picture; Chinese, Japanese and Korean letters take two.
"""

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
