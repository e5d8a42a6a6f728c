"""Figures of a card as SVG: bars, drawn without any library, the same figures the same bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from builder.dataset.manifests import AxisShares
from builder.quality.strain import Summary

WIDTH = 720
MOST = 1.25
"""Bars of gates end at this multiple of the limit."""
_ROW, _LEFT, _RIGHT = 22, 260, 110
_COLOURS = {"bar": "#4c78a8", "pass": "#3b8a5a", "warn": "#c28a1b", "fail": "#b3372f"}
_TEXT = 'font-family="sans-serif" font-size="12" fill="#333333"'


def shares(axes: Mapping[str, AxisShares], most: int = 12) -> str:
    """A panel of bars for each axis: how many rows have which value."""
    lines: list[tuple[str, float, str, str]] = []
    for name, axis in axes.items():
        values = list(axis.values.items())
        rest = axis.other + sum(n for _, n in values[most:])
        total = sum(n for _, n in values) + axis.other
        lines.append((name, -1.0, "", ""))
        lines += [(value, n / total, f"{n:,}", "bar") for value, n in values[:most]]
        if rest:
            lines.append(("others", rest / total, f"{rest:,}", "bar"))
    return _bars("Rows by axis", lines)


def gates(found: Sequence[Summary]) -> str:
    """A bar for each gate, as long as its figure has used up what the limit allows; the line is
    the limit."""
    lines = []
    for one in found:
        worst = one.worst
        what = f"{worst.gate} · {worst.what}" if worst.what else worst.gate
        told = f"{worst.value:.3g} ({worst.bound})"
        lines.append((what, min(worst.strain, MOST) / MOST, told, worst.verdict))
    return _bars("Gates: how near each figure is to its limit (the line)", lines, mark=1 / MOST)


def _bars(
    title: str, lines: Sequence[tuple[str, float, str, str]], *, mark: float | None = None
) -> str:
    height = 34 + _ROW * max(1, len(lines))
    room = WIDTH - _LEFT - _RIGHT
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
        f'viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title)}">',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="12" y="20" {_TEXT} font-weight="bold">{escape(title)}</text>',
    ]
    for row, (name, share, told, kind) in enumerate(lines):
        y = 34 + _ROW * row
        if share < 0:
            parts.append(
                f'<text x="12" y="{y + 15}" {_TEXT} font-weight="bold">{_short(name)}</text>'
            )
            continue
        colour = _COLOURS.get(kind, "#888888")
        parts.append(
            f'<text x="{_LEFT - 8}" y="{y + 15}" {_TEXT} text-anchor="end">{_short(name)}</text>'
            f'<rect x="{_LEFT}" y="{y + 3}" width="{max(share * room, 1):.1f}" height="{_ROW - 6}" '
            f'fill="{colour}"/>'
            f'<text x="{_LEFT + room + 8}" y="{y + 15}" {_TEXT}>{escape(told)}</text>'
        )
    if mark is not None:
        x = _LEFT + room * mark
        parts.append(
            f'<line x1="{x:.1f}" y1="30" x2="{x:.1f}" y2="{height - 4}" stroke="#333333" '
            f'stroke-dasharray="3 3"/>'
        )
    return "\n".join([*parts, "</svg>", ""])


def _short(name: str, most: int = 34) -> str:
    flat = "".join(c if c.isprintable() else " " for c in str(name))
    return escape(flat if len(flat) <= most else flat[: most - 1] + "…")
