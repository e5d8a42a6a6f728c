"""One SVG page of a draw beside its reference: marginals, and scatters of pairs of columns.

Self-contained: no script, no font, nothing fetched. Text is escaped. Opens in any browser and
inside Markdown.
"""

from __future__ import annotations

import datetime
import html
import unicodedata
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from builder.sampling import fidelity
from builder.sampling.fidelity import Fidelity
from builder.table.tables import Column, Table

Floats = NDArray[np.float64]
INK, FAINT, RULE, PAPER = "#1f2733", "#66707d", "#d5dae1", "#ffffff"
REAL, DRAWN = "#7c8796", "#d9622b"
MARGINALS, PAIRS, DOTS, BARS, NAMED = 24, 6, 700, 12, 16
"""The most panels of either kind, dots in a scatter, bars of a category, named rows of a square."""
WIDTH, GAP, LEFT = 960.0, 24.0, 32.0
FONT = "ui-sans-serif,system-ui,'Segoe UI','Noto Sans CJK SC','PingFang SC',sans-serif"


def page(
    title: str,
    drawn: Table,
    reference: Table,
    rng: np.random.Generator,
    found: Fidelity | None = None,
) -> str:
    """An SVG document: marginals, the pairs that hang together most, correlations, figures.

    `found` adds its figures to the head and to every marginal; the rng picks the dots shown.
    """
    names = [name for name in reference.columns if name in drawn.columns]
    shown = names[:MARGINALS]
    real, ours = associations(reference, names), associations(drawn, names)
    pairs = _pairs(reference, names, real)
    dots = [table.take(np.sort(rng.permutation(len(table))[:DOTS])) for table in (reference, drawn)]
    notes = {one.name: f"KS {one.ks:.3f}" for one in found.columns} if found else {}
    parts = [_head(title, drawn, reference, found)]
    columns = min(4, max(2, len(shown)))
    wide = (WIDTH - 2 * LEFT - (columns - 1) * GAP) / columns
    panels = [
        _panel(
            wide, name, notes.get(name, ""),
            _marginal(drawn.columns[name], reference.columns[name], wide, 150),
        )
        for name in shown
    ]  # fmt: skip
    body, top = _rows(panels, columns, wide, 150, 96)
    parts.append(body)
    if len(shown) < len(names):
        parts.append(_text(LEFT, top, f"and {len(names) - len(shown)} more columns", FAINT))
        top += 20
    columns, high = (1, 330) if len(pairs) == 1 else (3, 210)
    wide = (WIDTH - 2 * LEFT - (columns - 1) * GAP) / columns
    panels = [
        _panel(wide, f"{other} by {one}", "", _scatter(dots, one, other, wide, high))
        for one, other in pairs
    ]
    body, top = _rows(panels, columns, wide, high, top)
    parts.append(body)
    if len(names) > 1:
        body, top = _matrices(names, real, ours, top)
        parts.append(body)
    return _document(title, "".join(parts), top)


def associations(table: Table, names: Sequence[str]) -> Floats:
    """The associations (d, d) of these columns in this order."""
    return fidelity.associations(table.select(names))


def _document(title: str, body: str, height: float) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH:g} {height:g}" '
        f'width="{WIDTH:g}" height="{height:g}" font-family="{FONT}" font-size="11" role="img">'
        f"<title>{_safe(title)}</title>"
        f'<rect width="100%" height="100%" fill="{PAPER}"/>{body}</svg>\n'
    )


def _head(title: str, drawn: Table, reference: Table, found: Fidelity | None) -> str:
    lines = [
        (
            f'<text x="{LEFT}" y="38" font-size="20" font-weight="600" fill="{INK}">'
            f"{_safe(_short(title, 80))}</text>"
        ),
        f'<rect x="{LEFT}" y="52" width="11" height="11" fill="{REAL}" fill-opacity=".55"/>',
        _text(LEFT + 16, 61, f"reference, {len(reference):,} rows", FAINT),
        (
            f'<rect x="{LEFT + 150}" y="52" width="11" height="11" fill="none" '
            f'stroke="{DRAWN}" stroke-width="2"/>'
        ),
        _text(LEFT + 166, 61, f"drawn, {len(drawn):,} rows", FAINT),
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
        lines.append(_text(LEFT, 82, " · ".join(figures), INK))
    return "".join(lines)


def _rows(
    panels: Sequence[str], columns: int, wide: float, high: float, top: float
) -> tuple[str, float]:
    """The panels in rows of so many from `top` down, and where they end."""
    placed = "".join(
        _at(LEFT + i % columns * (wide + GAP), top + i // columns * (high + GAP), panel)
        for i, panel in enumerate(panels)
    )
    return placed, top + -(-len(panels) // columns) * (high + GAP)


def _at(x: float, y: float, body: str) -> str:
    return f'<g transform="translate({x:.1f} {y:.1f})">{body}</g>'


def _panel(wide: float, title: str, note: str, body: str) -> str:
    return (
        f'<text y="12" font-weight="600" fill="{INK}">{_safe(_short(title, wide / 8))}</text>'
        f"{_text(wide, 12, note, FAINT, 'end')}{body}"
    )


def _marginal(drawn: Column, reference: Column, wide: float, high: float) -> str:
    """Bars of the reference, the outline of the draw over them."""
    if reference.kind == "category":
        labels, shares = _shares([reference, drawn])
        ends = (_short(labels[0], 14), _short(labels[-1], 14)) if len(labels) > 4 else ("", "")
        return _bars(shares, wide, high, labels if len(labels) <= 4 else [], ends)
    both = [c.values[~np.isnan(c.values)] for c in (reference, drawn)]
    known = np.concatenate(both)
    if not len(known):
        return _text(0, 40, "all missing", FAINT)
    low, top = float(known.min()), float(known.max())
    distinct = np.unique(known)
    if reference.kind != "float" and len(distinct) <= 30 and top - low <= 60:
        edges = np.arange(low - 0.5, top + 1.0)
    else:
        edges = np.linspace(low, top if top > low else low + 1, 31)
    shares = np.array([np.histogram(one, edges)[0] / max(len(one), 1) for one in both])
    return _bars(shares, wide, high, [], (_number(low, reference), _number(top, reference)))


def _bars(
    shares: Floats, wide: float, high: float, labels: Sequence[str], ends: tuple[str, str]
) -> str:
    floor, tall = high - 16, high - 38
    m = shares.shape[1]
    pitch, peak = wide / m, float(shares.max()) or 1.0
    heights = shares / peak * tall
    gap = 1.0 if pitch > 4 else 0.0
    bars = "".join(
        f'<rect x="{i * pitch:.1f}" y="{floor - h:.1f}" width="{pitch - gap:.1f}" '
        f'height="{h:.1f}"/>'
        for i, h in enumerate(heights[0])
    )
    line = "".join(
        f"{'M' if i == 0 else 'L'}{i * pitch:.1f} {floor - h:.1f}H{(i + 1) * pitch:.1f}"
        for i, h in enumerate(heights[1])
    )
    words = "".join(
        _text((i + 0.5) * pitch, floor + 13, _short(label, pitch / 7), FAINT, "middle")
        for i, label in enumerate(labels)
    )
    return (
        f'<g fill="{REAL}" fill-opacity=".55">{bars}</g>'
        f'<path d="{line}" fill="none" stroke="{DRAWN}" stroke-width="1.6"/>'
        f'<path d="M0 {floor:.1f}H{wide:.1f}" stroke="{RULE}"/>{words}'
        f"{_text(0, floor + 13, ends[0], FAINT)}{_text(wide, floor + 13, ends[1], FAINT, 'end')}"
    )


def _scatter(dots: Sequence[Table], one: str, other: str, wide: float, high: float) -> str:
    """Reference left, draw right, on the same axes."""
    margin, floor = 46.0, high - 16
    side, tall = (wide - margin - 10) / 2, floor - 20
    scales = [_scale([table.columns[name] for table in dots]) for name in (one, other)]
    (low, top), (left_end, right_end) = (
        _ends([table.columns[name] for table in dots]) for name in (other, one)
    )
    parts = [
        _text(margin - 5, floor, _short(low, 7), FAINT, "end"),
        _text(margin - 5, 29, _short(top, 7), FAINT, "end"),
    ]
    for i, colour in enumerate((REAL, DRAWN)):
        left = margin + i * (side + 10)
        x, y = scales[0][i], scales[1][i]
        there = ~(np.isnan(x) | np.isnan(y))
        # Few dots, or few places that hold them all, are drawn larger.
        size = 5.0 if len(np.unique(x[there])) < 50 else 2.8
        marks = "".join(
            f"M{left + 5 + a * (side - 10):.1f} {25 + (1 - b) * (tall - 10):.1f}h0"
            for a, b in zip(x[there], y[there], strict=True)
        )
        parts.append(
            f'<rect x="{left:.1f}" y="20" width="{side:.1f}" height="{tall:.1f}" '
            f'fill="none" stroke="{RULE}"/><path d="{marks}" stroke="{colour}" '
            f'stroke-width="{size}" stroke-linecap="round" stroke-opacity=".75" fill="none"/>'
            + _text(left, high - 2, _short(left_end, side / 15), FAINT)
            + _text(left + side, high - 2, _short(right_end, side / 15), FAINT, "end")
        )
    return "".join(parts)


def _ends(columns: Sequence[Column]) -> tuple[str, str]:
    """The smallest and the largest value of the columns as text."""
    every = np.concatenate([column.values for column in columns])
    if columns[0].kind == "category":
        known = sorted({value for value in every if value is not None})
        return (known[0], known[-1]) if known else ("", "")
    numbers = every[~np.isnan(every)]
    if not len(numbers):
        return "", ""
    return _number(numbers.min(), columns[0]), _number(numbers.max(), columns[0])


def _scale(columns: Sequence[Column]) -> list[Floats]:
    """Both columns as places from 0 to 1; categories evenly, a little spread."""
    if columns[0].kind == "category":
        known = sorted({v for column in columns for v in column.values if v is not None})
        place = {text: (i + 0.5) / len(known) for i, text in enumerate(known)}
        found = []
        for column in columns:
            # The golden ratio's multiples spread the dots of a category without chance.
            jitter = (np.arange(len(column.values)) * 0.6180339887498949 % 1 - 0.5) * 0.6
            at = np.array([np.nan if v is None else place[v] for v in column.values])
            found.append(at + jitter / max(len(known), 1))
        return found
    every = np.concatenate([column.values for column in columns])
    known_numbers = every[~np.isnan(every)]
    low, top = (known_numbers.min(), known_numbers.max()) if len(known_numbers) else (0.0, 1.0)
    return [(column.values - low) / ((top - low) or 1.0) for column in columns]


def _pairs(table: Table, names: Sequence[str], r: Floats) -> list[tuple[str, str]]:
    """The pairs with a number in them that hang together most."""
    ranked = sorted(
        ((-abs(r[i, j]), j, i) for i in range(len(names)) for j in range(i)),
    )
    numeric = [table.columns[name].kind != "category" for name in names]
    return [(names[j], names[i]) for _, j, i in ranked if numeric[i] or numeric[j]][:PAIRS]


def _matrices(names: Sequence[str], real: Floats, ours: Floats, top: float) -> tuple[str, float]:
    """Three squares of associations, reference, drawn, and how far apart; and where they end."""
    few = len(names) <= NAMED
    margin = 100.0 if few else 0.0
    pitch = (WIDTH - 2 * LEFT - margin + GAP) / 3
    size = min(pitch - GAP, 50.0 * len(names))
    cell = size / len(names)
    parts = [
        _text(LEFT + margin - 8, top + 22 + (i + 0.5) * cell, _short(name, 13), INK, "end")
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
        frame = f'<rect y="18" width="{size:.1f}" height="{size:.1f}" fill="none" stroke="{RULE}"/>'
        x = LEFT + margin + k * pitch
        parts.append(_at(x, top, _panel(pitch - GAP, title, "", body + frame)))
    order = "columns as the rows" if few else "in order: " + ", ".join(names)
    parts.append(_text(LEFT + margin, top + size + 34, _short(order, 150), FAINT))
    return "".join(parts), top + size + 34 + GAP


def _cell(x: float, y: float, size: float, value: float, full: float, pair: str) -> str:
    """A square shaded by its value, which stands in it where there is room."""
    shown = f"{round(value, 2) + 0.0:.2f}".replace("0.", ".", 1) if size >= 26 else ""
    ink = PAPER if abs(value) > 0.8 * full else INK
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{size:.2f}" height="{size:.2f}" '
        f'fill="{_shade(value / full)}"><title>{_safe(pair)}: {value:.3f}</title></rect>'
        + (_text(x + size / 2, y + size / 2 + 4, shown, ink, "middle") if shown else "")
    )


def _shade(value: float) -> str:
    """White at 0, orange towards 1, blue towards -1."""
    strength = min(1.0, abs(value))
    end = (217, 98, 43) if value >= 0 else (47, 111, 176)
    mixed = [round(255 + (channel - 255) * strength) for channel in end]
    return "#{:02x}{:02x}{:02x}".format(*mixed)


def _shares(columns: Sequence[Column]) -> tuple[list[str], Floats]:
    """Labels and shares (2, m) of the commonest values; the rest is one bar."""
    texts = [["(missing)" if v is None else str(v) for v in c.values] for c in columns]
    known, counts = np.unique(texts[0] + texts[1], return_counts=True)
    kept = sorted(known[np.argsort(-counts, kind="stable")][:BARS].tolist())
    labels = [*kept, "(others)"] if len(known) > len(kept) else kept
    index = {text: i for i, text in enumerate(kept)}
    shares = [
        np.bincount([index.get(t, len(kept)) for t in one], minlength=len(labels))
        / max(len(one), 1)
        for one in texts
    ]
    return labels, np.array(shares)


def _number(value: float, column: Column) -> str:
    if column.kind == "date":
        epoch = datetime.date(1970, 1, 1).toordinal()
        return datetime.date.fromordinal(epoch + round(value)).isoformat()
    return f"{value:,.0f}" if column.kind == "integer" else f"{value:.5g}"


def _text(x: float, y: float, text: str, colour: str, anchor: str = "start") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" text-anchor="{anchor}">{_safe(text)}</text>'
    )


def _safe(text: str) -> str:
    """Escaped; control characters, which no XML may hold, become the replacement character."""
    kept = "".join("\ufffd" if unicodedata.category(c) in ("Cc", "Cs") else c for c in text)
    return html.escape(kept)


def _short(text: str, room: float) -> str:
    """The text cut to so many Latin letters, CJK counted twice."""
    used = 0.0
    for i, letter in enumerate(text):
        used += 2 if unicodedata.east_asian_width(letter) in "WF" else 1
        if used > room:
            return text[: max(i - 1, 1)] + "…"
    return text
