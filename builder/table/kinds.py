"""What a column holds: one type for tables that are drawn from, rows that gates measure, and datasets."""

from __future__ import annotations

from typing import NamedTuple


class Kind(NamedTuple):
    """What a column holds.

    Of a dataset: string, integer, number, boolean, list (of one kind), struct (of named kinds), or
    json: a value of no fixed form, kept as JSON text. A table also knows dates and categories, and
    gates part what is not a number into text, category and id.
    """

    name: str
    of: Kind | None = None
    fields: tuple[tuple[str, Kind], ...] = ()

    def __str__(self) -> str:
        if self.of is not None:
            return f"list of {self.of}"
        if self.fields:
            return "{" + ", ".join(f"{name}: {kind}" for name, kind in self.fields) + "}"
        return self.name

    @property
    def code(self) -> str:
        """The word of digests, kept fits and the page of `draw`: it never changes."""
        return "float" if self == NUMBER else self.name


STRING, INTEGER, NUMBER, BOOLEAN, JSON, DATE, CATEGORY, TEXT, ID = (
    Kind(name)
    for name in (
        "string", "integer", "number", "boolean", "json", "date", "category", "text", "id",
    )
)  # fmt: skip
OF_CODE = {kind.code: kind for kind in (INTEGER, NUMBER, DATE, CATEGORY)}
