"""Numbers and dates as people write them: a column is read in a form only where all of it agrees.

A form rewrites a cell into the plain one that `cells` reads, `1.037,50` into `1037.50` and
`7.11.2024` into `2024-11-07`. The first form in which every cell can be read is the column's.
"""

from __future__ import annotations

import datetime
import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

from builder.table import cells
from builder.text import counted

LONGEST = 40  # Characters of the longest cell that is held against a form.
MIDNIGHT = r"(?:[T ](?:0{1,2}:00(?::00(?:\.0+)?)?|12:00(?::00)? AM)(?:Z|[+-]\d\d:?\d\d)?)?"
YEAR, MONTH, DAY = r"(?P<year>\d{4})", r"(?P<month>\d{1,2})", r"(?P<day>\d{1,2})"
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
NAMED = rf"(?P<named>{'|'.join(MONTHS)})[a-z]*\.?"
SPACES = "[ \u00a0\u202f\u2009’']"  # What parts thousands beside commas and dots.


class Form(NamedTuple):
    """A way to write numbers or dates."""

    means: str
    """What its cells are read as, in the words of a note."""
    plain: Callable[[object], object]
    """The cell rewritten, None for one that is not of this form."""


def _numbers(group: str, point: str) -> Callable[[object], object]:
    """Rewrites numbers whose thousands are parted by a `group` and whose fraction by a `point`."""
    # The last group has three digits and those before it two or three, as in 1,00,000.
    form = rf"[+-]?(?:[1-9]\d{{0,2}}(?:{group}\d{{2,3}})*{group}\d{{3}}|\d+)(?:{point}\d+)?"

    def plain(cell: object) -> object:
        if not isinstance(cell, str):
            return cell if cells.number(cell) is not None else None
        text = cell.strip()
        # A word, which has no digit, is held against no pattern: a table of words compiles none.
        if len(text) > LONGEST or not re.search(r"\d", text) or not re.fullmatch(form, text):
            return None
        number = re.sub(point, ".", re.sub(group, "", text))
        return number if cells.number(number) is not None else None

    return plain


def _dates(*patterns: str) -> Callable[[object], object]:
    """Rewrites dates that match one of these patterns, alone or with midnight behind them."""
    forms = [f"(?i:{pattern}{MIDNIGHT})" for pattern in patterns]

    def plain(cell: object) -> object:
        if isinstance(cell, datetime.datetime):
            return cell.date() if cell.time() == datetime.time() else None
        if isinstance(cell, datetime.date):
            return cell
        if not isinstance(cell, str) or len(cell) > LONGEST or not re.search(r"\d", cell):
            return None
        match = next((match for form in forms if (match := re.fullmatch(form, cell.strip()))), None)
        if match is None:
            return None
        parts = match.groupdict()
        month = parts.get("month") or MONTHS.index(parts["named"][:3].lower()) + 1
        date = f"{parts['year']}-{int(month):02}-{int(parts['day']):02}"
        return date if cells.days(date) is not None else None

    return plain


DAY_FIRST = _dates(rf"{DAY}[/-]{MONTH}[/-]{YEAR}")
MONTH_FIRST = _dates(rf"{MONTH}[/-]{DAY}[/-]{YEAR}")
NUMBERS = (
    Form("numbers with thousands separators", _numbers(",", r"\.")),
    Form("numbers with a decimal comma", _numbers(r"\.", ",")),
    Form("numbers with thousands separators", _numbers(SPACES, r"\.")),
    Form("numbers with a decimal comma", _numbers(SPACES, ",")),
)
DATES = (
    Form("dates", _dates(rf"{YEAR}(?P<mark>[-/.]){MONTH}(?P=mark){DAY}", f"{YEAR}年{MONTH}月{DAY}日")),
    Form("dates, the day first", _dates(rf"{DAY}\.{MONTH}\.{YEAR}")),
    Form("dates, the day first", DAY_FIRST),
    Form("dates, the month first", MONTH_FIRST),
    Form("dates, the month first", _dates(rf"{MONTH}\.{DAY}\.{YEAR}")),
    Form(
        "dates",
        _dates(rf"{DAY}[ -]{NAMED}[ -]{YEAR}", rf"{NAMED} {DAY},? {YEAR}"),
    ),
)  # fmt: skip


def agreed(values: Sequence[object]) -> Form | None:
    """The form in which every cell can be read that is not missing; None where no form is all's."""
    first = next((value for value in values if not cells.missing(value, cells.NOTHING)), None)
    for form in (*NUMBERS, *DATES):
        if form.plain(first) is not None and _holds(form, values):
            other = {DAY_FIRST: MONTH_FIRST}.get(form.plain)
            ambiguous = other is not None and _holds(Form("", other), values)
            return None if ambiguous else form
    return None


def _holds(form: Form, values: Sequence[object]) -> bool:
    return all(
        cells.missing(value, cells.NOTHING) or form.plain(value) is not None for value in values
    )


def remark(name: str, values: Sequence[object], form: Form | None) -> str:
    """What to say of a column of numbers or dates, in one line; nothing where all of it was plain."""
    notes: list[str] = []
    if form is not None:
        cell = next(v for v in values if not cells.missing(v, cells.NOTHING))
        notes.append(f"{form.means}, {str(cell)!r} is {form.plain(cell)}")
    words = [v for v in values if isinstance(v, str) and v and cells.missing(v, cells.NOTHING)]
    if words:
        listed = ", ".join(repr(word) for word in dict.fromkeys(words))
        notes.append(f"{listed} is missing in {counted(len(words), 'row')}")
    return f"column {name}: read as {'; '.join(notes)}" if notes else ""


def remark_on_words(name: str, values: Sequence[object], places: Sequence[str]) -> str:
    """What to say, in one line, of a column that was read as words though most of it looks like
    dates or numbers; `places` tells of each value where it stands."""
    rows = {row: v for row, v in enumerate(values) if not cells.missing(v, cells.NOTHING)}
    counts = Counter(value for value in rows.values() if len(str(value)) <= LONGEST)
    for alike, kind, known in (("dates", DATES, _dated), ("numbers", NUMBERS, _numbered)):
        likes = sum(count for value, count in counts.items() if known(value))
        if 2 * likes <= len(rows) or (kind is NUMBERS and any(map(cells.codelike, counts))):
            continue
        best = max(kind, key=lambda form: sum(form.plain(v) is not None for v in counts))
        odd = next((row for row, value in rows.items() if best.plain(value) is None), None)
        reason = "" if odd is not None else " whose day and month cannot be told apart"
        row = next(iter(rows)) if odd is None else odd
        return (
            f"column {name}: {counted(len(rows), 'value')} read as words, {likes:,} of them look "
            f"like {alike}{reason}; e.g. {places[row]}{str(rows[row])!r}"
        )
    return ""


def _dated(cell: object) -> bool:
    if isinstance(cell, datetime.date) or any(form.plain(cell) is not None for form in DATES):
        return True
    try:
        return bool(datetime.datetime.fromisoformat(str(cell))) and not str(cell).isdigit()
    except ValueError:
        return False


def _numbered(cell: object) -> bool:
    bare = cell.strip("€$£¥% ") if isinstance(cell, str) else cell
    return any(form.plain(bare) is not None for form in NUMBERS)
