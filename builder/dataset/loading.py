"""How `load_dataset` must read the files of a dataset to give back what was written.

Left to themselves, its readers take `NA` in CSV for a missing value and an ISO date in JSONL for a
moment that they write in another way. What a card says of each file's columns keeps them from it;
what no reader can tell apart is a line for people.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from pydantic import JsonValue

from builder.dataset import shapes
from builder.dataset.files import FORMULA, Layout
from builder.results.rows import Columns
from builder.table.tables import INTEGER, NUMBER, STRING, Kind
from builder.text import counted

# What Arrow's reader of JSON takes for a moment where all of a column is so.
MOMENT = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d.{0,30})?\Z")
# What may be read as a number or word of JSON, also by readers that are not strict.
BARE = re.compile(r"\s*(?:[-+]?\d*\.?\d*(?:[eE][-+]?\d+)?|-?[Ii]nf\w*|NaN|true|false|null)\s*\Z")
KEPT = Kind("kept")
EXACT = 2**53  # The largest whole number up to which a float holds every one.


class Loading:
    """What is seen of a dataset's columns as they are written, and what follows for its readers."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._seen: dict[str, set[str]] = {}
        self._formulas: Counter[str] = Counter()

    def add(self, columns: Columns) -> None:
        """Rows as they are written, in columns."""
        for name, kind in self._layout.shape.kinds.items():
            if self._layout.format == "jsonl":
                self._look_within(name, kind, columns[name])
            elif self._layout.format == "csv":
                self._look(name, kind, columns[name])

    def _look_within(self, path: str, kind: Kind, values: Sequence[object]) -> None:
        """Looks at the texts and numbers in values of JSON, by the path of where they stand."""
        if kind.of is not None:
            lists = (value for value in values if isinstance(value, list))
            self._look_within(f"{path}[]", kind.of, [part for parts in lists for part in parts])
        for name, inner in kind.fields:
            parts = [value.get(name) for value in values if isinstance(value, Mapping)]
            self._look_within(f"{path}.{name}", inner, parts)
        if kind == STRING:
            texts = [value for value in values if isinstance(value, str)]
            if texts and all(map(MOMENT.match, texts)):
                self._seen.setdefault(path, set()).add("moments")
            elif any(_is_json(text) for text in texts):
                self._seen.setdefault(path, set()).add("json")
        elif kind == NUMBER and any(isinstance(v, float) and _is_long(v) for v in values):
            self._seen.setdefault(path, set()).add("long")

    def _look(self, name: str, kind: Kind, values: Sequence[object]) -> None:
        seen = self._seen.setdefault(name, set())
        if None in values:
            seen.add("missing")
        if kind == STRING:
            if "" in values:
                seen.add("empty")
            texts = (value for value in values if isinstance(value, str))
            self._formulas[name] += sum(text.startswith(FORMULA) for text in texts)
        elif kind == INTEGER and any(isinstance(v, int) and abs(v) > EXACT for v in values):
            seen.add("large")

    def features(self) -> list[dict[str, JsonValue]]:
        """The columns as a card describes them to readers."""
        shape = self._layout.shape
        kinds = {name: self._kept(name, kind) for name, kind in shape.kinds.items()}
        flat = self._layout.format == "csv"
        return shapes.features_in_card(replace(shape, kinds=kinds), flat=flat)

    def _kept(self, path: str, kind: Kind) -> Kind:
        """The kind, its texts that would be taken for moments kept from it."""
        if self._seen.get(path) == {"moments"} and kind == STRING:
            return KEPT
        fields = tuple((name, self._kept(f"{path}.{name}", inner)) for name, inner in kind.fields)
        of = None if kind.of is None else self._kept(f"{path}[]", kind.of)
        return kind._replace(of=of, fields=fields)

    def options(self) -> dict[str, JsonValue]:
        """What a card tells the reader of CSV; nothing for other formats."""
        if self._layout.format != "csv":
            return {}
        missing: dict[str, JsonValue] = {
            name: [""]
            for name, seen in self._seen.items()
            if "missing" in seen and "empty" not in seen
        }
        # `\n` alone ends a line, so that a bare carriage return stays a part of its text.
        return {"keep_default_na": False, "na_values": missing, "lineterminator": "\n"}

    def notes(self) -> Iterator[str]:
        """What load_dataset cannot give back as it was, a line for each column."""
        formulas = {} if self._layout.raw else +self._formulas
        for name, count in formulas.items():
            yield (
                f"{name}: {counted(count, 'cell begins', 'cells begin')} with an apostrophe, so that "
                "no spreadsheet runs them; --raw leaves them as they are"
            )
        rereads = {"moments"} in self._seen.values()
        for name, seen in self._seen.items():
            if {"missing", "empty"} <= seen:
                yield f"{name}: CSV cannot tell a missing text from an empty one: both are read as empty"
            if {"missing", "large"} <= seen:
                yield (
                    f"{name}: beside missing values, CSV readers round whole numbers beyond 2^53; "
                    "Parquet and JSONL keep them"
                )
            if seen == {"moments", "json"}:
                yield (
                    f"{name}: JSONL readers may write its dates in another way; Parquet keeps them"
                )
            if "long" in seen and rereads:
                yield (
                    f"{name}: beside a column of dates, load_dataset rounds numbers of JSONL to ten "
                    "digits; Parquet keeps them"
                )


def _is_long(number: float) -> bool:
    """Whether ten digits, or ten decimals, are not enough for a number."""
    return float(f"{number:.10g}") != number or round(number, 10) != number


def _is_json(text: str) -> bool:
    """Whether a text can itself be read as JSON, in which case readers may do so."""
    if BARE.match(text):
        return True
    if not text.lstrip().startswith(("{", "[", '"')):
        return False
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
