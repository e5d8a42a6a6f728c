"""One SVG page of a draw over its reference: marginals, and scatters of pairs of columns.

Self-contained: no script, no font, nothing fetched. Text is escaped. Opens in any browser and
inside Markdown.
"""

import datetime
from collections.abc import Sequence

import numpy as np

from builder import svg
from builder.sampling import fidelity
from builder.stats.distances import Floats
from builder.table.tables import DATE, INTEGER, NUMBER, Column, Table
from builder.text import cut

INK, SOFT, RULE, PAPER = (svg.PALETTE[name] for name in ("ink", "soft", "line", "card"))
REAL, DRAWN = svg.PALETTE["reference"], svg.PALETTE["ours"]
MORE, LESS = svg.PALETTE["missing"], svg.PALETTE["ours"]  # correlations above and below nothing
# The most panels of either kind, dots in a scatter, bars of a category, named rows of a square.
MARGINALS, PAIRS, DOTS, BARS, NAMED = 24, 6, 700, 12, 16
WIDTH, GAP, LEFT = 960.0, 24.0, 32.0


def page(
    title: str,
    drawn: Table,
    reference: Table,
    rng: np.random.Generator,
    found: fidelity.Fidelity | None = None,
) -> str:
    """An SVG document: marginals, the pairs that hang together most, correlations, figures.

    `found` adds its figures to the head and to every marginal; the rng picks the dots shown.
    """
    names = [name for name in reference.columns if name in drawn.columns]
    visible = names[:MARGINALS]
    real, ours = (fidelity.associations(table.select(names)) for table in (reference, drawn))
    dots = [table.take(np.sort(rng.permutation(len(table))[:DOTS])) for table in (reference, drawn)]
    notes = {column.name: f"KS {column.ks:.3f}" for column in found.columns} if found else {}
    parts = [_head(title, drawn, reference, found)]
    columns = min(4, max(2, len(visible)))
    wide = _pitch(columns)
    panels = [
        _panel(
            wide, name, notes.get(name, ""),
            _marginal(drawn.columns[name], reference.columns[name], wide, 150),
        )
        for name in visible
    ]  # fmt: skip
    body, top = _rows(panels, columns, wide, 150, 96)
    parts.append(body)
    if len(visible) < len(names):
        more = f"and {len(names) - len(visible)} more columns"
        parts.append(svg.label(LEFT, top, more, fill=SOFT))
        top += 20
    pairs = _pairs(reference, names, real)
    columns, high = (1, 330) if len(pairs) == 1 else (3, 210)
    wide = _pitch(columns)
    panels = [_panel(wide, f"{y} by {x}", "", _scatter(dots, x, y, wide, high)) for x, y in pairs]
    body, top = _rows(panels, columns, wide, high, top)
    parts.append(body)
    if len(names) > 1:
        body, top = _matrices(names, real, ours, top)
        parts.append(body)
    return svg.document(title, WIDTH, top, *parts)


def _head(title: str, drawn: Table, reference: Table, found: fidelity.Fidelity | None) -> str:
    key = {"y": 52, "width": 11, "height": 11}
    parts = [
        svg.label(LEFT, 38, cut(title, 80), font_size=20, font_weight="600", fill=INK),
        svg.rect(LEFT, **key, fill=REAL, fill_opacity=".55"),
        svg.label(LEFT + 16, 61, f"reference, {len(reference):,} rows", fill=SOFT),
        svg.rect(LEFT + 170, **key, fill="none", stroke=DRAWN, stroke_width=2),
        svg.label(LEFT + 186, 61, f"drawn, {len(drawn):,} rows", fill=SOFT),
    ]
    if found:
        figures = [
            f"KS complement {found.ks:.3f} (1 best)",
            f"correlations off by {found.correlation:.3f}",
        ]
        if found.auc is not None:
            figures.append(f"classifier AUC {found.auc:.3f} (0.5 best)")
        if found.closest is not None:
            figures.append(f"closest to the reference {found.closest:.2f} (0.5 best)")
        figures.append(f"copies {found.copies:.1%}")
        parts.append(svg.label(LEFT, 82, " · ".join(figures), fill=INK))
    return "".join(parts)


def _pitch(columns: int) -> float:
    return (WIDTH - 2 * LEFT - (columns - 1) * GAP) / columns


def _rows(
    panels: Sequence[str], columns: int, wide: float, high: float, top: float
) -> tuple[str, float]:
    placed = "".join(
        svg.at(LEFT + i % columns * (wide + GAP), top + i // columns * (high + GAP), panel)
        for i, panel in enumerate(panels)
    )
    return placed, top + -(-len(panels) // columns) * (high + GAP)


def _panel(wide: float, title: str, note: str, body: str) -> str:
    head = svg.label(0, 12, title, room=wide * 0.8, font_weight="600", fill=INK)
    return head + svg.label(wide, 12, note, "end", fill=SOFT) + body


def _marginal(drawn: Column, reference: Column, wide: float, high: float) -> str:
    if not reference.numeric:
        labels, shares = _shares([reference, drawn])
        ends = (cut(labels[0], 14), cut(labels[-1], 14)) if len(labels) > 4 else ("", "")
        return _bars(shares, wide, high, labels if len(labels) <= 4 else [], ends)
    both = [c.values[~np.isnan(c.values)] for c in (reference, drawn)]
    known = np.concatenate(both)
    if not len(known):
        return svg.label(0, 40, "all missing", fill=SOFT)
    low, top = float(known.min()), float(known.max())
    if reference.kind != NUMBER and len(np.unique(known)) <= 30 and top - low <= 60:
        edges = np.arange(low - 0.5, top + 1.0)
    else:
        edges = np.linspace(low, top if top > low else low + 1, 31)
    shares = np.array([np.histogram(side, edges)[0] / max(len(side), 1) for side in both])
    return _bars(shares, wide, high, [], (_value(low, reference), _value(top, reference)))


def _bars(
    shares: Floats, wide: float, high: float, labels: Sequence[str], ends: tuple[str, str]
) -> str:
    """Shares (2, m): the first as bars, the second as an outline."""
    floor, pitch, n = high - 16, wide / shares.shape[1], svg.coordinate
    heights = shares / (float(shares.max()) or 1.0) * (high - 38)
    gap = 1.0 if pitch > 4 else 0.0
    bars = [
        svg.rect(i * pitch, floor - height, pitch - gap, height)
        for i, height in enumerate(heights[0].tolist())
    ]
    outline = "".join(
        f"{'L' if i else 'M'}{n(i * pitch)} {n(floor - height)}H{n((i + 1) * pitch)}"
        for i, height in enumerate(heights[1].tolist())
    )
    words = [
        svg.label((i + 0.5) * pitch, floor + 13, label, "middle", room=pitch, fill=SOFT)
        for i, label in enumerate(labels)
    ]
    return "".join([
        svg.element("g", *bars, fill=REAL, fill_opacity=".55"),
        svg.element("path", d=outline, fill="none", stroke=DRAWN, stroke_width="1.6"),
        svg.line(0, floor, wide, floor, stroke=RULE),
        *words,
        svg.label(0, floor + 13, ends[0], fill=SOFT),
        svg.label(wide, floor + 13, ends[1], "end", fill=SOFT),
    ])  # fmt: skip


def _scatter(dots: Sequence[Table], across: str, up: str, wide: float, high: float) -> str:
    margin, floor, n = 46.0, high - 16, svg.coordinate
    side, tall = (wide - margin - 10) / 2, floor - 20
    xs, ys = (_scale([table.columns[name] for table in dots]) for name in (across, up))
    (low, top), (left_end, right_end) = (
        _ends([table.columns[name] for table in dots]) for name in (up, across)
    )
    parts = [
        svg.label(margin - 5, floor, low, "end", room=margin, fill=SOFT),
        svg.label(margin - 5, 29, top, "end", room=margin, fill=SOFT),
    ]
    for i, (x, y, colour) in enumerate(zip(xs, ys, (REAL, DRAWN), strict=True)):
        left = margin + i * (side + 10)
        there = ~(np.isnan(x) | np.isnan(y))
        # Few dots, or few places that hold them all, are drawn larger.
        size = 5.0 if len(np.unique(x[there])) < 50 else 2.8
        marks = "".join(
            f"M{n(left + 5 + a * (side - 10))} {n(25 + (1 - b) * (tall - 10))}h0"
            for a, b in zip(x[there].tolist(), y[there].tolist(), strict=True)
        )
        parts += [
            svg.rect(left, 20, side, tall, fill="none", stroke=RULE),
            svg.element(
                "path", d=marks, stroke=colour, stroke_width=size, stroke_linecap="round",
                stroke_opacity=".75", fill="none",
            ),
            svg.label(left, high - 2, left_end, room=side / 2, fill=SOFT),
            svg.label(left + side, high - 2, right_end, "end", room=side / 2, fill=SOFT),
        ]  # fmt: skip
    return "".join(parts)


def _ends(columns: Sequence[Column]) -> tuple[str, str]:
    every = np.concatenate([column.values for column in columns])
    if not columns[0].numeric:
        known = sorted({value for value in every if value is not None})
        return (known[0], known[-1]) if known else ("", "")
    numbers = every[~np.isnan(every)]
    if not len(numbers):
        return "", ""
    return _value(numbers.min(), columns[0]), _value(numbers.max(), columns[0])


def _scale(columns: Sequence[Column]) -> list[Floats]:
    """Both columns as places from 0 to 1; categories evenly, a little spread."""
    if not columns[0].numeric:
        known = sorted({v for column in columns for v in column.values if v is not None})
        place = {text: (i + 0.5) / len(known) for i, text in enumerate(known)}
        scaled = []
        for column in columns:
            # The golden ratio's multiples spread the dots of a category without chance.
            jitter = (np.arange(len(column.values)) * 0.6180339887498949 % 1 - 0.5) * 0.6
            places = np.array([np.nan if v is None else place[v] for v in column.values])
            scaled.append(places + jitter / max(len(known), 1))
        return scaled
    every = np.concatenate([column.values for column in columns])
    numbers = every[~np.isnan(every)]
    low, top = (numbers.min(), numbers.max()) if len(numbers) else (0.0, 1.0)
    return [(column.values - low) / ((top - low) or 1.0) for column in columns]


def _pairs(table: Table, names: Sequence[str], r: Floats) -> list[tuple[str, str]]:
    ranked = sorted((-abs(r[i, j]), j, i) for i in range(len(names)) for j in range(i))
    numeric = [table.columns[name].numeric for name in names]
    return [(names[j], names[i]) for _, j, i in ranked if numeric[i] or numeric[j]][:PAIRS]


def _matrices(names: Sequence[str], real: Floats, ours: Floats, top: float) -> tuple[str, float]:
    few = len(names) <= NAMED
    margin = 100.0 if few else 0.0
    pitch = (WIDTH - 2 * LEFT - margin + GAP) / 3
    size = min(pitch - GAP, 50.0 * len(names))
    cell = size / len(names)
    parts = [
        svg.label(
            LEFT + margin - 8, top + 22 + (i + 0.5) * cell, name, "end", room=margin, fill=INK
        )
        for i, name in enumerate(names if few else [])
    ]
    squares = [
        ("correlations, reference", real, 1.0),
        ("drawn", ours, 1.0),
        (f"difference, at most {float(np.abs(ours - real).max()):.2f}", ours - real, 0.2),
    ]
    for k, (title, matrix, full) in enumerate(squares):
        body = "".join(
            _cell(j * cell, 18 + i * cell, cell, value, full, f"{names[i]} × {names[j]}")
            for i, row in enumerate(matrix.tolist())
            for j, value in enumerate(row)
        )
        frame = svg.rect(0, 18, size, size, fill="none", stroke=RULE)
        panel = _panel(pitch - GAP, title, "", body + frame)
        parts.append(svg.at(LEFT + margin + k * pitch, top, panel))
    order = "columns as the rows" if few else "in order: " + ", ".join(names)
    parts.append(svg.label(LEFT + margin, top + size + 34, cut(order, 150), fill=SOFT))
    return "".join(parts), top + size + 34 + GAP


def _cell(x: float, y: float, size: float, value: float, full: float, pair: str) -> str:
    title = svg.element("title", svg.escape(f"{pair}: {value:.3f}"))
    square = svg.rect(x, y, size, size, title, fill=_shade(value / full))
    if size < 26:
        return square
    figure = f"{round(value, 2) + 0.0:.2f}".replace("0.", ".", 1)
    ink = PAPER if abs(value) > 0.8 * full else INK
    return square + svg.label(x + size / 2, y + size / 2 + 4, figure, "middle", fill=ink)


def _shade(value: float) -> str:
    """White at 0, one colour of the palette towards 1, another towards -1."""
    end = bytes.fromhex((MORE if value >= 0 else LESS).removeprefix("#"))
    mixed = [round(255 + (channel - 255) * min(1.0, abs(value))) for channel in end]
    return "#" + bytes(mixed).hex()


def _shares(columns: Sequence[Column]) -> tuple[list[str], Floats]:
    """Labels and shares (2, m) of the commonest values; those left over are one bar."""
    texts = [["(missing)" if v is None else str(v) for v in c.values] for c in columns]
    known, counts = np.unique(texts[0] + texts[1], return_counts=True)
    common = sorted(known[np.argsort(-counts, kind="stable")][:BARS].tolist())
    labels = [*common, "(others)"] if len(known) > len(common) else common
    index = {text: i for i, text in enumerate(common)}
    shares = [
        np.bincount([index.get(t, len(common)) for t in side], minlength=len(labels))
        / max(len(side), 1)
        for side in texts
    ]
    return labels, np.array(shares)


def _value(value: float, column: Column) -> str:
    if column.kind == DATE:
        epoch = datetime.date(1970, 1, 1).toordinal()
        return datetime.date.fromordinal(epoch + round(value)).isoformat()
    return f"{value:,.0f}" if column.kind == INTEGER else f"{value:.5g}"
