"""Cells of a table: which are numbers, which are missing, which stray among numbers."""

import datetime
import json
import re
from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal

import numpy as np

FEW = 10  # Numbers that a column must hold at least before a cell can stray among them.
SHARE = 0.9  # Share of its cells that must be numbers.
EPOCH = datetime.date(1970, 1, 1).toordinal()
# Words that people write where a number is missing, in small letters.
NOTHING = frozenset(("", "na", "n/a", "nan", "null", "none", "-"))

NUMBERLIKE = (str, bytes, int, float, Decimal, np.integer, np.floating)


def missing(cell: object, words: Collection[str] = ()) -> bool:
    """Whether a cell holds nothing: None, an empty text, NaN, or one of these words."""
    if isinstance(cell, str):
        return cell == "" or (bool(words) and cell.strip().casefold() in words)
    return cell is None or (isinstance(cell, float) and cell != cell)


def number(cell: object) -> float | None:
    """The number in a cell; None for whatever would not come back from it as it was written."""
    if isinstance(cell, bool | np.bool_) or not isinstance(cell, NUMBERLIKE):
        return None
    try:
        value = float(cell)
    except (ValueError, OverflowError):
        return None
    if isinstance(cell, str):
        # A code with a leading zero is a name, not a number, and so is 1_000.
        digits = cell.strip().lstrip("+-")
        if "_" in digits or (digits[:1] == "0" and digits[1:2].isdigit()):
            return None
    # A code of so many digits would come back as another one.
    if integral(cell) and (abs(value) > 2**53 or int(cell) != value):
        return None
    return value if np.isfinite(value) else None


def integral(cell: object) -> bool:
    """Whether a cell that holds a number holds a whole one."""
    if isinstance(cell, str):
        return cell.strip().lstrip("+-").isdigit()
    return isinstance(cell, int | np.integer)


def days(cell: object) -> float | None:
    """Days from 1970 to the date in a cell, None where it holds none."""
    if isinstance(cell, datetime.datetime):
        return None
    if isinstance(cell, datetime.date):
        return float(cell.toordinal() - EPOCH)
    if not isinstance(cell, str) or len(cell) != 10:
        return None
    try:
        return float(datetime.date.fromisoformat(cell).toordinal() - EPOCH)
    except ValueError:
        return None


def text(cell: object) -> str:
    """A cell as text; what cannot be written as such (NUL, halves of surrogate pairs) replaced."""
    return str(cell).replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def json_text(cell: object) -> str:
    """A cell as JSON text, what JSON has no word for as text within it."""
    return json.dumps(cell, ensure_ascii=False, default=text)


def flat(cell: object) -> str:
    """The text of a cell; of a list or mapping, the strings in it, one a line."""
    texts: list[str] = []
    parts = [cell]
    while parts:
        part = parts.pop()
        if isinstance(part, Mapping):
            parts.extend(reversed(list(part.values())))
        elif isinstance(part, list | tuple | np.ndarray):
            parts.extend(reversed(part))
        elif part is not None:
            texts.append(str(part))
    return "\n".join(texts)


def strays(values: Sequence[str | None]) -> list[int]:
    """The rows whose cells are no numbers in a column of numbers; none in a column of words, or
    of codes such as 007."""
    rows: list[int] = []
    numbers = 0
    for row, value in enumerate(values):
        if len(rows) > (1 - SHARE) * len(values):
            return []
        if missing(value, NOTHING):
            continue
        assert value is not None
        if number(value) is not None:
            numbers += 1
        elif codelike(value):
            return []
        else:
            rows.append(row)
    return rows if numbers >= max(FEW, SHARE * (numbers + len(rows))) else []


def repair(value: str) -> str:
    """What to write in place of a cell that strays among numbers."""
    quoted = "a text that is meant stands in double quotes"
    if len(numbers := re.findall(r"\d[\d,]*(?:\.\d+)?", value)) == 1:
        return f"a unit goes: write {numbers[0].replace(',', '')}; {quoted}"
    return f"write it in digits; where it is not known, leave the cell empty; {quoted}"


def codelike(value: object) -> bool:
    """Whether a text has the digits of a number and is none, as 007."""
    try:
        return isinstance(value, str) and number(value) is None and bool(np.isfinite(float(value)))
    except ValueError:
        return False
