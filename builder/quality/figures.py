"""Plots as inline SVG: no script, no style attribute, every text escaped, colours by class.

Coordinates are user units, about one pixel at full width; numbers are rounded so that the same
data give the same bytes everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray

from builder.quality.labels import Lengths

_CONTROL = dict.fromkeys((*range(32), 127, *range(8234, 8239), *range(8294, 8298)), " ")


def shown(text: object, most: int = 60) -> str:
    """A text fit for markup: escaped, shortened, control and bidirectional marks blanked."""
    plain = str(text).translate(_CONTROL).encode("utf-8", "replace").decode()
    return escape(plain if len(plain) <= most else plain[: most - 1] + "…")


def number(value: float) -> str:
    """A figure of three digits that count.

    >>> number(0.12345), number(12345.6), number(3.0), number(float("nan"))
    ('0.123', '12,346', '3', '–')
    """
    if np.isnan(value):
        return "–"
    if value == round(value) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 1 else f"{value:.4g}"


def marginal(values: NDArray[np.float64], reference: NDArray[np.float64], *, bins: int = 24) -> str:
    """A histogram of values (n,) as bars, over that of the reference (m,) as a line."""
    both, half = np.concatenate((values, reference)), 0.0
    low, high = np.quantile(both, (0.002, 0.99)) if len(both) else (0.0, 1.0)
    if high - low < 2 * bins and np.abs(both).max(initial=0) < 2**31 and (both % 1 == 0).all():
        # Whole numbers get a bar each, or the bins beat against them.
        low, high, half = np.floor(low) - 0.5, np.ceil(high) + 0.5, 0.5
        bins = int(high - low)
    edges = np.linspace(low, high if high > low else low + max(1.0, abs(low)), bins + 1)
    ours, theirs = (
        _shares(np.clip(side, edges[0], edges[-1]), edges) for side in (values, reference)
    )
    top = max(float(ours.max()), float(theirs.max()), 1e-9)
    width, floor = 300 / bins, 110
    parts = []
    for k, share in enumerate(ours):
        height = 100 * share / top
        parts.append(_rect(k * width + 0.5, floor - height, width - 1, height, "ours"))
    if len(reference):
        points = " ".join(
            f"{_n(x)},{_n(floor - 100 * share / top)}"
            for k, share in enumerate(theirs)
            for x in (k * width, (k + 1) * width)
        )
        parts.append(f'<polyline class="line-reference" points="{points}"/>')
    parts.append(f'<line class="axis" x1="0" y1="{floor}" x2="300" y2="{floor}"/>')
    parts += [
        _label(0, 126, number(float(edges[0] + half))),
        _label(300, 126, number(float(edges[-1] - half)), "end"),
    ]
    return _svg(300, 132, "".join(parts), "distribution over the reference")


def shares(ours: Mapping[str, float], theirs: Mapping[str, float]) -> str:
    """Bars of the share of each value, the reference's share as a mark; at most ten values."""
    order = sorted({*ours, *theirs}, key=lambda v: (-max(ours.get(v, 0), theirs.get(v, 0)), v))[:10]
    top = max([*ours.values(), *theirs.values()], default=1.0) or 1.0
    parts = []
    for k, value in enumerate(order):
        y = k * 22
        parts.append(_label(92, y + 14, _fitted(value, 92), "end"))
        parts.append(_rect(100, y + 3, 160 * ours.get(value, 0) / top, 14, "ours"))
        if theirs:
            x = _n(100 + 160 * theirs.get(value, 0) / top)
            parts.append(f'<line class="mark-reference" x1="{x}" y1="{y}" x2="{x}" y2="{y + 20}"/>')
        parts.append(_label(300, y + 14, f"{100 * ours.get(value, 0):.0f}%", "end"))
    return _svg(300, max(22, 22 * len(order)), "".join(parts), "share of each value")


def plane(
    ours: NDArray[np.floating], theirs: NDArray[np.floating], covered: NDArray[np.bool_]
) -> str:
    """Points (n, 2) over reference points (m, 2), those of them not `covered` (m,) marked."""
    both = np.vstack((ours, theirs))
    low, high = np.quantile(both, 0.005, axis=0), np.quantile(both, 0.995, axis=0)
    scale = np.where(high > low, high - low, 1)
    parts = []
    sides = (
        (theirs[covered], "dot-reference", 3.0),
        (ours, "dot-ours", 2.2),
        (theirs[~covered], "dot-missing", 4.0),
    )
    for points, name, radius in sides:
        at = np.clip((points - low) / scale, -0.02, 1.02)
        parts.append(f'<g class="{name}">')
        parts += [
            f'<circle cx="{_n(24 + 712 * x)}" cy="{_n(396 - 372 * y)}" r="{radius}"/>'
            for x, y in at
        ]
        parts.append("</g>")
    return _svg(760, 420, "".join(parts), "dataset and reference on two principal axes", "wide")


def heat(
    rows: Sequence[str],
    columns: Sequence[str],
    filled: NDArray[np.float64],
    planned: NDArray[np.float64] | None,
) -> str:
    """Counts (r, c) as a grid; with planned ones a cell that is short is outlined."""
    left, top, height = 130, 28, 30
    width = min(110.0, 620 / max(1, len(columns)))
    peak = float(filled.max()) if filled.size else 1.0
    parts = [
        _label(left + (k + 0.5) * width, 18, _fitted(name, width), "middle")
        for k, name in enumerate(columns)
    ]
    for i, name in enumerate(rows):
        parts.append(_label(left - 8, top + i * height + 20, _fitted(name, left - 12), "end"))
        for k in range(len(columns)):
            count = float(filled[i, k])
            wanted = None if planned is None else float(planned[i, k])
            part = count / (wanted if wanted else peak or 1.0)
            step = min(8, round(8 * part)) if count or wanted else 0
            box = (left + k * width + 1, top + i * height + 1, width - 2, height - 2)
            parts.append(_rect(*box, f"heat-{step}"))
            if wanted and count < wanted:
                parts.append(_rect(box[0] + 1, box[1] + 1, box[2] - 2, box[3] - 2, "short"))
            text = number(count) if wanted is None else f"{number(count)}/{number(wanted)}"
            tone = "on-dark" if step >= 5 else "on-light"
            parts.append(_label(box[0] + box[2] / 2, box[1] + 19, text, "middle", f"cell {tone}"))
    return _svg(760, top + height * max(1, len(rows)) + 4, "".join(parts), "combinations", "wide")


def boxes(lengths: Mapping[str, Lengths], second: Mapping[str, float]) -> str:
    """A box of the quantiles of length by name; beside it a bar of `second`, from 0 to 1."""
    top = max((one.most for one in lengths.values()), default=1.0) or 1.0
    scale = 340 / top
    parts = [
        _label(150, 14, "characters", "start", "head"),
        _label(560, 14, "distinct bigrams", "start", "head"),
    ]
    for k, (name, one) in enumerate(lengths.items()):
        y = 26 + 30 * k
        middle = y + 11
        parts.append(_label(138, y + 16, _fitted(name, 136), "end"))
        parts.append(
            f'<line class="whisker" x1="{_n(150 + scale * one.least)}" y1="{middle}" '
            f'x2="{_n(150 + scale * one.most)}" y2="{middle}"/>'
        )
        start, stop = 150 + scale * one.quarter, 150 + scale * one.three_quarters
        parts.append(_rect(start, y + 2, max(2.0, stop - start), 18, "ours"))
        x = _n(150 + scale * one.median)
        parts.append(f'<line class="median" x1="{x}" y1="{y + 2}" x2="{x}" y2="{y + 20}"/>')
        parts.append(_label(500, y + 16, number(one.median), "start"))
        value = second.get(name, float("nan"))
        parts.append(_rect(560, y + 4, 140, 14, "track"))
        if not np.isnan(value):
            parts.append(_rect(560, y + 4, 140 * min(1.0, value), 14, "ours"))
        parts.append(_label(756, y + 16, number(value), "end"))
    return _svg(760, 30 + 30 * max(1, len(lengths)), "".join(parts), "lengths", "wide")


def bars(counts: Mapping[str, int]) -> str:
    """Counts by name, the largest first; at most twelve."""
    order = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:12]
    top = max((many for _, many in order), default=1) or 1
    parts = []
    for k, (name, many) in enumerate(order):
        y = 28 * k
        parts.append(_label(330, y + 18, _fitted(name, 326), "end"))
        parts.append(_rect(340, y + 5, max(2, 340 * many / top), 18, "missing"))
        parts.append(_label(756, y + 18, number(many), "end"))
    return _svg(760, max(28, 28 * len(order)), "".join(parts), "reject reasons", "wide")


def _shares(values: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.float64]:
    counts = np.histogram(values, edges)[0].astype(np.float64)
    return counts / counts.sum() if counts.sum() else counts


def _fitted(text: object, width: float) -> str:
    """As much of a text as fits into a width at 12 units a line; CJK is twice as wide."""
    room, kept = width / 6.6, ""
    for character in str(text):
        room -= 1.8 if ord(character) > 0x2E7F else 1
        if room < 1:
            return kept + "…"
        kept += character
    return kept


def _n(value: float) -> str:
    return f"{float(value):.1f}".removesuffix(".0")


def _rect(x: float, y: float, width: float, height: float, name: str) -> str:
    box = f'x="{_n(x)}" y="{_n(y)}" width="{_n(max(0, width))}" height="{_n(max(0, height))}"'
    return f'<rect class="{name}" {box} rx="2"/>'


def _label(x: float, y: float, text: str, anchor: str = "start", name: str = "tick") -> str:
    place = f'x="{_n(x)}" y="{_n(y)}" text-anchor="{anchor}"'
    return f'<text class="{name}" {place}>{shown(text)}</text>'


def _svg(width: int, height: float, body: str, title: str, name: str = "small") -> str:
    box = f'viewBox="0 0 {width} {_n(height)}"'
    return f'<svg class="{name}" {box} role="img" aria-label="{escape(title)}">{body}</svg>'
