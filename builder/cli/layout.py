"""Tables, values, prices and times on a terminal, as pure functions."""

import json
from collections.abc import Mapping, Sequence

from builder.text import cell, fit, visible, width

LABEL = 24  # columns up to which a value is a label; a longer one is a text


def table(heads: Sequence[str], rows: Sequence[Sequence[object]], *, widest: int = 40) -> str:
    """Aligned columns; numbers to the right."""
    texts = [[cell(value) for value in row] for row in rows]
    sizes = [
        min(widest, max(1, *(width(line[i]) for line in [heads, *texts])))
        for i in range(len(heads))
    ]  # fmt: skip
    right = [all(isinstance(row[i], int | float) for row in rows) for i in range(len(heads))]
    lines = []
    for line in (heads, *texts):
        cells = []
        for text, size, numeric in zip(line, sizes, right, strict=True):
            fitted = fit(text, size)
            cells.append(fitted.rstrip().rjust(size) if numeric else fitted)
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def fitted(
    heads: Sequence[str],
    rows: Sequence[Sequence[object]],
    terminal_columns: int,
    *,
    spared: Sequence[str],
) -> str:
    """A table that fits: without as many of the `spared` columns as need be, in this order; where
    that is too little, the first column is cut."""
    kept = list(range(len(heads)))
    text = table(heads, rows)
    for name in spared:
        if _widest(text) <= terminal_columns:
            return text
        kept.remove(heads.index(name))
        text = table([heads[i] for i in kept], [[row[i] for i in kept] for row in rows])
    names = [cell(row[0]) for row in [heads, *rows]]
    size = max(4, max(map(width, names)) - max(0, _widest(text) - terminal_columns))
    head, *cut = (
        [fit(name, size).rstrip(), *(row[i] for i in kept[1:])]
        for name, row in zip(names, [heads, *rows], strict=True)
    )
    return table(list(map(str, head)), cut)


def _widest(text: str) -> int:
    return max(map(width, text.split("\n")))


def sample(records: Sequence[Mapping[str, object]], terminal_columns: int) -> str:
    """Rows side by side as a table as wide as the terminal, half of it at least for long texts."""
    if not records:
        return "no rows"
    names = [
        name
        for name in records[0]
        if not name.startswith("_") and any(record.get(name) is not None for record in records)
    ]
    cells = [[readable(record.get(name)) for name in names] for record in records]
    wanted = [max(width(line[i]) for line in [names, *cells]) for i in range(len(names))]
    room = max(terminal_columns - 2 * (len(names) - 1), 8 * len(names))
    sizes = [min(size, room) for size in wanted]
    texts = [i for i, size in enumerate(wanted) if size > LABEL]
    labels = [i for i in range(len(names)) if i not in texts]
    while sum(sizes) > room:
        enough = sum(sizes[i] for i in texts) > room // 2
        sizes[max(texts if enough else labels, key=lambda i: sizes[i])] -= 1
    return "\n".join(
        "  ".join(fit(text, size) for text, size in zip(line, sizes, strict=True)).rstrip()
        for line in [names, ["─" * size for size in sizes], *cells]
    )


def readable(value: object) -> str:
    """A value as people read it: a text as it is, anything else as JSON."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return visible(text)


def rounded(number: int) -> str:
    """A count in at most five letters.

    >>> rounded(9_999), rounded(12_345), rounded(1_234_567)
    ('9999', '12.3 k', '1.2 M')
    """
    if number >= 1e6:
        return f"{number / 1e6:.1f} M"
    return f"{number / 1e3:.1f} k" if number >= 1e4 else str(number)


def duration(seconds: float) -> str:
    """A time in the unit that people would choose.

    >>> duration(89), duration(90), duration(5400)
    ('89 s', '2 min', '1.5 h')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
