"""Figures of a card as SVG: a bar for each value of an axis, and for each measure of a gate."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from builder import svg, text
from builder.dataset.manifests import AxisShares
from builder.quality.report_file import Summary

WIDTH = 720
MOST = 1.25  # bars of measures end at this multiple of the limit
VALUES = 12  # values of an axis with a bar of their own
_TOP, _ROW, _LEFT, _RIGHT = 34, 22, 260, 110


class _Bar(NamedTuple):
    name: str
    share: float | None  # of the room; None for the name of an axis above its bars
    figure: str = ""
    colour: str = "ours"


def shares(axes: Mapping[str, AxisShares]) -> str:
    """A picture with bars for each axis: how many rows have which value."""
    bars: list[_Bar] = []
    for name, axis in axes.items():
        bars.append(_Bar(name, None))
        frequent = axis.most_frequent(VALUES)
        bars += [_Bar(value, share, text.cell(rows)) for value, rows, share in frequent]
    return _picture("Rows by axis", bars)


def gates(summaries: Sequence[Summary]) -> str:
    """A picture with a bar for each measure, as long as its figure has used up what the limit
    allows; the line is the limit."""
    bars = []
    for worst in (summary.worst for summary in summaries):
        name = f"{worst.gate} · {worst.what}" if worst.what else worst.gate
        figure = f"{text.number(worst.value)} ({worst.bound})"
        bars.append(_Bar(name, min(worst.strain, MOST) / MOST, figure, worst.verdict))
    return _picture("Gates: how near each figure is to its limit (the line)", bars, limit=1 / MOST)


def _picture(title: str, bars: Sequence[_Bar], *, limit: float | None = None) -> str:
    height, room = _TOP + _ROW * max(1, len(bars)), WIDTH - _LEFT - _RIGHT
    ink = svg.PALETTE["ink"]
    parts = [svg.label(12, 20, title, fill=ink, font_weight="600")]
    for row, bar in enumerate(bars):
        y = _TOP + _ROW * row
        if bar.share is None:
            parts.append(svg.label(12, y + 15, bar.name, room=230, fill=ink, font_weight="600"))
            continue
        parts += [
            svg.label(_LEFT - 8, y + 15, bar.name, "end", room=230, fill=ink),
            svg.rect(
                _LEFT, y + 3, max(bar.share * room, 1), _ROW - 6, fill=svg.PALETTE[bar.colour]
            ),
            svg.label(_LEFT + room + 8, y + 15, bar.figure, fill=ink),
        ]
    if limit is not None:
        x = _LEFT + room * limit
        parts.append(svg.line(x, 30, x, height - 4, stroke=ink, stroke_dasharray="3 3"))
    return svg.document(title, WIDTH, height, *parts)
