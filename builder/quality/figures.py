"""Pictures inside a report: SVG without style, its colours are the classes of report.css."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from builder import svg
from builder.quality.labels import Lengths
from builder.text import number

Floats = NDArray[np.float64]
VALUES, REASONS = 10, 12  # the most bars of a category, and of refusals


def marginal(values: Floats, reference: Floats, *, bins: int = 24) -> str:
    """A histogram of values (n,) as bars, over that of the reference (m,) as a line."""
    edges, half = _edges(values, reference, bins)
    bins = len(edges) - 1
    ours, theirs = (_shares(side, edges) for side in (values, reference))
    top = max(float(ours.max()), float(theirs.max()), 1e-9)
    width, floor = 300 / bins, 110
    parts = [
        svg.rect(k * width + 0.5, floor - height, width - 1, height, class_="ours", rx=2)
        for k, height in enumerate(100 * ours / top)
    ]
    if len(reference):
        points = " ".join(
            f"{svg.coordinate(x)},{svg.coordinate(floor - 100 * share / top)}"
            for k, share in enumerate(theirs)
            for x in (k * width, (k + 1) * width)
        )
        parts.append(svg.element("polyline", class_="line-reference", points=points))
    parts += [
        svg.line(0, floor, 300, floor, class_="axis"),
        svg.label(0, 126, number(float(edges[0] + half))),
        svg.label(300, 126, number(float(edges[-1] - half)), "end"),
    ]
    return _picture(300, 132, "distribution over the reference", parts)


def shares(ours: Mapping[str, float], theirs: Mapping[str, float]) -> str:
    """Bars of the share of each value, the reference's share as a mark."""
    values = sorted(
        {*ours, *theirs}, key=lambda value: (-max(ours.get(value, 0), theirs.get(value, 0)), value)
    )[:VALUES]
    top = max([*ours.values(), *theirs.values()], default=1.0) or 1.0
    parts = []
    for k, value in enumerate(values):
        y, share, x = k * 22, ours.get(value, 0), 100 + 160 * theirs.get(value, 0) / top
        parts += [
            svg.label(92, y + 14, value, "end", room=92),
            svg.rect(100, y + 3, 160 * share / top, 14, class_="ours", rx=2),
            svg.line(x, y, x, y + 20, class_="mark-reference") if theirs else "",
            svg.label(300, y + 14, f"{100 * share:.0f}%", "end"),
        ]
    return _picture(300, max(22, 22 * len(values)), "share of each value", parts)


def plane(
    ours: NDArray[np.floating], theirs: NDArray[np.floating], covered: NDArray[np.bool_]
) -> str:
    """Points (n, 2) over reference points (m, 2), those of them not `covered` (m,) marked."""
    both = np.vstack((ours, theirs))
    low, high = np.quantile(both, 0.005, axis=0), np.quantile(both, 0.995, axis=0)
    scale = np.where(high > low, high - low, 1)
    parts = []
    for points, name, radius in (
        (theirs[covered], "dot-reference", 3.0),
        (ours, "dot-ours", 2.2),
        (theirs[~covered], "dot-missing", 4.0),
    ):
        dots = [
            svg.element("circle", cx=24 + 712 * x, cy=396 - 372 * y, r=radius)
            for x, y in np.clip((points - low) / scale, -0.02, 1.02).tolist()
        ]
        parts.append(svg.element("g", *dots, class_=name))
    return _picture(760, 420, "dataset and reference on two principal axes", parts, "wide")


def heat(
    rows: Sequence[str], columns: Sequence[str], filled: Floats, planned: Floats | None
) -> str:
    """Counts (r, c) as a grid; with planned ones a cell that is short is outlined."""
    left, top, height = 130, 28, 30
    width = min(110.0, 620 / max(1, len(columns)))
    peak = float(filled.max()) if filled.size else 1.0
    parts = [
        svg.label(left + (k + 0.5) * width, 18, name, "middle", room=width)
        for k, name in enumerate(columns)
    ]
    for i, name in enumerate(rows):
        y = top + i * height + 1
        parts.append(svg.label(left - 8, y + 19, name, "end", room=left - 12))
        for k in range(len(columns)):
            wanted = None if planned is None else float(planned[i, k])
            x = left + k * width + 1
            parts += _cell(x, y, width - 2, height - 2, float(filled[i, k]), wanted, peak)
    return _picture(760, top + height * max(1, len(rows)) + 4, "combinations", parts, "wide")


def boxes(lengths: Mapping[str, Lengths], second: Mapping[str, float]) -> str:
    """A box of the quantiles of length by name; to its right a bar of `second`, from 0 to 1."""
    top = max((length.most for length in lengths.values()), default=1.0) or 1.0
    scale = 340 / top
    parts = [
        svg.label(150, 14, "characters", class_="head"),
        svg.label(560, 14, "distinct bigrams", class_="head"),
    ]
    for k, (name, length) in enumerate(lengths.items()):
        y, value = 26 + 30 * k, second.get(name, float("nan"))
        start, stop = 150 + scale * length.quarter, 150 + scale * length.three_quarters
        x, middle = 150 + scale * length.median, y + 11
        least, most = 150 + scale * length.least, 150 + scale * length.most
        parts += [
            svg.label(138, y + 16, name, "end", room=136),
            svg.line(least, middle, most, middle, class_="whisker"),
            svg.rect(start, y + 2, max(2.0, stop - start), 18, class_="ours", rx=2),
            svg.line(x, y + 2, x, y + 20, class_="median"),
            svg.label(500, y + 16, number(length.median)),
            svg.rect(560, y + 4, 140, 14, class_="track", rx=2),
            svg.label(756, y + 16, number(value), "end"),
        ]
        if not np.isnan(value):
            parts.append(svg.rect(560, y + 4, 140 * min(1.0, value), 14, class_="ours", rx=2))
    return _picture(760, 30 + 30 * max(1, len(lengths)), "lengths", parts, "wide")


def bars(counts: Mapping[str, int]) -> str:
    """Counts by name, the largest first."""
    reasons = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:REASONS]
    top = max((count for _, count in reasons), default=1) or 1
    parts = []
    for k, (reason, count) in enumerate(reasons):
        y = 28 * k
        parts += [
            svg.label(330, y + 18, reason, "end", room=326),
            svg.rect(340, y + 5, max(2, 340 * count / top), 18, class_="missing", rx=2),
            svg.label(756, y + 18, number(count), "end"),
        ]
    return _picture(760, max(28, 28 * len(reasons)), "reject reasons", parts, "wide")


def _edges(values: Floats, reference: Floats, bins: int) -> tuple[Floats, float]:
    """The edges (bins + 1,) of a histogram over both sides, and how far each lies outside of the
    value that it shows."""
    both = np.concatenate((values, reference))
    low, high = np.quantile(both, (0.002, 0.99)) if len(both) else (0.0, 1.0)
    if high - low < 2 * bins and np.abs(both).max(initial=0) < 2**31 and (both % 1 == 0).all():
        # Whole numbers get a bar each, or the bins beat against them.
        low, high = np.floor(low) - 0.5, np.ceil(high) + 0.5
        return np.linspace(low, high, int(high - low) + 1), 0.5
    return np.linspace(low, high if high > low else low + max(1.0, abs(low)), bins + 1), 0.0


def _shares(values: Floats, edges: Floats) -> Floats:
    """The share of the values (n,) in each bin, those outside of the edges in the outermost."""
    counts = np.histogram(np.clip(values, edges[0], edges[-1]), edges)[0].astype(np.float64)
    return counts / counts.sum() if counts.sum() else counts


def _cell(
    x: float, y: float, width: float, height: float, count: float, wanted: float | None, peak: float
) -> list[str]:
    part = count / (wanted or peak or 1.0)
    step = min(8, round(8 * part)) if count or wanted else 0
    parts = [svg.rect(x, y, width, height, class_=f"heat-{step}", rx=2)]
    if wanted and count < wanted:
        parts.append(svg.rect(x + 1, y + 1, width - 2, height - 2, class_="short", rx=2))
    figure = number(count) if wanted is None else f"{number(count)}/{number(wanted)}"
    tone = "on-dark" if step >= 5 else "on-light"
    return [*parts, svg.label(x + width / 2, y + 19, figure, "middle", class_=tone)]


def _picture(
    width: int, height: float, title: str, parts: Sequence[str], name: str = "small"
) -> str:
    return svg.element(
        "svg", *parts, class_=name, viewBox=f"0 0 {width} {svg.coordinate(height)}", role="img",
        aria_label=title,
    )  # fmt: skip
