"""Axes, and the grid of combinations that crossing them gives.

An axis that depends on another (`{of: product.faults}`) is crossed within it, so the grid is
a product of blocks: single axes, or an axis with its dependants enumerated together. A
combination is a number in mixed radix over the blocks; none is ever listed in memory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from builder.errors import InputError, Place, nearest
from builder.project import documents, typos
from builder.project.documents import Document, Path_
from builder.table import tables

MAX_GRID = 10**7
LEAST_WEIGHT, MOST_WEIGHT = 1e-9, 1e9
_WEIGHT = "a positive number from 1e-9 to 1e9"


class Text(str):
    """A text value that carries the attributes the scenario gave it."""

    attributes: Mapping[str, Any]


class Whole(int):
    """An integer value that carries attributes."""

    attributes: Mapping[str, Any]


class Real(float):
    """A number that carries attributes."""

    attributes: Mapping[str, Any]


class Value(NamedTuple):
    """One value of an axis and how much of the rows it gets."""

    value: Any
    weight: float = 1.0


class Axis(NamedTuple):
    """A line of `vary`: its values, or where in another axis they stand."""

    name: str
    values: tuple[Value, ...]
    place: Place
    parent: str = ""
    by_parent: Mapping[Any, tuple[Value, ...]] | None = None

    @property
    def every(self) -> tuple[Value, ...]:
        """All values that it may take, whichever its parent has."""
        return self.values or tuple(v for vs in (self.by_parent or {}).values() for v in vs)

    @property
    def weighted(self) -> bool:
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
    """The axes as the file lists them."""

    @property
    def size(self) -> int:
        size = 1
        for block in self.blocks:
            size *= len(block.choices)
        return size

    def digits(self, index: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        """Per block, which choice each combination (n,) takes."""
        found: list[NDArray[np.int64]] = []
        rest = index
        for block in reversed(self.blocks):
            rest, digit = np.divmod(rest, len(block.choices))
            found.append(digit)
        return found[::-1]

    def combinations(self, index: NDArray[np.int64]) -> list[dict[str, Any]]:
        """One value per axis for each combination (n,), axes in the order of the file."""
        chosen: dict[str, list[Any]] = {}
        for block, digit in zip(self.blocks, self.digits(index), strict=True):
            picked = [block.choices[i] for i in digit.tolist()]
            for position, name in enumerate(block.names):
                chosen[name] = [choice[position] for choice in picked]
        if not chosen:
            return [{} for _ in range(len(index))]
        columns = [chosen[name] for name in self.order]
        return [dict(zip(self.order, values, strict=True)) for values in zip(*columns, strict=True)]


def cross(axes: Sequence[Axis]) -> Grid:
    """The grid of these axes. InputError where it has more than 10^7 combinations."""
    blocks = []
    for axis in axes:
        if not axis.parent:
            blocks.append(_block(axis, axes))
    grid = Grid(tuple(blocks), tuple(axis.name for axis in axes))
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
    queue = [axis.name]
    while queue:
        parent = queue.pop(0)
        position = names.index(parent)
        for child in axes:
            if child.parent != parent:
                continue
            names.append(child.name)
            queue.append(child.name)
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


def load(document: Document, vary: Mapping[str, Any], root: Path) -> list[Axis]:
    """The axes of a scenario. `root` bounds the files that they may name."""
    loaded: dict[str, Axis] = {}
    for name, spec in vary.items():
        reader = _Reader(document, ("vary", name), root)
        if not (isinstance(spec, dict) and isinstance(spec.get("of"), str)):
            loaded[name] = Axis(name, reader.values(spec), document.place(("vary", name), key=True))
    pending = {name: spec for name, spec in vary.items() if name not in loaded}
    while pending:
        ready = {n: s for n, s in pending.items() if s["of"].partition(".")[0] in loaded}
        if not ready:
            name, spec = next(iter(pending.items()))
            parent = spec["of"].partition(".")[0]
            place = document.place(("vary", name, "of"))
            if parent in pending:
                raise InputError(
                    f"{name!r} and {parent!r} are values of each other, so neither has any"
                    if parent != name
                    else f"{name!r} is of itself, so it has no values",
                    place=place,
                    hint="'of' names an axis that has its values without this one",
                )
            raise InputError(
                f"'of' names {parent!r}, which is no axis."
                f"{nearest(parent, [n for n in vary if n != name])}",
                place=place,
                hint=f"axes: {', '.join(vary)}",
            )
        for name, spec in ready.items():
            reader = _Reader(document, ("vary", name), root)
            loaded[name] = reader.dependent(name, spec, loaded)
            del pending[name]
    return [loaded[name] for name in vary]


class _Reader(NamedTuple):
    """Reads one axis, every slip with its place."""

    document: Document
    path: Path_
    root: Path

    def fail(self, message: str, *more: str | int, key: bool = False, hint: str = "") -> InputError:
        place = self.document.place((*self.path, *more), key=key)
        return InputError(message, place=place, hint=hint)

    def values(self, spec: Any) -> tuple[Value, ...]:
        if isinstance(spec, dict):
            if isinstance(spec.get("file"), str):
                return self.from_file(spec)
            if isinstance(spec.get("table"), str):
                return self.from_table(spec)
        return self.listed(spec, ())

    def listed(self, spec: Any, more: tuple[str | int, ...]) -> tuple[Value, ...]:
        """A list of scalars, or a mapping of value to weight or to attributes."""
        if isinstance(spec, list):
            found = [Value(self.scalar(v, (*more, i))) for i, v in enumerate(spec)]
            places: list[str | int] = list(range(len(spec)))
        elif isinstance(spec, dict):
            found = [self.weighed(key, value, more) for key, value in spec.items()]
            places = list(spec)
        else:
            raise self.fail(
                f"expected the values of an axis, found {shown(spec)}",
                *more,
                hint=typos.hint(spec)
                or "write a list [a, b], or a mapping of value to weight {a: 3, b: 1}",
            )
        if not found:
            raise self.fail("an axis has at least one value", *more)
        seen: dict[str, int] = {}
        for place, value in zip(places, found, strict=True):
            if repr(value.value) in seen:
                raise self.fail(f"the value {shown(value.value)} stands here again", *more, place)
            seen[repr(value.value)] = 1
        return tuple(found)

    def weighed(self, key: Any, value: Any, more: tuple[str | int, ...]) -> Value:
        if isinstance(value, dict):
            weight = value.get("weight", 1.0)
            self.weight(weight, key, (*more, key, "weight"))
            attributes = {name: v for name, v in value.items() if name != "weight"}
            for name in attributes:
                if not isinstance(name, str) or not name.isidentifier() or name.startswith("_"):
                    raise self.fail(
                        f"{name!r} is no name for an attribute",
                        *more,
                        key,
                        name,
                        key=True,
                    )
            return Value(self.carrying(key, attributes, (*more, key)), float(weight))
        self.weight(value, key, (*more, key))
        return Value(self.scalar(key, (*more, key)), float(value))

    def weight(self, weight: Any, key: Any, at: tuple[str | int, ...]) -> None:
        right = isinstance(weight, int | float) and not isinstance(weight, bool)
        if not right or not LEAST_WEIGHT <= weight <= MOST_WEIGHT:
            raise self.fail(
                f"the weight of {shown(key)} is {shown(weight)}, expected {_WEIGHT}",
                *at,
                hint="a list [a, b] gives equal weights" if weight is None else typos.hint(weight),
            )

    def carrying(self, value: Any, attributes: dict[str, Any], at: tuple[str | int, ...]) -> Any:
        self.scalar(value, at)
        kinds: dict[type, type[Text | Whole | Real]] = {
            str: Text,
            int: Whole,
            float: Real,
        }
        if type(value) not in kinds:
            raise self.fail(f"{shown(value)} cannot carry attributes", *at, hint="quote it")
        carrier = kinds[type(value)](value)
        carrier.attributes = attributes
        return carrier

    def scalar(self, value: Any, at: tuple[str | int, ...]) -> Any:
        if value is None or isinstance(value, dict | list):
            raise self.fail(
                f"expected a text or number as a value, found {shown(value)}",
                *at,
                hint="attributes are written {value: {attribute: …}}"
                if isinstance(value, dict)
                else "",
            )
        if isinstance(value, str) and not value.strip():
            raise self.fail("an axis value is empty", *at)
        path = (*self.path, *at)
        if at and isinstance(at[-1], int) and path not in self.document.quoted:
            documents.no_curly_quotes(value, self.document.place(path))
        return value

    def from_file(self, spec: dict[str, Any]) -> tuple[Value, ...]:
        self.only(spec, ("file",))
        path = inside(self.document, (*self.path, "file"), spec["file"], self.root)
        lines = [line.strip() for line in tables.read_text(path).split("\n")]
        found: dict[str, Value] = {}
        for number, line in enumerate(lines, 1):
            if line in found:
                raise InputError(f"{line!r} stands here again", place=Place(path, number, 1))
            if line:
                found[line] = Value(line)
        if not found:
            raise InputError("the file holds no value", place=Place(path, 1, 1))
        return tuple(found.values())

    def from_table(self, spec: dict[str, Any]) -> tuple[Value, ...]:
        self.only(spec, ("table", "value", "weight"))
        path = inside(self.document, (*self.path, "table"), spec["table"], self.root)
        table = tables.load(path, place=self.document.place((*self.path, "table")))
        name = str(spec.get("value", next(iter(table.columns))))
        place = self.document.place((*self.path, "value"))
        table.column(name, place=place)
        weight = spec.get("weight")
        if weight is not None:
            table.column(str(weight), place=self.document.place((*self.path, "weight")))
        found: list[Value] = []
        seen: set[str] = set()
        for number, record in enumerate(table.records()):
            value, w = record.pop(name), record.pop(str(weight), 1.0) if weight else 1.0
            where = table.place(number)
            if value is None or repr(value) in seen:
                what = "has no value here" if value is None else f"holds {value!r} again"
                raise InputError(f"the column {name!r} {what}", place=where)
            if not isinstance(w, int | float) or not LEAST_WEIGHT <= w <= MOST_WEIGHT:
                raise InputError(
                    f"the weight of {shown(value)} is {shown(w)}, expected {_WEIGHT}", place=where
                )
            seen.add(repr(value))
            attributes = {k: v for k, v in record.items() if k.isidentifier()}
            carried = self.carrying(value, attributes, ()) if attributes else value
            found.append(Value(carried, float(w)))
        return tuple(found)

    def dependent(self, name: str, spec: dict[str, Any], loaded: Mapping[str, Axis]) -> Axis:
        self.only(spec, ("of",))
        parent, _, attribute = spec["of"].partition(".")
        if not attribute:
            raise self.fail("'of' names an axis and its attribute: {of: product.faults}", "of")
        source = loaded[parent]
        values = tuple({repr(v.value): v for v in source.every}.values())
        within: dict[Any, tuple[Value, ...]] = {}
        for value in values:
            attributes = getattr(value.value, "attributes", {})
            if attribute not in attributes:
                raise self.fail(
                    f"the value {shown(value.value)} of {parent!r} has no attribute {attribute!r}."
                    f"{nearest(attribute, attributes)}",
                    "of",
                )
            reader = _Reader(self.document, ("vary", parent, value.value, attribute), self.root)
            within[value.value] = reader.listed(attributes[attribute], ())
        place = self.document.place(self.path, key=True)
        return Axis(name, (), place, parent=parent, by_parent=within)

    def only(self, spec: dict[str, Any], known: tuple[str, ...]) -> None:
        for word in spec:
            if word not in known:
                raise self.fail(
                    f"unknown word {word!r}, expected {', '.join(known)}.{nearest(str(word), known)}",
                    word,
                    key=True,
                )


def inside(document: Document, path: Path_, name: Any, root: Path) -> Path:
    """The file that a scenario names, relative to its own folder and within the project."""
    place = document.place(path)
    if not isinstance(name, str) or not name.strip():
        raise InputError(f"expected the path of a file, found {shown(name)}", place=place)
    found = document.file.parent / name
    real = found.resolve()
    if not real.is_relative_to(root.resolve()):
        raise InputError(f"{name!r} lies outside the project", place=place)
    if not real.is_file():
        siblings = [p.name for p in real.parent.glob("*")] if real.parent.is_dir() else []
        raise InputError(
            f"file {name!r} not found.{nearest(real.name, siblings)}",
            place=place,
            hint="paths are relative to the scenario's own folder",
        )
    return real


def shown(value: Any) -> str:
    """How an error names a value that a person wrote."""
    if value is None:
        return "nothing"
    if isinstance(value, dict | list):
        return "a mapping" if isinstance(value, dict) else "a list"
    return repr(str(value) if isinstance(value, str) else value)
