"""Cells of a table: which are numbers, which are missing, which stray among numbers."""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

FEW = 10
"""Numbers that a column must hold at least before a cell can stray among them."""
SHARE = 0.9
"""Share of its cells that must be numbers."""


def missing(value: Any) -> bool:
    """Whether a cell holds nothing."""
    return value is None or value == "" or (isinstance(value, float) and value != value)


def number(value: Any) -> float | None:
    """The number in a cell; None for whatever would not come back from it as it was written."""
    if isinstance(value, bool):
        return None
    try:
        found = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    if isinstance(value, str):
        # A code with a leading zero is a name, not a number, and so is 1_000.
        digits = value.strip().lstrip("+-")
        if "_" in digits or (digits[:1] == "0" and digits[1:2].isdigit()):
            return None
    # A code of so many digits would come back as another one.
    if integral(value) and abs(found) > 2**53:
        return None
    return found if np.isfinite(found) else None


def integral(value: Any) -> bool:
    """Whether a cell that holds a number holds a whole one."""
    if isinstance(value, int):
        return True
    return isinstance(value, str) and value.strip().lstrip("+-").isdigit()


def days(value: Any) -> float | None:
    """Days from 1970 to the date in a cell, None where it holds none."""
    if isinstance(value, datetime.datetime):
        return None
    epoch = datetime.date(1970, 1, 1).toordinal()
    if isinstance(value, datetime.date):
        return float(value.toordinal() - epoch)
    if not isinstance(value, str) or len(value) != 10:
        return None
    try:
        return float(datetime.date.fromisoformat(value).toordinal() - epoch)
    except ValueError:
        return None


def text(value: Any) -> str:
    """A cell as text; what cannot be written as such (NUL, halves of surrogate pairs) replaced."""
    return str(value).replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def strays(values: Sequence[str | None]) -> list[int]:
    """The rows whose cells are no numbers in a column of numbers; none in a column of words, or
    of codes such as 007."""
    odd: list[int] = []
    numbers = 0
    for row, value in enumerate(values):
        if len(odd) > (1 - SHARE) * len(values):
            return []
        if value is None:
            continue
        if number(value) is not None:
            numbers += 1
        elif _codelike(value):
            return []
        else:
            odd.append(row)
    return odd if numbers >= max(FEW, SHARE * (numbers + len(odd))) else []


def _codelike(value: str) -> bool:
    try:
        return bool(np.isfinite(float(value)))
    except ValueError:
        return False


def mend(value: str) -> str:
    """What to write in place of a cell that strays among numbers."""
    meant = "a text that is meant stands in double quotes"
    inner = re.findall(r"\d[\d,]*(?:\.\d+)?", value)
    if len(inner) == 1:
        return f"a unit goes: write {inner[0].replace(',', '')}; {meant}"
    return f"write it in digits; where it is not known, leave the cell empty; {meant}"
