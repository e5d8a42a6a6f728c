"""Scenario files: loaded whole, every name in them held against prompt, schema and tables."""

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from builder.errors import InputError, Place, combine, nearest
from builder.project import (
    axes,
    carriers,
    chains,
    documents,
    draws,
    expect,
    expressions,
    printed,
    schemas,
    settings,
    sources,
    variables,
)
from builder.project.documents import Data, Document, KeyPath, file_inside
from builder.project.prompts import Prompt, Prompts
from builder.project.sources import Source
from builder.project.words import NOWHERE, Words
from builder.table import reader, tables
from builder.text import counted


class Scenario(NamedTuple):
    """A scenario file, loaded with all that it names."""

    name: str
    words: Words
    document: Document
    dataset: str
    schema: schemas.Schema
    prompt: Prompt
    given: Mapping[str, Any]
    axes: tuple[axes.Axis, ...]
    grid: axes.Grid
    draws: tuple[draws.Draw, ...]
    keep_axes: tuple[expressions.Expression, ...]  # those over axes alone: they remove combinations
    keep_rows: tuple[expressions.Expression, ...]  # the others: they redraw
    unlike: tuple[Path, ...] = ()
    reference: tables.Table | None = None
    sources: tuple[Source, ...] = ()
    # Those over rows of sources: they make no case where they do not hold.
    keep_sources: tuple[expressions.Expression, ...] = ()
    depth: int = 0  # How many levels of scenarios lie under it.

    def taken(self, combination: Mapping[str, Any]) -> dict[str, Any]:
        """What its axes take of the rows of their tables."""
        return {
            mine: carriers.attributes(combination[axis.name]).get(theirs)
            for axis in self.axes
            for theirs, mine in axis.take.items()
        }

    @property
    def upstream(self) -> list[Source]:
        """All whose rows it is made or drawn from."""
        return [*self.sources, *(draw.source for draw in self.draws if draw.source is not None)]

    @property
    def exported(self) -> bool:
        """Whether its rows are a dataset; those of a level in between may be none."""
        return self.words.dataset != NOWHERE

    @property
    def place(self) -> Place:
        """The beginning of its file."""
        return Place(self.document.file, 1, 1)

    @property
    def text_field(self) -> str | None:
        """The field that a plain-text answer fills; None where answers are JSON."""
        return self.schema.text_field() if self.words.answer == "text" else None

    def remarks(self) -> tuple[str, ...]:
        """How columns of its tables were read that were not plain, a line each."""
        lines = [note for axis in self.axes for note in axis.notes]
        lines += [note for draw in self.draws for note in draw.remarks()]
        if self.reference is not None:
            lines += self.reference.remarks({*self.columns(), *self.schema.columns})
        return tuple(dict.fromkeys(lines))

    def printed_missing(self) -> Iterator[str]:
        """The places where the prompt prints a value that some rows lack, a line each."""
        lacking = {name: counts for name, counts in self._lacking() if counts[0]}
        places = printed.places(self.prompt.file, self.prompt.trees) if lacking else {}
        for name, (missing, rows) in lacking.items():
            # A comparison with a missing value is not true, so that `keep` leaves none of them.
            if name in places and not any(name in rule.names for rule in self.keep_rows):
                yield (
                    f"{places[name]}: {name} is missing in {missing:,} of {counted(rows, 'row')} and "
                    f"is printed as None: {{% if {name} is not none %}}"
                )

    def _lacking(self) -> Iterator[tuple[str, tuple[int, int]]]:
        """Each variable of a table, or attribute of an axis, in how many of how many rows it is
        missing."""
        for draw in self.draws:
            if draw.table is not None:
                within = f"{draw.names[0]}." if draw.sampler == draws.EXAMPLES else ""
                for name in draw.options.get("columns", draw.names):
                    yield within + name, (draw.table.columns[name].missing, len(draw.table))
        for axis in self.axes:
            carried = [carriers.attributes(value.value) for value in axis.every]
            for name in dict.fromkeys(name for attributes in carried for name in attributes):
                missing = sum(attributes.get(name, "") is None for attributes in carried)
                yield f"{axis.name}.{name}", (missing, len(carried))

    def columns(self) -> list[str]:
        """The variables that become columns, in the order of the file; not those that fill a field."""
        taken = (mine for source in self.sources for mine in source.take.values())
        drawn = (name for draw in self.draws if draw.in_dataset for name in draw.columns)
        varied = (name for axis in self.axes for name in (axis.name, *axis.take.values()))
        names = [*taken, *varied, *drawn]
        ids = [sources.COLUMN] if self.sources else []
        return [*(name for name in names if name not in self.words.fill), *ids]


def names(project: settings.Project) -> list[str]:
    """The scenarios of a project, sorted. InputError for a name that is no name."""
    stems: list[str] = []
    for file in sorted(project.scenarios.glob("[!.]*.y*ml")):
        if file.suffix not in (".yaml", ".yml"):
            continue
        if not settings.NAME.match(file.stem):
            raise InputError(
                f"{file.stem!r} is no name for a scenario",
                place=Place(file, 1, 1),
                hint="letters, digits, _ and -, at most 64, not beginning with -",
            )
        if file.stem in stems:
            raise InputError(f"scenario {file.stem!r} stands in two files", place=Place(file, 1, 1))
        stems.append(file.stem)
    if not stems:
        raise InputError(
            f"no scenario under {project.scenarios}",
            hint="`builder init DIR` writes some to begin with",
        )
    return sorted(stems)


def name_of(project: settings.Project, word: str) -> str:
    """The scenario that a word of a command means: its name, or the path of its file."""
    file = Path(word)
    of_project = file.parent.resolve() == project.scenarios.resolve()
    return file.stem if of_project and file.suffix in (".yaml", ".yml") else word


def load_all(
    project: settings.Project, samplers: draws.Samplers, wanted: Sequence[str] = ()
) -> list[Scenario]:
    """The wanted scenarios (all, when none is named) and those that share a dataset with them,
    by name. Every broken file is in the one InputError that is raised.
    """
    known = names(project)
    for name in wanted:
        if name not in known:
            raise InputError(
                f"no scenario {name!r}.{nearest(name, known)}",
                hint=f"scenarios: {', '.join(known)}",
            )
    written: dict[str, tuple[Document, Words]] = {}
    errors = []
    for name in known:
        try:
            written[name] = _read(project, name)
        except InputError as error:
            errors.append(error)
    datasets = {name: _dataset(name, words) for name, (_, words) in written.items()}
    depths = chains.depths(written, datasets)
    chosen = chains.closure(wanted, written, datasets)
    prompts = Prompts(project.prompts)
    loaded = []
    for name, (document, words) in written.items():
        if wanted and name not in chosen:
            continue
        try:
            scenario = _load(project, prompts, samplers, name, document, words, datasets)
            loaded.append(scenario._replace(depth=depths[name]))
        except InputError as error:
            errors.append(error)
    if errors:
        raise combine(errors)
    filled = sorted(set(datasets.values()))
    for name in project.settings.datasets:
        if name not in filled:
            raise InputError(
                f"no scenario fills a dataset {name!r}.{nearest(name, filled)}",
                place=project.place(("datasets", name)),
                hint=f"datasets: {', '.join(filled)}",
            )
    for dataset in sorted({scenario.dataset for scenario in loaded}):
        dataset_reference(project, dataset, loaded)
    return loaded


def snake_case(name: str) -> str:
    """The name of a class as a dataset's.

    >>> snake_case("SupportDialogue")
    'support_dialogue'
    """
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def _dataset(name: str, words: Words) -> str:
    if words.dataset == NOWHERE:
        return f"{NOWHERE}:{name}"
    return words.dataset or (name if words.from_ else snake_case(words.schema_.rpartition(":")[2]))


def _read(project: settings.Project, name: str) -> tuple[Document, Words]:
    file = next(f for f in project.scenarios.glob(f"{name}.y*ml"))
    if not file.resolve().is_relative_to(project.root.resolve()):
        raise InputError("the file is a link out of the project", place=Place(file, 1, 1))
    document = documents.read(file)
    return document, Words.read(document)


def _load(
    project: settings.Project,
    prompts: Prompts,
    samplers: draws.Samplers,
    name: str,
    document: Document,
    words: Words,
    datasets: Mapping[str, str],
) -> Scenario:
    root = project.root
    schema = schemas.load(project.schemas, words.schema_, place=document.place(("schema",)))
    dataset = datasets[name]
    if words.dataset != NOWHERE and (not settings.NAME.match(dataset) or dataset == "trial"):
        raise InputError(
            f"{dataset!r} is no name for a dataset", place=document.place(("dataset",))
        )
    from_ = sources.load(
        document, words.from_, root, scenarios=names(project), datasets={*datasets.values()}
    )
    axis_list = axes.load(document, words.vary, root, [source.name for source in from_])
    _check_unweighted(axis_list, words.rows.each)
    drawn = _draws(project, samplers, document, words, axis_list, datasets)
    given = {key: _given(document, ("given", key), v, root) for key, v in words.given.items()}
    available = variables.names(document, list(words.given), axis_list, drawn, from_)
    # What an axis takes is an attribute of it: `label.level`.
    attributes = {mine for axis in axis_list for mine in axis.take.values()}
    keep = _keep(document, words, schema, axis_list, drawn, available.keys() - attributes)
    drawn_names = {column for draw in drawn for column in draw.names}
    of_rows = {source.name for source in from_} | {axis.name for axis in axis_list if axis.source}
    of_rows |= {mine for source in from_ for mine in source.take.values()}
    place = document.place(("prompt",)) if words.prompt else Place(document.file, 1, 1)
    prompt = (
        prompts.none
        if words.asks_nobody
        else prompts.load(words.prompt or name, [*available, "schema"], place=place)
    )
    scenario = Scenario(
        name, words, document, dataset, schema, prompt, given, tuple(axis_list),
        axes.cross(axis_list), tuple(drawn),
        keep_axes=tuple(rule for rule in keep if not rule.names & (drawn_names | of_rows)),
        keep_rows=tuple(rule for rule in keep if rule.names & drawn_names),
        unlike=tuple(
            file_inside(document, ("unlike", i), file, root)
            for i, file in enumerate(words.unlike)
        ),
        sources=from_,
        keep_sources=tuple(rule for rule in keep if rule.names & of_rows and not rule.names & drawn_names),
    )  # fmt: skip
    variables.check_columns(axis_list, drawn, schema, from_, words.fill)
    variables.check_filled(words, schema, available, document)
    variables.check_axes_used(axis_list, words.unused, prompt, schema, document)
    scenario = scenario._replace(reference=_reference(scenario, root))
    if words.answer == "text":
        schema.text_field()
    if words.unlike and words.similarity_below is None:
        raise InputError(
            "'unlike' needs similarity_below: how near is too near",
            place=document.place(("unlike",), key=True),
            hint="similarity_below: 0.8",
        )
    return scenario


def _draws(
    project: settings.Project,
    samplers: draws.Samplers,
    document: Document,
    words: Words,
    axis_list: Sequence[axes.Axis],
    datasets: Mapping[str, str],
) -> list[draws.Draw]:
    names_ = [axis.name for axis in axis_list]
    drawn = draws.load(document, words.draw, names_, project.root, samplers)
    for draw in drawn:
        if draw.source is not None:
            sources.check_target(draw.source, names(project), {*datasets.values()})
    return drawn


def _check_unweighted(axis_list: Sequence[axes.Axis], each: int | None) -> None:
    for axis in axis_list:
        if axis.weighted and each is not None:
            raise InputError(
                f"the axis {axis.name!r} has weights, and {each} rows of each combination leave nothing to weigh",
                place=axis.place,
                hint="give a total: `rows: 200`, or drop the weights",
            )


def _keep(
    document: Document,
    words: Words,
    schema: schemas.Schema,
    axis_list: Sequence[axes.Axis],
    drawn: Sequence[draws.Draw],
    available: Collection[str],
) -> list[expressions.Expression]:
    if not words.keep:
        return []
    names = expressions.Names(
        available,
        {axis.name: [v.value for v in axis.every] for axis in axis_list if not axis.source},
        {*schema.columns, *schema.asked.get("properties", {})},
        {name: reason for draw in drawn for name, reason in draw.texts()},
    )
    return [
        expressions.parse(line, names, document.text_place(("keep", i)))
        for i, line in enumerate(words.keep)
    ]


def _given(document: Document, path: KeyPath, value: Data, root: Path) -> Data:
    """A value of `given`, `{file: …}` replaced by what the file holds."""
    if isinstance(value, dict) and set(value) == {"file"}:
        file = file_inside(document, (*path, "file"), value["file"], root)
        if file.suffix in (".yaml", ".yml"):
            return documents.read(file).data
        text = reader.read_text(file)
        return reader.parse_json(file, text) if file.suffix == ".json" else text
    if isinstance(value, dict):
        return {key: _given(document, (*path, key), part, root) for key, part in value.items()}
    if isinstance(value, list):
        return [_given(document, (*path, i), part, root) for i, part in enumerate(value)]
    return value


def _reference(scenario: Scenario, root: Path) -> tables.Table | None:
    """The table of `expect: {drift: {table: …}}`, which shares a column with the rows."""
    if (name := scenario.words.expect.get("drift", {}).get(expect.TABLE)) is None:
        return None
    path = ("expect", "drift", expect.TABLE)
    place = scenario.document.place(path)
    table = tables.load(file_inside(scenario.document, path, name, root), place=place)
    return _sharing(table, {*scenario.columns(), *scenario.schema.columns}, place)


def dataset_reference(
    project: settings.Project, dataset: str, loaded: Iterable[Scenario]
) -> tables.Table | None:
    """The table of the project's `expect` for a dataset, by its path in the project."""
    name = project.dataset_settings(dataset).expect.get("drift", {}).get(expect.TABLE)
    if name is None:
        return None
    place = project.place(("datasets", dataset, "expect", "drift", expect.TABLE))
    path = (project.root / name).resolve()
    if not path.is_relative_to(project.root.resolve()):
        raise InputError(f"{name!r} lies outside the project", place=place)
    columns = {
        column
        for scenario in loaded
        if scenario.dataset == dataset
        for column in (*scenario.columns(), *scenario.schema.columns)
    }
    return _sharing(tables.load(path, place=place), columns, place)


def _sharing(table: tables.Table, columns: Collection[str], place: Place) -> tables.Table:
    """The table itself; InputError where none of its columns is one of the rows'."""
    if columns and not any(name in columns for name in table.columns):
        near = next((near for name in table.columns if (near := nearest(name, columns))), "")
        raise InputError(
            f"the table shares no column with the rows.{near}",
            place=place,
            hint=f"its columns: {', '.join(table.columns)}; theirs: {', '.join(sorted(columns))}",
        )
    tables.no_strays(table, columns)
    return table


def schema_text(schema: schemas.Schema) -> carriers.Carrier | None:
    """The JSON Schema as templates see it: prints as JSON, its parts as attributes."""
    return carriers.carrier(json.dumps(schema.asked, ensure_ascii=False, indent=2), schema.asked)
