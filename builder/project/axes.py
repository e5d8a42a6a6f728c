"""Axes, and the grid of combinations that crossing them gives.

An axis that depends on another (`{of: product.faults}`) is crossed within it, so the grid is
a product of blocks: single axes, or an axis with its dependants enumerated together. A
combination is a number in mixed radix over the blocks; none is ever listed in memory.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from builder.errors import InputError, Place, nearest
from builder.project import carriers, documents, typos
from builder.project.documents import Data, Document, Step, describe, file_inside
from builder.project.lines import Line
from builder.table import reader, tables

MAX_GRID = 10**7
LEAST_WEIGHT, MOST_WEIGHT = 1e-9, 1e9
_SCALAR = {"type": ["string", "number", "boolean"]}
# One line of `vary`, as editors check it.
JSON_SCHEMA: Mapping[str, Any] = {
    "oneOf": [
        {"type": "array", "items": _SCALAR, "minItems": 1},
        {
            "type": "object",
            "minProperties": 1,
            "additionalProperties": {
                "oneOf": [
                    {"type": "number", "exclusiveMinimum": 0},
                    {"type": "object", "properties": {"weight": {"type": "number"}}},
                    {"type": "string"},
                ]
            },
        },
    ],
    "description": "values; {value: weight}; {value: {attribute: …}}; {file: …}; {table: …}; {of: axis.attribute}",
}


class Value(NamedTuple):
    """A value of an axis, and its weight: how much of the rows it gets."""

    value: Any
    weight: float = 1.0


class Axis(NamedTuple):
    """A line of `vary`: its values, or where in another axis they stand."""

    name: str
    values: tuple[Value, ...]
    place: Place
    parent: str = ""
    by_parent: Mapping[Any, tuple[Value, ...]] | None = None
    notes: tuple[str, ...] = ()  # how columns of its table were read that were not plain
    # The source whose rows list the values, which `parent` is the field of; then there are none yet.
    source: str = ""
    take: Mapping[str, str] = {}  # Attributes to names of the scenario, columns of their own.

    @property
    def every(self) -> tuple[Value, ...]:
        """All values that it may take, whichever its parent has."""
        return self.values or tuple(v for vs in (self.by_parent or {}).values() for v in vs)

    @property
    def weighted(self) -> bool:
        """Whether any of its values has a weight other than 1."""
        return any(value.weight != 1.0 for value in self.every)


class Block(NamedTuple):
    """Axes enumerated together: one tuple of values per choice, with the product of weights."""

    names: tuple[str, ...]
    choices: tuple[tuple[Any, ...], ...]
    weights: NDArray[np.float64]


class Grid(NamedTuple):
    """The cross product of blocks; the first varies slowest."""

    blocks: tuple[Block, ...]
    order: tuple[str, ...]

    @property
    def size(self) -> int:
        """The number of combinations."""
        return math.prod(len(block.choices) for block in self.blocks)

    def digits(self, index: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        """Per block, which choice each combination (n,) takes."""
        sizes = [len(block.choices) for block in self.blocks]
        return list(np.unravel_index(index, sizes)) if sizes else []

    def combinations(self, index: NDArray[np.int64]) -> list[dict[str, Any]]:
        """Mappings of axis to value, one for each combination (n,), axes in the order of the file."""
        chosen: dict[str, list[Any]] = {}
        for block, digit in zip(self.blocks, self.digits(index), strict=True):
            picked = [block.choices[i] for i in digit.tolist()]
            for position, name in enumerate(block.names):
                chosen[name] = [choice[position] for choice in picked]
        if not chosen:
            return [{} for _ in range(len(index))]
        rows = zip(*(chosen[name] for name in self.order), strict=True)
        return [dict(zip(self.order, values, strict=True)) for values in rows]


def cross(axes: Sequence[Axis]) -> Grid:
    """The grid of these axes. InputError where it has more than 10^7 combinations."""
    crossed = [axis for axis in axes if not axis.source]
    blocks = [_block(axis, crossed) for axis in crossed if not axis.parent]
    grid = Grid(tuple(blocks), tuple(axis.name for axis in crossed))
    if grid.size > MAX_GRID:
        sizes = ", ".join(f"{'·'.join(b.names)} {len(b.choices)}" for b in blocks)
        raise InputError(
            f"{grid.size:,} combinations; a grid has at most {MAX_GRID:,}",
            place=axes[0].place,
            hint=f"cut an axis, or draw it as a choice instead: {sizes}",
        )
    return grid


def _block(axis: Axis, axes: Sequence[Axis]) -> Block:
    names = [axis.name]
    rows: list[tuple[tuple[Any, ...], float]] = [((v.value,), v.weight) for v in axis.values]
    for position, parent in enumerate(names):  # which grows as children are found
        for child in (axis for axis in axes if axis.parent == parent):
            names.append(child.name)
            within = child.by_parent or {}
            rows = [
                ((*values, v.value), weight * v.weight)
                for values, weight in rows
                for v in within[values[position]]
            ]
            if len(rows) > MAX_GRID:
                raise InputError(f"more than {MAX_GRID:,} combinations", place=child.place)
    return Block(
        tuple(names),
        tuple(values for values, _ in rows),
        np.array([weight for _, weight in rows], dtype=np.float64),
    )


def load(
    document: Document, vary: Mapping[str, Data], root: Path, sources: Sequence[str] = ()
) -> list[Axis]:
    """The axes of a scenario. `root` bounds the files that they may name; `of` may name a list in
    the rows of the first of `sources`."""
    loaded: dict[str, Axis] = {}
    pending: dict[str, Mapping[str, Data]] = {}
    for name, spec in vary.items():
        if isinstance(spec, dict) and isinstance(spec.get("of"), str):
            parent, attribute = _origin(spec)
            if parent in sources and parent not in vary:
                line = _Line(document, ("vary", name), root)
                loaded[name] = line.of_source(spec, parent, attribute, sources[0])
            else:
                pending[name] = spec
        else:
            line = _Line(document, ("vary", name), root)
            values, notes = line.values(spec)
            place = document.place(("vary", name), key=True)
            take = (
                line.pairs(spec, "take", "{theirs: mine}")
                if isinstance(spec, dict) and "table" in spec
                else {}
            )
            loaded[name] = Axis(name, values, place, notes=notes, take=take)
    while pending:
        ready = {name: line for name, line in pending.items() if _origin(line)[0] in loaded}
        if not ready:
            raise _no_origin(document, vary, {n: _origin(line)[0] for n, line in pending.items()})
        for name, dependent in ready.items():
            loaded[name] = _Line(document, ("vary", name), root).dependent(dependent, loaded)
            del pending[name]
    return [loaded[name] for name in vary]


def _origin(spec: Mapping[str, Data]) -> tuple[str, str]:
    parent, _, attribute = str(spec["of"]).partition(".")
    return parent, attribute


def _no_origin(
    document: Document, vary: Mapping[str, Data], parents: Mapping[str, str]
) -> InputError:
    """The error of the first of these axes, none of which depends on an axis that has values."""
    name, parent = next(iter(parents.items()))
    place = document.place(("vary", name, "of"))
    if parent in parents:
        return InputError(
            f"{name!r} and {parent!r} are values of each other, so neither has any"
            if parent != name
            else f"{name!r} is of itself, so it has no values",
            place=place,
            hint="'of' names an axis that has its values without this one",
        )
    return InputError(
        f"'of' names {parent!r}, which is no axis."
        f"{nearest(parent, [axis for axis in vary if axis != name])}",
        place=place,
        hint=f"axes: {', '.join(vary)}",
    )


class _Line(Line):
    """Reads one line of `vary`, every error with its place."""

    def values(self, spec: Data) -> tuple[tuple[Value, ...], tuple[str, ...]]:
        """The values, and how columns of their table were read that were not plain."""
        if isinstance(spec, dict) and isinstance(spec.get("file"), str):
            return self.from_file(spec), ()
        if isinstance(spec, dict) and isinstance(spec.get("table"), str):
            return self.from_table(spec)
        return self.listed(spec), ()

    def listed(self, spec: Data) -> tuple[Value, ...]:
        """The values of a list of scalars, or of a mapping of value to weight or to attributes."""
        values: dict[Step, Value]
        if isinstance(spec, list):
            values = {i: Value(self.scalar(entry, i)) for i, entry in enumerate(spec)}
        elif isinstance(spec, dict):
            values = {key: self.weighted(key, entry) for key, entry in spec.items()}
        else:
            raise self.error(
                f"expected the values of an axis, found {describe(spec)}",
                hint=typos.hint(spec)
                or "write a list [a, b], or a mapping of value to weight {a: 3, b: 1}",
            )
        if not values:
            raise self.error("an axis has at least one value")
        seen: set[str] = set()
        for step, value in values.items():
            if repr(value.value) in seen:
                raise self.error(f"the value {describe(value.value)} stands here again", step)
            seen.add(repr(value.value))
        return tuple(values.values())

    def weighted(self, key: Step, spec: Data) -> Value:
        """The value `key` with its weight, and with its attributes where it has any."""
        if not isinstance(spec, dict):
            weight = _weight(spec, key, self.place(key), _weight_hint(spec))
            return Value(self.scalar(key, key), weight)
        written = spec.get("weight", 1.0)
        weight = _weight(written, key, self.place(key, "weight"), _weight_hint(written))
        attributes = {name: value for name, value in spec.items() if name != "weight"}
        for name in attributes:
            if not isinstance(name, str) or not name.isidentifier() or name.startswith("_"):
                raise self.error(f"{name!r} is no name for an attribute", key, name, key=True)
        return Value(self.carrier(key, attributes, key), weight)

    def carrier(
        self, value: Data, attributes: Mapping[str, Data], *steps: Step
    ) -> carriers.Carrier:
        if (carrier := carriers.carrier(self.scalar(value, *steps), attributes)) is None:
            raise self.error(f"{describe(value)} cannot carry attributes", *steps, hint="quote it")
        return carrier

    def scalar(self, value: Data, *steps: Step) -> str | int | float:
        """The value, which is a text or number; its curly quotes are an error."""
        if value is None or isinstance(value, dict | list):
            raise self.error(
                f"expected a text or number as a value, found {describe(value)}",
                *steps,
                hint="attributes are written {value: {attribute: …}}"
                if isinstance(value, dict)
                else "",
            )
        if isinstance(value, str) and not value.strip():
            raise self.error("an axis value is empty", *steps)
        path = (*self.path, *steps)
        if steps and isinstance(steps[-1], int) and path not in self.document.quoted:
            documents.no_curly_quotes(value, self.document.place(path))
        return value

    def from_file(self, spec: Mapping[str, Data]) -> tuple[Value, ...]:
        self.no_unknown_words(spec, ("file",))
        path = file_inside(self.document, (*self.path, "file"), spec["file"], self.root)
        values: dict[str, Value] = {}
        for number, text in enumerate(reader.read_text(path).split("\n"), 1):
            line = text.strip()
            if line in values:
                raise InputError(f"{line!r} stands here again", place=Place(path, number, 1))
            if line:
                values[line] = Value(line)
        if not values:
            raise InputError("the file holds no value", place=Place(path, 1, 1))
        return tuple(values.values())

    def from_table(self, spec: Mapping[str, Data]) -> tuple[tuple[Value, ...], tuple[str, ...]]:
        """A value for each row of a table, the other columns its attributes; and what is to be
        said of how they were read."""
        self.no_unknown_words(spec, ("table", "value", "weight", "take"))
        path = file_inside(self.document, (*self.path, "table"), spec["table"], self.root)
        table = tables.load(path, place=self.place("table"))
        for number, name in enumerate(self.pairs(spec, "take", "{theirs: mine}")):
            table.column(name, place=self.place("take", number))
        column = str(spec.get("value", next(iter(table.columns))))
        table.column(column, place=self.place("value"))
        if (weights := spec.get("weight")) is not None:
            table.column(str(weights), place=self.place("weight"))
        values: dict[str, Value] = {}
        for number, record in enumerate(table.records()):
            value = record.pop(column)
            written = 1.0 if weights is None else record.pop(str(weights), 1.0)
            place = table.place(number)
            if value is None or repr(value) in values:
                problem = "has no value here" if value is None else f"holds {value!r} again"
                raise InputError(f"the column {column!r} {problem}", place=place)
            weight = _weight(written, value, place)
            attributes = {name: cell for name, cell in record.items() if name.isidentifier()}
            if isinstance(value, list | dict):
                message = f"expected a text or number as a value, found {describe(value)}"
                raise InputError(message, place=place)
            # True and false carry nothing; the words for them do.
            carrying = str(value) if isinstance(value, bool) else value
            carrier = self.carrier(carrying, attributes) if attributes else value
            values[repr(value)] = Value(carrier, weight)
        return tuple(values.values()), table.remarks(table.columns)

    def of_source(self, spec: Mapping[str, Data], source: str, attribute: str, first: str) -> Axis:
        """The axis whose values stand in a list of each row of the first source."""
        self.no_unknown_words(spec, ("of",))
        if source != first or not attribute:
            raise self.error(f"'of' names a list of the first source: {{of: {first}.topics}}", "of")
        return Axis(str(self.path[-1]), (), self.place("of"), attribute, source=source)

    def dependent(self, spec: Mapping[str, Data], loaded: Mapping[str, Axis]) -> Axis:
        """The axis whose values stand in an attribute of another's."""
        self.no_unknown_words(spec, ("of",))
        origin, attribute = _origin(spec)
        if not attribute:
            raise self.error("'of' names an axis and its attribute: {of: product.faults}", "of")
        parent = loaded[origin]
        within: dict[Any, tuple[Value, ...]] = {}
        for value in {repr(value.value): value.value for value in parent.every}.values():
            attributes = carriers.attributes(value)
            if attribute not in attributes:
                raise self.error(
                    f"the value {describe(value)} of {parent.name!r} has no attribute {attribute!r}."
                    f"{nearest(attribute, attributes)}",
                    "of",
                )
            line = self._replace(path=("vary", parent.name, value, attribute))
            within[value] = line.listed(attributes[attribute])
        return Axis(str(self.path[-1]), (), self.place(key=True), parent.name, within)

    def no_unknown_words(self, spec: Mapping[str, Data], known: tuple[str, ...]) -> None:
        for word in spec:
            if word not in known:
                raise self.error(
                    f"unknown word {word!r}, expected {', '.join(known)}.{nearest(str(word), known)}",
                    word,
                    key=True,
                )


def _weight(weight: Data, value: Data, place: Place, hint: str = "") -> float:
    if (
        isinstance(weight, bool)
        or not isinstance(weight, int | float)
        or not LEAST_WEIGHT <= weight <= MOST_WEIGHT
    ):
        raise InputError(
            f"the weight of {describe(value)} is {describe(weight)}, expected a positive number "
            "from 1e-9 to 1e9",
            place=place,
            hint=hint,
        )
    return float(weight)


def _weight_hint(weight: Data) -> str:
    return "a list [a, b] gives equal weights" if weight is None else typos.hint(weight)
