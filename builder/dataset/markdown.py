"""Text as inert Markdown: nothing that a file or a model says is a link, a tag or a table's end."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

from builder.text import cell

_ESCAPES = str.maketrans(
    {mark: f"\\{mark}" for mark in "\\`*_{}[]#|~$"}
    | {"&": "&amp;", "<": "&lt;", ">": "&gt;", "@": "&#64;"}
)
_LINKS = re.compile(r"(?i)://|\bwww\.")


def text(value: object, most: int = 300) -> str:
    r"""One line of plain text.

    >>> text("a|b <script>\n[x](http://y)")
    'a\\|b &lt;script&gt; \\[x\\](http&#58;//y)'
    """
    flat = " ".join("".join(c if c.isprintable() else " " for c in str(value)).split())
    flat = flat if len(flat) <= most else flat[: most - 1] + "…"
    escaped = flat.translate(_ESCAPES)
    return _LINKS.sub(lambda m: "&#58;//" if m[0] == "://" else f"{m[0][:3]}&#46;", escaped)


def fenced(content: str, language: str = "") -> str:
    """A block of code that its content cannot end: the fence is longer than any run in it."""
    clean = "".join(c if c in {"\n", "\t"} or c.isprintable() else "\ufffd" for c in content)
    longest = max((len(run) for run in re.findall("`+", clean)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{clean}\n{fence}"


def folded(summary: str, block: str) -> str:
    """A block that opens at a click."""
    return f"<details>\n<summary>{text(summary)}</summary>\n\n{block}\n\n</details>"


def table(heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A table; numbers to the right, every cell escaped."""
    cells = [list(row) for row in rows]
    right = [
        all(isinstance(row[i], int | float) or row[i] in ("", "–") for row in cells)
        for i in range(len(heads))
    ]
    lines = [
        "| " + " | ".join(heads) + " |",
        "| " + " | ".join("---:" if numbers else "---" for numbers in right) + " |",
    ]
    lines += ["| " + " | ".join(_cell(value) for value in row) + " |" for row in cells]
    return "\n".join(lines)


def _cell(value: object) -> str:
    if isinstance(value, Raw):
        return str(value)
    return cell(value) if isinstance(value, int | float) else text(value)


class Raw(str):
    """A cell that is Markdown already."""

    __slots__ = ()
