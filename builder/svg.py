"""Pictures as SVG: elements, texts that cannot leave them, and one palette for all.

A picture holds no script and loads nothing. Coordinates are user units, about one pixel each,
rounded so that the same figures give the same bytes everywhere.
"""

from collections.abc import Mapping
from html import escape as _escape

from builder import text

# Colours by what they mean: rows of the dataset or of a draw are `ours`.
PALETTE: Mapping[str, str] = {
    "paper": "#fbfbfa", "card": "#ffffff", "ink": "#1b2130", "soft": "#5f6b7e", "line": "#e5e7ec",
    "ours": "#4263eb", "reference": "#98a2b3", "missing": "#e8590c", "track": "#eef0f4",
    "pass": "#2b8a3e", "warn": "#b86e00", "fail": "#c92a2a", "few": "#5f6b7e",
}  # fmt: skip
FONT = "system-ui,-apple-system,'Segoe UI','PingFang SC','Noto Sans CJK SC',sans-serif"
LETTER = 6.6  # Units of a column of text in the size of labels.


def escape(value: object) -> str:
    """A text for markup: on one line, nothing in it a tag, a quote or a control character.

    >>> escape('<b a="1">\\x00')
    '&lt;b a=&quot;1&quot;&gt; '
    """
    return _escape(text.plain(str(value)))


def coordinate(value: float) -> str:
    """A number of a path with one decimal place, or none.

    >>> coordinate(3.14159), coordinate(2)
    ('3.1', '2')
    """
    return f"{float(value):.1f}".removesuffix(".0")


def element(tag: str, *children: str, **attributes: str | float) -> str:
    """An element around markup; `font_size` is the attribute font-size, `class_` is class.

    >>> element("g", "<path/>", class_="dots", font_size=12)
    '<g class="dots" font-size="12"><path/></g>'
    """
    listed = "".join(
        f' {name.rstrip("_").replace("_", "-")}="'
        f'{escape(value) if isinstance(value, str) else coordinate(value)}"'
        for name, value in attributes.items()
    )
    inside = "".join(children)
    return f"<{tag}{listed}>{inside}</{tag}>" if inside else f"<{tag}{listed}/>"


def rect(x: float, y: float, width: float, height: float, *children: str, **attributes: str | float) -> str:  # fmt: skip
    """A rectangle; no side is shorter than nothing."""
    sides = {"width": max(0.0, width), "height": max(0.0, height)}
    return element("rect", *children, x=x, y=y, **sides, **attributes)


def line(x1: float, y1: float, x2: float, y2: float, **attributes: str | float) -> str:
    """A straight line."""
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, **attributes)


def label(
    x: float,
    y: float,
    content: object,
    anchor: str = "start",
    *,
    room: float | None = None,
    **attributes: str | float,
) -> str:
    """A text at a place, cut to `room` units in the size of labels."""
    words = str(content) if room is None else text.cut(str(content), room / LETTER)
    return element("text", escape(words), x=x, y=y, text_anchor=anchor, **attributes)


def at(x: float, y: float, *children: str) -> str:
    """Markup moved to a place."""
    return element("g", *children, transform=f"translate({coordinate(x)} {coordinate(y)})")


def document(title: str, width: float, height: float, *children: str) -> str:
    """A picture that stands alone, on white."""
    head = element("title", escape(title)) + rect(0, 0, width, height, fill=PALETTE["card"])
    return element(
        "svg", head, *children, xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {coordinate(width)} {coordinate(height)}", width=width, height=height,
        font_family=FONT, font_size=12, role="img",
    ) + "\n"  # fmt: skip
