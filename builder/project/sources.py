"""The sources of a scenario: what `from` names, whose rows its rows are made from."""

import glob
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

from builder.errors import InputError, Place, nearest
from builder.project.documents import Data, Document, describe
from builder.project.lines import Line
from builder.table.reader import siblings

Kind = Literal["scenario", "dataset", "table"]
KINDS: tuple[Kind, ...] = get_args(Kind)
_WORDS = (*KINDS, "on", "n", "least", "take", "id")
# What a row of a source has beside its fields.
OWN = ("id", "model", "case")
# The column of the ids that a row is made from.
COLUMN = "_from"
# One source, as editors check it.
JSON_SCHEMA: Mapping[str, Any] = {
    "oneOf": [
        {"type": "string"},
        {
            "type": "object",
            "properties": {
                "scenario": {"type": "string"},
                "dataset": {"type": "string"},
                "table": {"type": "string"},
                "on": {"oneOf": [{"type": "string"}, {"type": "object"}]},
                "n": {"type": "integer", "minimum": 1},
                "least": {"type": "integer", "minimum": 0},
                "take": {"oneOf": [{"type": "array"}, {"type": "object"}]},
                "id": {"oneOf": [{"type": "string"}, {"type": "array"}]},
            },
            "additionalProperties": False,
        },
    ]
}


class Source(NamedTuple):
    """One source: the first of a scenario makes its cases, further ones are looked up."""

    name: str
    kind: Kind
    target: str  # The scenario, the dataset, or the file or glob as it is written.
    place: Place
    files: tuple[Path, ...] = ()  # Of a table.
    on: Mapping[str, str] = {}  # Names of the scenario to fields of the row that print alike.
    n: int | None = None  # Rows that are looked up as a list; None: one row.
    least: int | None = None  # Rows that will do where there are fewer than n.
    take: Mapping[str, str] = {}  # Fields of the row to names of the scenario.
    id: tuple[str, ...] = ()  # Columns that a row of a table is known by.
    places: Mapping[str, Place] = {}  # Where its words stand, and what they list.

    def at(self, word: str) -> Place:
        """Where a word of it stands."""
        return self.places.get(word, self.place)

    def named(self) -> Iterator[tuple[str, Place]]:
        """The fields of its rows that it names, each with the place."""
        for field in self.take:
            yield field, self.at(f"take.{field}")
        for field in self.on.values():
            yield field, self.at("on")
        if self.kind == "table":
            yield from ((field, self.at("id")) for field in self.id)


def upstream(written: Mapping[str, Data]) -> Iterator[tuple[str, str]]:
    """Kind and target of each source in what stands after `from`; whatever is wrong there is left
    to `load`."""
    for spec in written.values():
        if isinstance(spec, str):
            yield "scenario", spec
        elif isinstance(spec, dict):
            for kind in KINDS:
                if isinstance(target := spec.get(kind), str):
                    yield kind, target


def load(
    document: Document,
    written: Mapping[str, Data],
    root: Path,
    *,
    scenarios: Collection[str],
    datasets: Collection[str],
) -> tuple[Source, ...]:
    """The sources of a scenario. InputError with the place of what is wrong."""
    sources = []
    for number, (name, spec) in enumerate(written.items()):
        line = _Line(document, ("from", name), root)
        sources.append(line.read(name, spec, first=not number, known=(scenarios, datasets)))
    return tuple(sources)


class _Line(Line):
    """Reads one source, every error with its place."""

    def read(
        self,
        name: str,
        spec: Data,
        *,
        first: bool,
        known: tuple[Collection[str], Collection[str]],
    ) -> Source:
        written = spec
        if isinstance(spec, str):
            spec = {"scenario": spec}
        if not isinstance(spec, dict):
            raise self.error(
                f"expected a source, found {describe(spec)}",
                hint="a: hot  or  a: {scenario: hot, take: [id]}  or  a: {table: tables/real.csv}",
            )
        for word in spec:
            if word not in _WORDS:
                raise self.error(
                    f"unknown word {word!r}.{nearest(str(word), _WORDS)}",
                    word,
                    key=True,
                    hint=f"words of a source: {', '.join(_WORDS)}",
                )
        kinds = [kind for kind in KINDS if kind in spec]
        if len(kinds) != 1:
            raise self.error(
                f"{name!r} names {len(kinds) or 'no'} sources, expected one of {', '.join(KINDS)}"
            )
        kind, target = kinds[0], spec[kinds[0]]
        if not isinstance(target, str) or not target:
            raise self.error(f"{kind}: expected a name, found {describe(target)}", kind)
        files = self.files(target) if kind == "table" else ()
        n, least = self.number(spec, "n", 1), self.number(spec, "least", 0)
        if n is not None and least is not None and least > n:
            raise self.error(f"least is {least}, more than the {n} of n", "least")
        on = self.pairs(spec, "on", "{mine: theirs}")
        self.check_look_up(spec, first=first)
        places = {word: self.place(word) for word in spec}
        take = self.pairs(spec, "take", "{theirs: mine}")
        listed = isinstance(spec.get("take"), list)
        for number, field in enumerate(take):
            places[f"take.{field}"] = self.place("take", number if listed else field)
        source = Source(
            name,
            kind,
            target,
            self.place(key=True),
            files,
            on,
            n,
            least,
            take,
            self.id(spec),
            places,
        )
        place = places[kind] if isinstance(written, dict) else self.place()
        check_target(source._replace(place=place), *known)
        return source

    def files(self, target: str) -> tuple[Path, ...]:
        """The files of a table or a glob, in the order of their paths."""
        home = self.document.file.parent
        pattern = str(home / target)
        hits = glob.glob(pattern, recursive=True) if glob.has_magic(target) else [pattern]  # noqa: PTH207  (a pattern may lead upwards)
        files = [Path(hit).resolve() for hit in sorted(hits)]
        outside = next((f for f in files if not f.is_relative_to(self.root.resolve())), None)
        if outside is not None:
            raise self.error(f"{target!r} lies outside the project", "table")
        files = [file for file in files if file.is_file()]
        if not files:
            raise self.error(
                f"file {target!r} not found.{siblings(home / target)}",
                "table",
                hint="paths are relative to the scenario's own folder",
            )
        return tuple(files)

    def number(self, spec: Mapping[str, Data], word: str, least: int) -> int | None:
        value = spec.get(word)
        if value is None and word not in spec:
            return None
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise self.error(
                f"{word} is {describe(value)}, expected a whole number from {least}", word
            )
        return value

    def check_look_up(self, spec: Mapping[str, Data], *, first: bool) -> None:
        """Passes where the words of a look-up stand in one, and `on` in every one."""
        for word in ("on", "n", "least"):
            if first and word in spec:
                raise self.error(
                    f"{word!r} is for further sources: each row of the first makes a case",
                    word,
                    key=True,
                )
        if not first and not spec.get("on"):
            raise self.error(
                f"{self.path[-1]!r} is looked up, so it needs `on`",
                hint="on: pid, what both have; or on: {mine: theirs}",
            )
        if "least" in spec and "n" not in spec:
            raise self.error("'least' stands beside n", "least", key=True)
        if "id" in spec and "table" not in spec:
            raise self.error("'id' is for tables; rows made here are known", "id", key=True)

    def id(self, spec: Mapping[str, Data]) -> tuple[str, ...]:
        value = spec.get("id", [])
        listed = value if isinstance(value, list) else [value]
        columns = [entry for entry in listed if isinstance(entry, str)]
        if len(columns) < len(listed):
            raise self.error(f"id: expected columns, found {describe(value)}", "id")
        return tuple(columns)


def check_target(source: Source, scenarios: Collection[str], datasets: Collection[str]) -> None:
    """Passes where the scenario or dataset is there that it names."""
    names = datasets if source.kind == "dataset" else scenarios
    if source.kind != "table" and source.target not in names:
        raise InputError(
            f"no {source.kind} {source.target!r}.{nearest(source.target, names)}",
            place=source.place,
            hint=f"{source.kind}s: {', '.join(sorted(names))}",
        )


def check_named(source: Source, known: Collection[str]) -> None:
    """Passes where its rows have every field that the source names."""
    for field, place in source.named():
        if field not in known and field not in OWN:
            raise no_field(source, field, known, place)


def no_field(source: Source, field: str, known: Collection[str], place: Place) -> InputError:
    """The error of a field that no row of a source has."""
    what = "file" if len(source.files) == 1 else "table" if source.kind == "table" else source.kind
    fields = [name for name in dict.fromkeys((*known, *OWN)) if name != field]
    return InputError(
        f"the rows of {source.name!r} ({what} {source.target}) have no {field!r}."
        f"{nearest(field, fields)}",
        place=place,
        hint=f"they have: {', '.join(fields)}",
    )


def needs_id(source: Source, why: Sequence[str]) -> InputError:
    """The error of a table without `id` where rows must stay themselves when a column is edited."""
    return InputError(
        f"with {' and '.join(why)} the rows of a table are known by `id`, and {source.name!r} has none",
        place=source.place,
        hint=f"{source.name}: {{table: {source.target}, id: some_column}}",
    )
