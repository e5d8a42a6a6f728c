"""What every verb gives back: a short repr, a table for notebooks, a data frame."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas

SHOWN = 20  # records that a notebook shows
LETTERS = 200  # letters of a value that a notebook shows


class Result(ABC):
    """The result of a verb: `summary` in one line and `records`, one flat mapping a line."""

    __slots__ = ()

    @abstractmethod
    def summary(self) -> str:
        """One line: what came out."""

    @abstractmethod
    def records(self) -> Iterable[Mapping[str, object]]:
        """Flat records of the same keys, read anew by every call."""

    def to_pandas(self) -> "pandas.DataFrame":
        """The records as a data frame."""
        import pandas

        return pandas.DataFrame.from_records(list(self.records()))

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.summary()}>"

    def _repr_html_(self) -> str:
        return html_table(list(islice(self.records(), SHOWN)), self.summary())


def html_table(records: Iterable[Mapping[str, object]], caption: str) -> str:
    """The HTML of a table: a column for each key of the first record, long values cut.

    >>> html_table([{"a": "<b>"}], "one row")
    '<table><caption>one row</caption><tr><th>a</th></tr><tr><td>&lt;b&gt;</td></tr></table>'
    """
    import html  # for notebooks alone

    rows = list(records)
    names = list(rows[0]) if rows else []
    lines = [("th", names), *(("td", [_cell(row.get(name)) for name in names]) for row in rows)]
    body = "".join(
        f"<tr>{''.join(f'<{tag}>{html.escape(text)}</{tag}>' for text in texts)}</tr>"
        for tag, texts in lines
        if texts
    )
    return f"<table><caption>{html.escape(caption)}</caption>{body}</table>"


def _cell(value: object) -> str:
    text = "" if value is None else str(value)
    return text if len(text) <= LETTERS else text[: LETTERS - 1] + "…"
