"""The lines of `draw`: read from a scenario, fitted once, drawn for any cases in any chunks."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from builder.errors import InputError, Place, nearest
from builder.plan import axes, tables
from builder.plan.documents import Document, Path_
from builder.plan.samplers import declared, registry
from builder.plan.samplers.protocol import Arrays, Sampler
from builder.plan.spread import Source
from builder.plan.tables import Table

EXAMPLES = "examples"
FIT_VERSION = 1
"""Raised when a sampler learns something else from the same table."""
_OURS = ("table", "columns", "by", "column")


@dataclass(frozen=True, slots=True)
class Draw:
    """One line of `draw`."""

    sampler: str
    names: tuple[str, ...]
    """What the template sees: the columns, or the one name of the examples."""
    options: Mapping[str, Any]
    place: Place
    table: Table | None = None
    by: tuple[str, str] | None = None
    """Axis and column of the table that must agree."""
    in_dataset: bool = True

    @property
    def columns(self) -> tuple[str, ...]:
        """What may become columns of the dataset: few-shot examples never do."""
        return () if self.sampler == EXAMPLES else self.names


def load(
    document: Document, lines: Sequence[Any], axis_names: Sequence[str], root: Path
) -> list[Draw]:
    """The draws of a scenario. InputError with the place of what is wrong."""
    found = []
    for number, line in enumerate(lines):
        path: Path_ = ("draw", number)
        if not isinstance(line, dict) or len(line) != 1:
            raise InputError(
                f"expected a mapping of one key, found {axes.shown(line)}",
                place=document.place(path),
                hint="- patience: {uniform: [0, 1]}  or  - bootstrap: {table: tables/orders.csv}",
            )
        ((key, spec),) = line.items()
        found.append(_Line(document, (*path, key), axis_names, root).read(key, spec))
    return found


@dataclass(frozen=True, slots=True)
class _Line:
    document: Document
    path: Path_
    axis_names: Sequence[str]
    root: Path

    def fail(self, message: str, *more: Any, key: bool = False, hint: str = "") -> InputError:
        place = self.document.place((*self.path, *more), key=key)
        return InputError(message, place=place, hint=hint)

    def read(self, key: Any, spec: Any) -> Draw:
        known = [*registry.names(), EXAMPLES]
        if key == EXAMPLES:
            return self.examples(spec)
        if key in known:
            sampler = self.sampler(key)
            if sampler.fitted:
                return self.fitted(key, sampler, spec)
            raise self.fail(
                f"{key!r} is a distribution; a line begins with the column it fills",
                key=True,
                hint=f"- some_name: {{{key}: …}}",
            )
        if isinstance(spec, dict) and "table" in spec:
            fitted = [name for name in known if name not in registry.declared()]
            raise self.fail(
                f"there is no sampler {key!r}.{nearest(str(key), fitted)}",
                key=True,
                hint=f"samplers of tables: {', '.join(sorted(fitted))}",
            )
        if not isinstance(spec, dict):
            raise self.fail(
                f"the column {key!r} needs a sampler, found {axes.shown(spec)}.{nearest(str(key), known)}",
                hint=f"- {key}: {{uniform: [0, 1]}}",
            )
        return self.declared(key, spec)

    def sampler(self, name: str) -> type[Sampler]:
        try:
            return registry.sampler(name)
        except ImportError:
            raise self.fail(f"the sampler {name!r} is not supported yet", key=True) from None

    def declared(self, column: str, spec: dict[str, Any]) -> Draw:
        known = [word for word in spec if word in registry.names()]
        fitted = [word for word in known if self.sampler(word).fitted]
        named = [word for word in known if word not in fitted]
        if len(named) != 1:
            plain = registry.declared()
            strange = next((word for word in spec if word not in (*plain, *declared.BOUNDS)), None)
            message = f"the column {column!r} names {len(named) or 'no'} samplers, expected one"
            if fitted:
                message = f"{fitted[0]!r} fills several columns; it begins a line of its own"
            elif strange is not None and not named:
                message = f"there is no sampler {strange!r}.{nearest(str(strange), plain)}"
            raise self.fail(
                message,
                *([strange] if strange else []),
                key=True,
                hint=f"samplers: {', '.join(plain)}",
            )
        in_dataset = self.column(spec)
        for word in ("table", "by", "columns"):
            if word in spec:
                raise self.fail(f"{word!r} is for samplers that learn from a table", word, key=True)
        line = {word: value for word, value in spec.items() if word != "column"}
        options = self.declared_options(named[0], line)
        place = self.document.place(self.path, key=True)
        return Draw(named[0], (column,), options, place, in_dataset=in_dataset)

    def fitted(self, name: str, sampler: type[Sampler], spec: Any) -> Draw:
        table, by = self.table(name, spec)
        columns = self.listed(spec, table, [by[1]] if by else [])
        rest = {word: value for word, value in spec.items() if word not in _OURS}
        options = self.fitted_options(name, sampler, rest)
        return Draw(
            name, columns, options, self.document.place(self.path, key=True),
            table=table, by=by, in_dataset=self.column(spec),
        )  # fmt: skip

    def examples(self, spec: Any) -> Draw:
        known = ("table", "columns", "by", "n", "as")
        for word in spec if isinstance(spec, dict) else ():
            if word not in known:
                raise self.fail(
                    f"unknown word {word!r}.{nearest(str(word), known)}",
                    word,
                    key=True,
                    hint=f"words of examples: {', '.join(known)}",
                )
        table, by = self.table(EXAMPLES, spec)
        columns = self.listed(spec, table, [by[1]] if by else [])
        count, name = spec.get("n", 3), spec.get("as", "shots")
        if not isinstance(name, str) or not name.isidentifier() or name.startswith("_"):
            raise self.fail(f"as: {axes.shown(name)} is no name for a variable", "as")
        if not isinstance(count, int) or isinstance(count, bool) or count < 1:
            raise self.fail(f"n is {axes.shown(count)}, expected a whole number from 1", "n")
        return Draw(
            EXAMPLES, (name,), {"n": count, "columns": columns}, self.document.place(self.path, key=True),
            table=table, by=by, in_dataset=False,
        )  # fmt: skip

    def table(self, name: str, spec: Any) -> tuple[Table, tuple[str, str] | None]:
        hint = f"- {name}: {{table: tables/orders.csv, columns: [amount, waited_days]}}"
        if not isinstance(spec, dict):
            raise self.fail(f"{name} needs a table, found {axes.shown(spec)}", hint=hint)
        if "table" not in spec:
            near = next((word for word in spec if nearest(str(word), ["table"])), None)
            if near is None:
                raise self.fail(f"{name} needs a table", hint=hint)
            raise self.fail(f"unknown word {near!r}. Did you mean 'table'?", near, key=True)
        file = axes.inside(self.document, (*self.path, "table"), spec["table"], self.root)
        table = tables.load(file, place=self.document.place((*self.path, "table")))
        return table, self.by(spec, table)

    def by(self, spec: dict[str, Any], table: Table) -> tuple[str, str] | None:
        given = spec.get("by")
        if given is None:
            return None
        pair = (
            next(iter(given.items()))
            if isinstance(given, dict) and len(given) == 1
            else (given, given)
        )
        axis, column = pair
        if axis not in self.axis_names:
            raise self.fail(
                f"'by' names {axes.shown(axis)}, which is no axis.{nearest(str(axis), self.axis_names)}",
                "by",
            )
        table.column(str(column), place=self.document.place((*self.path, "by")))
        return str(axis), str(column)

    def listed(self, spec: dict[str, Any], table: Table, apart: list[str]) -> tuple[str, ...]:
        columns = spec.get("columns")
        if columns is None:
            return tuple(name for name in table.columns if name not in apart)
        if (
            not isinstance(columns, list)
            or not columns
            or not all(isinstance(c, str) for c in columns)
        ):
            raise self.fail(
                f"columns: expected a list of names, found {axes.shown(columns)}", "columns"
            )
        for number, name in enumerate(columns):
            table.column(name, place=self.document.place((*self.path, "columns", number)))
        return tuple(columns)

    def column(self, spec: dict[str, Any]) -> bool:
        wanted = spec.get("column", True)
        if not isinstance(wanted, bool):
            raise self.fail(f"column: expected true or false, found {axes.shown(wanted)}", "column")
        return wanted

    def declared_options(self, name: str, line: dict[str, Any]) -> dict[str, Any]:
        try:
            return self.sampler(name).options(declared.parse(line, name))
        except ValueError as error:
            beside = [(word,) for word in line if word != name]
            inside = [(name, word) for word in line[name]] if isinstance(line[name], dict) else []
            raise self.wrong_option(str(error), [*beside, *inside], name) from None

    def fitted_options(
        self, name: str, sampler: type[Sampler], given: dict[str, Any]
    ) -> dict[str, Any]:
        try:
            return sampler.options(given)
        except ValueError as error:
            message = str(error)
            near = next((word for word in given if nearest(str(word), _OURS)), None)
            if near is not None and "no option" in message:
                message = f"{name} has no option {near!r}.{nearest(str(near), _OURS)}"
            raise self.wrong_option(message, [(word,) for word in given]) from None

    def wrong_option(
        self, message: str, options: Sequence[tuple[Any, ...]], *otherwise: str
    ) -> InputError:
        """The error at the option that the message speaks of; where it names none, at `otherwise`."""
        said = re.sub(r" Did you mean .*| Its options.*", "", message)
        for path in options:
            if re.search(rf"(?<!\w){re.escape(str(path[-1]))}(?!\w)", said):
                strange = any(slip in said for slip in ("no option", "nothing beside", "twice"))
                return self.fail(message, *path, key=strange)
        return self.fail(message, *otherwise)


@dataclass(slots=True)
class Drawer:
    """Draws the values of a scenario's cases, its fits loaded or made as they are first needed."""

    draws: Sequence[Draw]
    source: Source
    fits: Path
    """The folder that keeps what samplers learned."""
    notes: list[str] = field(default_factory=list)
    """What was done otherwise than written, and why."""
    _learned: dict[tuple[int, Any], tuple[type[Sampler], Arrays]] = field(default_factory=dict)

    def draw(
        self,
        index: NDArray[np.int64],
        occurrence: NDArray[np.int32],
        combinations: Sequence[Mapping[str, Any]],
        redraw: int = 0,
    ) -> list[dict[str, Any]]:
        """For each of n cases, its drawn values by name."""
        made: list[dict[str, Any]] = [{} for _ in combinations]
        for number, draw in enumerate(self.draws):
            for value, rows in self._groups(draw, combinations):
                some = slice(None) if rows is None else rows
                self._fill(number, draw, value, made, index[some], occurrence[some], rows, redraw)
        return made

    def kinds(
        self,
        index: NDArray[np.int64],
        occurrence: NDArray[np.int32],
        combinations: Sequence[Mapping[str, Any]],
    ) -> dict[str, str]:
        """What each drawn column holds, seen on one case."""
        found: dict[str, str] = {}
        for number, draw in enumerate(self.draws):
            if draw.table is not None:
                found.update((name, draw.table.columns[name].kind) for name in draw.columns)
                continue
            sampler, arrays = self._arrays(number, draw, None)
            u = self.source.uniforms(index, occurrence, "", sampler.width(arrays))
            found[draw.names[0]] = sampler.draw(arrays, u)[""].kind
        return found

    def _groups(
        self, draw: Draw, combinations: Sequence[Mapping[str, Any]]
    ) -> list[tuple[Any, NDArray[np.int64] | None]]:
        if draw.by is None:
            return [(None, None)]
        groups: dict[Any, list[int]] = {}
        for row, combination in enumerate(combinations):
            groups.setdefault(combination[draw.by[0]], []).append(row)
        return [(value, np.array(rows)) for value, rows in groups.items()]

    def _fill(
        self, number: int, draw: Draw, value: Any, made: list[dict[str, Any]],
        index: NDArray[np.int64], occurrence: NDArray[np.int32],
        rows: NDArray[np.int64] | None, redraw: int,
    ) -> None:  # fmt: skip
        targets = made if rows is None else [made[row] for row in rows.tolist()]
        purpose = ",".join(draw.names)
        if draw.sampler == EXAMPLES:
            records = self._records(number, draw, value)
            count = draw.options["n"]
            u = self.source.uniforms(index, occurrence, purpose, count, redraw)
            for target, numbers in zip(targets, u.tolist(), strict=True):
                target[draw.names[0]] = _pick(records, numbers)
            return
        sampler, arrays = self._arrays(number, draw, value)
        u = self.source.uniforms(index, occurrence, purpose, sampler.width(arrays), redraw)
        drawn = sampler.draw(arrays, u)
        for name in draw.names:
            column = drawn[name if sampler.fitted else ""]
            for target, item in zip(targets, column.scalars(), strict=True):
                target[name] = item

    def _records(self, number: int, draw: Draw, value: Any) -> list[dict[str, Any]]:
        table = self._rows(draw, value).select(draw.options["columns"])
        if len(table) < draw.options["n"]:
            within = f" with {draw.by[1]} {axes.shown(value)}" if draw.by else ""
            raise InputError(
                f"{draw.options['n']} examples are asked for and the table has {len(table)} rows{within}",
                place=draw.place,
            )
        return list(table.records())

    def _rows(self, draw: Draw, value: Any) -> Table:
        assert draw.table is not None
        if draw.by is None:
            return draw.table
        column = draw.table.column(draw.by[1])
        cells = column.scalars()
        chosen = np.array([cell == value or str(cell) == str(value) for cell in cells])
        if not chosen.any():
            raise InputError(
                f"the table has no row whose {draw.by[1]} is {axes.shown(value)}, a value of {draw.by[0]!r}."
                f"{nearest(str(value), {str(cell) for cell in cells})}",
                place=draw.place,
            )
        return draw.table.take(chosen)

    def learned(self, draw: Draw) -> Arrays:
        """What the sampler of this line learned from its whole table."""
        return self._arrays(self.draws.index(draw), replace(draw, by=None), None)[1]

    def _arrays(self, number: int, draw: Draw, value: Any) -> tuple[type[Sampler], Arrays]:
        key = (number, value)
        if key not in self._learned:
            self._learned[key] = self._learn(draw, value)
        return self._learned[key]

    def _learn(self, draw: Draw, value: Any) -> tuple[type[Sampler], Arrays]:
        sampler = registry.sampler(draw.sampler)
        if not sampler.fitted:
            return sampler, sampler.fit(Table({}), draw.options, np.random.default_rng(0))
        table = self._rows(draw, value).select(draw.columns)
        try:
            return sampler, self._fit(draw.sampler, table, draw.options)
        except ValueError as error:
            if draw.by is None:
                raise InputError(str(error), place=draw.place) from None
            self.notes.append(
                f"{draw.by[1]} {axes.shown(value)}: {error}, so its {len(table)} rows are drawn "
                f"whole (bootstrap) instead of by {draw.sampler}"
            )
        whole = registry.sampler("bootstrap")
        return whole, self._fit("bootstrap", table, whole.options({}))

    def _fit(self, name: str, table: Table, options: Mapping[str, Any]) -> Arrays:
        """What a sampler learns from a table, kept under its digest. ValueError where it cannot."""
        content = [FIT_VERSION, name, table.digest(), dict(options)]
        digest = hashlib.blake2b(
            json.dumps(content, ensure_ascii=False, sort_keys=True, default=str).encode(),
            digest_size=16,
        )
        kept = self.fits / f"{digest.hexdigest()}.npz"
        arrays = _kept(kept)
        if arrays is None:
            rng = np.random.default_rng(int.from_bytes(digest.digest(), "big"))
            arrays = registry.sampler(name).fit(table, options, rng)
            _keep(kept, arrays)
        return arrays


def _pick(records: Sequence[dict[str, Any]], numbers: Sequence[float]) -> list[dict[str, Any]]:
    """As many different records as there are numbers: a partial Fisher-Yates shuffle."""
    places: dict[int, int] = {}
    chosen = []
    for taken, u in enumerate(numbers):
        at = taken + int(u * (len(records) - taken))
        chosen.append(records[places.get(at, at)])
        places[at] = places.get(taken, taken)
    return chosen


def _kept(file: Path) -> Arrays | None:
    if not file.is_file():
        return None
    try:
        content = file.read_bytes()
    except OSError:
        return None
    if hashlib.blake2b(content[:-16], digest_size=16).digest() != content[-16:]:
        return None  # torn or damaged: it is learned anew from the table
    with np.load(io.BytesIO(content[:-16]), allow_pickle=False) as held:
        return {name: held[name] for name in held.files}


def _keep(file: Path, arrays: Arrays) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        stream = io.BytesIO()
        np.savez(stream, allow_pickle=False, **arrays)
        content = stream.getvalue()
        part = file.with_suffix(f".{os.getpid()}.part")
        part.write_bytes(content + hashlib.blake2b(content, digest_size=16).digest())
        part.replace(file)
    except OSError:
        return  # a folder that cannot be written costs a fit each time, nothing else
