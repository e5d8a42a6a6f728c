"""The lines of `draw`, read from a scenario."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from builder.errors import InputError, Place, nearest
from builder.project import axes
from builder.project.documents import Document, Path_
from builder.sampling import declared, samplers
from builder.sampling.sampler import Sampler
from builder.table import tables
from builder.table.tables import Table

EXAMPLES = "examples"
_OURS = ("table", "columns", "by", "column")


class Draw(NamedTuple):
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

    def texts(self) -> Iterator[tuple[str, str]]:
        """Columns of its table that hold numbers as texts, each with the cell that made them so."""
        for name in self.columns if self.table is not None else ():
            assert self.table is not None
            found = self.table.mixed(name)
            if found is not None:
                cell, place = found
                file = self.table.source.name if self.table.source else "its table"
                yield (
                    name,
                    f"{name!r} is a column of {file} that was read as text, for {cell!r} at {place} "
                    "is no number",
                )


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


class _Line(NamedTuple):
    document: Document
    path: Path_
    axis_names: Sequence[str]
    root: Path

    def fail(self, message: str, *more: Any, key: bool = False, hint: str = "") -> InputError:
        place = self.document.place((*self.path, *more), key=key)
        return InputError(message, place=place, hint=hint)

    def read(self, key: Any, spec: Any) -> Draw:
        known = [*samplers.names(), EXAMPLES]
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
            fitted = [name for name in known if name not in samplers.declared()]
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
            return samplers.sampler(name)
        except InputError as error:
            raise self.fail(error.message, key=True) from None

    def declared(self, column: str, spec: dict[str, Any]) -> Draw:
        known = [word for word in spec if word in samplers.names()]
        fitted = [word for word in known if self.sampler(word).fitted]
        named = [word for word in known if word not in fitted]
        if len(named) != 1:
            plain = samplers.declared()
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
        columns = self.listed(spec, table, [])
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
                hint=f"axes: {', '.join(self.axis_names) or 'none'}",
            )
        table.column(str(column), place=self.document.place((*self.path, "by", axis)))
        return str(axis), str(column)

    def listed(self, spec: dict[str, Any], table: Table, apart: list[str]) -> tuple[str, ...]:
        columns = spec.get("columns")
        if columns is None:
            columns = [name for name in table.columns if name not in apart]
        elif (
            not isinstance(columns, list)
            or not columns
            or not all(isinstance(c, str) for c in columns)
        ):
            raise self.fail(
                f"columns: expected a list of names, found {axes.shown(columns)}", "columns"
            )
        for number, name in enumerate(columns):
            table.column(name, place=self.document.place((*self.path, "columns", number)))
        tables.no_strays(table, columns)
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
