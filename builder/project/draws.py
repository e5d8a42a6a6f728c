"""The lines of `draw`, read from a scenario."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from builder.errors import InputError, Place, nearest
from builder.project.documents import Data, Document, KeyPath, Step, describe, file_inside
from builder.project.sources import Source
from builder.table import tables

EXAMPLES = "examples"
# Where rows may come from that are drawn: tables, and rows that are made here.
_ROWS = ("scenario", "dataset")
_OURS = ("table", *_ROWS, "columns", "by", "column")
_OF_EXAMPLES = ("table", *_ROWS, "columns", "by", "n", "as")
# The samplers that draw from rows made here.
OF_ROWS = (EXAMPLES, "bootstrap", "choice")
_OF_CHOICE = (*_ROWS, "column", "by")
# One line of `draw`, as editors check it.
JSON_SCHEMA: Mapping[str, Any] = {"type": "object", "minProperties": 1, "maxProperties": 1}


class Options(Protocol):
    """A sampler as the reader of `draw` knows it: by its options, ValueError for wrong ones."""

    @property
    def fitted(self) -> bool:
        """Whether it learns from a table."""

    def options(self, given: Any, /) -> dict[str, Any]:
        """The options in full from what stands after the sampler's name."""


class Samplers(Protocol):
    """The samplers that a scenario may name; `builder.sampling.samplers` is one such."""

    def names(self) -> list[str]:
        """Every sampler, sorted."""

    def declared(self) -> list[str]:
        """The built-in distributions, which need no table."""

    def bounds(self) -> Sequence[str]:
        """The options that may stand beside a distribution's name."""

    def sampler(self, name: str, /) -> Options:
        """The sampler of that name. ImportError where its package is not there."""

    def declared_options(self, line: Mapping[str, Any], name: str, /) -> dict[str, Any]:
        """The options of a distribution from its whole line: `{normal: [10, 2], min: 0}`."""


class Draw(NamedTuple):
    """A line of `draw`: the sampler, its options, and the variables that it fills."""

    sampler: str
    # Variables of the template: the columns, or the one name of the examples.
    names: tuple[str, ...]
    options: Mapping[str, Any]
    place: Place
    table: tables.Table | None = None
    by: tuple[str, str] | None = None  # axis and column of the table that must agree
    in_dataset: bool = True
    source: Source | None = None  # The rows that it draws from in place of a table.

    @property
    def columns(self) -> tuple[str, ...]:
        """The names that may become columns of the dataset: few-shot examples never do."""
        return () if self.sampler == EXAMPLES else self.names

    def remarks(self) -> tuple[str, ...]:
        """How columns of its table were read that were not plain, a line each."""
        used = (*self.options.get("columns", self.names), *(self.by or ())[1:])
        return self.table.remarks(used) if self.table is not None else ()

    def texts(self) -> Iterator[tuple[str, str]]:
        """Columns of its table that hold numbers as texts, each with the cell that made them so."""
        if self.table is None or self.table.source is None:
            return
        for name in self.columns:
            if odd := self.table.mixed(name):
                yield (
                    name,
                    f"{name!r} is a column of {self.table.source.name} that was read as text, for "
                    f"{odd[0]!r} at {odd[1]} is no number",
                )


def upstream(lines: Sequence[Data]) -> Iterator[tuple[str, str]]:
    """Kind and target of each source of rows that lines of `draw` draw from."""
    written = [spec for line in lines if isinstance(line, dict) for spec in line.values()]
    written += [spec["choice"] for spec in written if isinstance(spec, dict) and "choice" in spec]
    for spec in written:
        for kind in _ROWS if isinstance(spec, dict) else ():
            if isinstance(spec, dict) and isinstance(target := spec.get(kind), str):
                yield kind, target


def load(
    document: Document,
    lines: Sequence[Data],
    axis_names: Sequence[str],
    root: Path,
    samplers: Samplers,
) -> list[Draw]:
    """The draws of a scenario. InputError with the place of what is wrong."""
    draws = []
    for number, line in enumerate(lines):
        path: KeyPath = ("draw", number)
        if not isinstance(line, dict) or len(line) != 1:
            raise InputError(
                f"expected a mapping of one key, found {describe(line)}",
                place=document.place(path),
                hint="- patience: {uniform: [0, 1]}  or  - bootstrap: {table: tables/orders.csv}",
            )
        ((key, spec),) = line.items()
        draws.append(_Line(document, (*path, key), axis_names, root, samplers).read(key, spec))
    return draws


class _Line(NamedTuple):
    """Reads one line of `draw`, every error with its place."""

    document: Document
    path: KeyPath
    axis_names: Sequence[str]
    root: Path
    samplers: Samplers

    @property
    def place(self) -> Place:
        return self.document.place(self.path, key=True)

    def error(self, message: str, *steps: Step, key: bool = False, hint: str = "") -> InputError:
        return InputError(
            message, place=self.document.place((*self.path, *steps), key=key), hint=hint
        )

    def read(self, key: str, spec: Data) -> Draw:
        known = [*self.samplers.names(), EXAMPLES]
        if key == EXAMPLES:
            return self.examples(spec)
        if key in known:
            if (sampler := self.sampler(key)).fitted:
                return self.fitted(key, sampler, spec)
            raise self.error(
                f"{key!r} is a distribution; a line begins with the column it fills",
                key=True,
                hint=f"- some_name: {{{key}: …}}",
            )
        if isinstance(spec, dict) and "table" in spec:
            fitted = [name for name in known if name not in self.samplers.declared()]
            raise self.error(
                f"there is no sampler {key!r}.{nearest(str(key), fitted)}",
                key=True,
                hint=f"samplers of tables: {', '.join(sorted(fitted))}",
            )
        if not isinstance(spec, dict):
            raise self.error(
                f"the column {key!r} needs a sampler, found {describe(spec)}.{nearest(str(key), known)}",
                hint=f"- {key}: {{uniform: [0, 1]}}",
            )
        return self.declared(key, spec)

    def sampler(self, name: str) -> Options:
        try:
            return self.samplers.sampler(name)
        except InputError as error:
            raise self.error(error.message, key=True) from None

    def declared(self, column: str, spec: Mapping[str, Data]) -> Draw:
        name = self.distribution(column, spec)
        in_dataset = self.in_dataset(spec)
        chosen = spec.get("choice")
        if isinstance(chosen, dict) and any(word in chosen for word in _ROWS):
            inner_line = self._replace(path=(*self.path, "choice"))
            draw = inner_line.of_rows("choice", chosen)
            return draw._replace(names=(column,), in_dataset=in_dataset)
        for word in ("table", "by", "columns"):
            if word in spec:
                raise self.error(
                    f"{word!r} is for samplers that learn from a table", word, key=True
                )
        line = {word: value for word, value in spec.items() if word != "column"}
        try:
            options = self.samplers.declared_options(line, name)
        except ValueError as error:
            inner = line[name]
            paths: list[KeyPath] = [(word,) for word in line if word != name]
            paths += [(name, word) for word in inner] if isinstance(inner, dict) else []
            raise self.option_error(str(error), paths, name) from None
        return Draw(name, (column,), options, self.place, in_dataset=in_dataset)

    def distribution(self, column: str, spec: Mapping[str, Data]) -> str:
        """The one sampler of a line that needs no table."""
        names = [word for word in spec if word in self.samplers.names()]
        fitted = [word for word in names if self.sampler(word).fitted]
        distributions = [word for word in names if word not in fitted]
        if len(distributions) == 1:
            return distributions[0]
        known = self.samplers.declared()
        unknown = next(
            (word for word in spec if word not in (*known, *self.samplers.bounds())), None
        )
        message = f"the column {column!r} names {len(distributions) or 'no'} samplers, expected one"
        if fitted:
            message = f"{fitted[0]!r} fills several columns; it begins a line of its own"
        elif unknown is not None and not distributions:
            message = f"there is no sampler {unknown!r}.{nearest(str(unknown), known)}"
        step = (unknown,) if unknown else ()
        raise self.error(message, *step, key=True, hint=f"samplers: {', '.join(known)}")

    def fitted(self, name: str, sampler: Options, spec: Data) -> Draw:
        if isinstance(spec, dict) and any(word in spec for word in _ROWS):
            return self.of_rows(name, spec)
        words, table, by = self.table(name, spec)
        columns = self.listed(words, table, [by[1]] if by else [])
        given = {word: value for word, value in words.items() if word not in _OURS}
        try:
            options = sampler.options(given)
        except ValueError as error:
            message = str(error)
            near = next((word for word in given if nearest(str(word), _OURS)), None)
            if near is not None and "no option" in message:
                message = f"{name} has no option {near!r}.{nearest(str(near), _OURS)}"
            raise self.option_error(message, [(word,) for word in given]) from None
        return Draw(name, columns, options, self.place, table, by, self.in_dataset(words))

    def examples(self, spec: Data) -> Draw:
        for word in spec if isinstance(spec, dict) else ():
            if word not in _OF_EXAMPLES:
                raise self.error(
                    f"unknown word {word!r}.{nearest(str(word), _OF_EXAMPLES)}",
                    word,
                    key=True,
                    hint=f"words of examples: {', '.join(_OF_EXAMPLES)}",
                )
        if isinstance(spec, dict) and any(word in spec for word in _ROWS):
            return self.of_rows(EXAMPLES, spec)
        words, table, by = self.table(EXAMPLES, spec)
        count, name = self.shots(words)
        options = {"n": count, "columns": self.listed(words, table, [])}
        return Draw(EXAMPLES, (name,), options, self.place, table, by, in_dataset=False)

    def of_rows(self, name: str, spec: Mapping[str, Data]) -> Draw:
        """A line that draws from rows made here: few-shots, or whole rows' fields."""
        if name not in OF_ROWS:
            raise self.error(
                f"{name} learns from a table; rows made here are drawn by {' or '.join(OF_ROWS)}",
                next(word for word in _ROWS if word in spec),
                key=True,
            )
        kind = next(word for word in _ROWS if word in spec)
        target, by = spec[kind], self.by_axis(spec)
        if not isinstance(target, str) or "table" in spec or len({*_ROWS} & spec.keys()) > 1:
            raise self.error(f"{name} names one source: {kind}: NAME", kind)
        for word in spec:
            known = {EXAMPLES: _OF_EXAMPLES, "choice": _OF_CHOICE}.get(name, _OURS)
            if word not in known:
                raise self.error(
                    f"unknown word {word!r}.{nearest(str(word), known)}", word, key=True
                )
        listed = [spec.get("column")] if name == "choice" else spec.get("columns", [])
        columns = [c for c in listed if isinstance(c, str)] if isinstance(listed, list) else []
        if not columns and (name != EXAMPLES or "columns" in spec):
            word = (
                "column: expected a name"
                if name == "choice"
                else "columns: expected a list of names"
            )
            written = spec.get("column" if name == "choice" else "columns")
            raise self.error(f"{word}, found {describe(written)}", kind, key=True)
        source = Source(
            kind, "scenario" if kind == "scenario" else "dataset", target,
            self.document.place((*self.path, kind)),
        )  # fmt: skip
        if name == EXAMPLES:
            count, variable = self.shots(spec)
            options = {"n": count, "columns": tuple(columns)}
            return Draw(name, (variable,), options, self.place, None, by, False, source)
        if name == "choice":
            options = {"columns": tuple(columns)}
            return Draw(name, (), options, self.place, None, by, True, source)
        in_dataset = self.in_dataset(spec)
        return Draw(name, tuple(columns), {}, self.place, None, by, in_dataset, source)

    def by_axis(self, words: Mapping[str, Data]) -> tuple[str, str] | None:
        """Axis and field of the rows that must agree; None where `by` is not there."""
        if (by := words.get("by")) is None:
            return None
        axis, column = next(iter(by.items())) if isinstance(by, dict) and len(by) == 1 else (by, by)
        if axis not in self.axis_names:
            raise self.error(
                f"'by' names {describe(axis)}, which is no axis.{nearest(str(axis), self.axis_names)}",
                "by",
                hint=f"axes: {', '.join(self.axis_names) or 'none'}",
            )
        return str(axis), str(column)

    def shots(self, words: Mapping[str, Data]) -> tuple[int, str]:
        """How many few-shot rows there are, and their name in the template."""
        count, name = words.get("n", 3), words.get("as", "shots")
        if not isinstance(name, str) or not name.isidentifier() or name.startswith("_"):
            raise self.error(f"as: {describe(name)} is no name for a variable", "as")
        if not isinstance(count, int) or isinstance(count, bool) or count < 1:
            raise self.error(f"n is {describe(count)}, expected a whole number from 1", "n")
        return count, name

    def table(
        self, name: str, spec: Data
    ) -> tuple[Mapping[str, Data], tables.Table, tuple[str, str] | None]:
        """The words of a line that names a table, the table, and axis and column of its `by`."""
        hint = f"- {name}: {{table: tables/orders.csv, columns: [amount, waited_days]}}"
        if not isinstance(spec, dict):
            raise self.error(f"{name} needs a table, found {describe(spec)}", hint=hint)
        if "table" not in spec:
            near = next((word for word in spec if nearest(str(word), ["table"])), None)
            if near is None:
                raise self.error(f"{name} needs a table", hint=hint)
            raise self.error(f"unknown word {near!r}. Did you mean 'table'?", near, key=True)
        path = (*self.path, "table")
        file = file_inside(self.document, path, spec["table"], self.root)
        table = tables.load(file, place=self.document.place(path))
        return spec, table, self.by(spec, table)

    def by(self, words: Mapping[str, Data], table: tables.Table) -> tuple[str, str] | None:
        """Axis and column of the table that must agree; None where `by` is not there."""
        if (pair := self.by_axis(words)) is not None:
            table.column(pair[1], place=self.document.place((*self.path, "by", pair[0])))
        return pair

    def listed(
        self, words: Mapping[str, Data], table: tables.Table, others: Sequence[str]
    ) -> tuple[str, ...]:
        """The columns that a line names; all but those others where it names none."""
        if (listed := words.get("columns")) is None:
            columns = [name for name in table.columns if name not in others]
        else:
            entries = listed if isinstance(listed, list) else []
            columns = [name for name in entries if isinstance(name, str)]
            if not columns or len(columns) < len(entries):
                raise self.error(
                    f"columns: expected a list of names, found {describe(listed)}", "columns"
                )
        for number, name in enumerate(columns):
            table.column(name, place=self.document.place((*self.path, "columns", number)))
        tables.no_strays(table, columns)
        return tuple(columns)

    def in_dataset(self, words: Mapping[str, Data]) -> bool:
        column = words.get("column", True)
        if not isinstance(column, bool):
            raise self.error(f"column: expected true or false, found {describe(column)}", "column")
        return column

    def option_error(self, message: str, paths: Sequence[KeyPath], *otherwise: Step) -> InputError:
        """The error at the option that the message speaks of; where it names none, at `otherwise`."""
        complaint = re.sub(r" Did you mean .*| Its options.*", "", message)
        for path in paths:
            if re.search(rf"(?<!\w){re.escape(str(path[-1]))}(?!\w)", complaint):
                of_key = re.search("no option|nothing beside|twice", complaint)
                return self.error(message, *path, key=bool(of_key))
        return self.error(message, *otherwise)
