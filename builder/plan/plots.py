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

from builder.plan import fidelity
from builder.plan.fidelity import Fidelity
from builder.plan.tables import Column, Table

Floats = NDArray[np.float64]
INK, FAINT, RULE, PAPER = "#1f2733", "#66707d", "#d5dae1", "#ffffff"
REAL, DRAWN = "#7c8796", "#d9622b"
MARGINALS, PAIRS, DOTS, BARS = 24, 6, 700, 12
"""The most panels of either kind, dots in a scatter, bars of a category."""
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
    likeness = {one.name: one for one in found.columns} if found else {}
    parts = [_head(title, drawn, reference, found)]
    top = 96.0
    columns, high = 4, 150.0
    wide = (WIDTH - 2 * LEFT - (columns - 1) * GAP) / columns
    for i, name in enumerate(shown):
        x, y = LEFT + (i % columns) * (wide + GAP), top + (i // columns) * (high + GAP)
        note = f"KS {likeness[name].ks:.3f}" if name in likeness else ""
        panel = _marginal(drawn.columns[name], reference.columns[name], wide, high)
        parts.append(_panel(x, y, wide, name, note, panel))
    top += -(-len(shown) // columns) * (high + GAP)
    if len(shown) < len(names):
        parts.append(_text(LEFT, top, f"and {len(names) - len(shown)} more columns", FAINT))
        top += 20
    wide, columns = (WIDTH - 2 * LEFT - 2 * GAP) / 3, 3
    for i, (one, other) in enumerate(pairs):
        x, y = LEFT + (i % columns) * (wide + GAP), top + (i // columns) * (210 + GAP)
        panel = _scatter(dots, one, other, wide, 210)
        parts.append(_panel(x, y, wide, f"{other} by {one}", "", panel))
    top += -(-len(pairs) // columns) * (210 + GAP)
    if len(names) > 1:
        parts.append(_matrices(names, real, ours, top))
        top += _side(names) + 44
    return _document(title, "".join(parts), top + GAP)


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
        figures = [f"KS {found.ks:.3f}", f"correlations off by {found.correlation:.3f}"]
        if found.auc is not None:
            figures.append(f"classifier AUC {found.auc:.3f} (0.5 best)")
        if found.closest is not None:
            figures.append(f"closest to the reference {found.closest:.2f} (0.5 best)")
        figures.append(f"copies {found.copies:.1%}")
        lines.append(_text(LEFT, 82, " · ".join(figures), INK))
    return "".join(lines)


def _panel(x: float, y: float, wide: float, title: str, note: str, body: str) -> str:
    return (
        f'<g transform="translate({x:.1f} {y:.1f})">'
        f'<text y="12" font-weight="600" fill="{INK}">{_safe(_short(title, wide / 8))}</text>'
        f'<text x="{wide:.1f}" y="12" text-anchor="end" fill="{FAINT}">{_safe(note)}</text>'
        f"{body}</g>"
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
    side, tall = (wide - 8) / 2, high - 34
    scales = [_scale([table.columns[name] for table in dots]) for name in (one, other)]
    parts = []
    for i, colour in enumerate((REAL, DRAWN)):
        left = i * (side + 8)
        x, y = scales[0][i], scales[1][i]
        there = ~(np.isnan(x) | np.isnan(y))
        marks = "".join(
            f"M{left + 3 + a * (side - 6):.1f} {17 + (1 - b) * (tall - 6) + 3:.1f}h0"
            for a, b in zip(x[there], y[there], strict=True)
        )
        parts.append(
            f'<rect x="{left:.1f}" y="17" width="{side:.1f}" height="{tall:.1f}" '
            f'fill="none" stroke="{RULE}"/><path d="{marks}" stroke="{colour}" '
            f'stroke-width="2.6" stroke-linecap="round" stroke-opacity="{(0.7, 0.45)[i]}" fill="none"/>'
            + _text(left, high - 4, "reference" if i == 0 else "drawn", FAINT)
        )
    return "".join(parts)


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


def _matrices(names: Sequence[str], real: Floats, ours: Floats, top: float) -> str:
    """Three squares of correlations: reference, drawn, and how far apart they are."""
    size = _side(names)
    pitch = (WIDTH - 2 * LEFT - 2 * GAP) / 3 + GAP
    cell = size / len(names)
    parts = []
    worst = float(np.abs(ours - real).max())
    kinds = [
        ("correlations, reference", real, 1.0),
        ("correlations, drawn", ours, 1.0),
        (f"difference ×5, at most {worst:.2f}", ours - real, 0.2),
    ]
    for k, (title, matrix, full) in enumerate(kinds):
        cells = "".join(
            f'<rect x="{j * cell:.1f}" y="{18 + i * cell:.1f}" width="{cell:.2f}" '
            f'height="{cell:.2f}" fill="{_shade(value / full)}"><title>'
            f"{_safe(names[i])} × {_safe(names[j])}: {value:.3f}</title></rect>"
            for i, row in enumerate(matrix.tolist())
            for j, value in enumerate(row)
        )
        frame = f'<rect y="18" width="{size:.1f}" height="{size:.1f}" fill="none" stroke="{RULE}"/>'
        parts.append(_panel(LEFT + k * pitch, top, pitch - GAP, title, "", cells + frame))
    order = "columns in order: " + ", ".join(names)
    parts.append(_text(LEFT, top + size + 36, _short(order, 150), FAINT))
    return "".join(parts)


def _side(names: Sequence[str]) -> float:
    """Pixels of a square's side: the width of a third of the page, for few columns less."""
    return min((WIDTH - 2 * LEFT - 2 * GAP) / 3, 40.0 * len(names))


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
