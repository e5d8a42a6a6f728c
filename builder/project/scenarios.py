"""Scenario files: loaded whole, every name in them held against prompt, schema and tables."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from builder.errors import (
    InputError,
    InputErrors,
    Place,
    nearest,
)
from builder.project import (
    axes,
    documents,
    draws,
    expect,
    expressions,
    schemas,
    typos,
    variables,
)
from builder.project.axes import Axis, Grid, Text
from builder.project.documents import Document
from builder.project.draws import Draw
from builder.project.expressions import Expression
from builder.project.prompts import Prompt, Prompts
from builder.project.schemas import Schema
from builder.project.settings import NAME, Project
from builder.project.words import LATER, Words
from builder.table import tables
from builder.table.tables import Table


class Scenario(NamedTuple):
    """One loaded file with all that it names."""

    name: str
    words: Words
    document: Document
    dataset: str
    schema: Schema
    prompt: Prompt
    given: Mapping[str, Any]
    axes: tuple[Axis, ...]
    grid: Grid
    draws: tuple[Draw, ...]
    keep_axes: tuple[Expression, ...]
    """Those over axes alone: they remove combinations."""
    keep_rows: tuple[Expression, ...]
    """The others: they redraw."""
    unlike: tuple[Path, ...] = ()
    """Files whose texts no row may be near to."""
    reference: Table | None = None
    """The table that `expect` compares with."""

    @property
    def place(self) -> Place:
        return Place(self.document.file, 1, 1)

    @property
    def text_field(self) -> str | None:
        """The field that a plain-text answer fills; None where answers are JSON."""
        return self.schema.text_field() if self.words.answer == "text" else None

    def columns(self) -> list[str]:
        """The variables that become columns, in the order of the file."""
        drawn = [name for draw in self.draws if draw.in_dataset for name in draw.columns]
        return [axis.name for axis in self.axes] + drawn


def names(project: Project) -> list[str]:
    """The scenarios of a project, sorted. InputError for a name that is no name."""
    found = []
    for file in sorted(project.scenarios.glob("*.y*ml")):
        if file.suffix not in (".yaml", ".yml") or file.name.startswith("."):
            continue
        if not NAME.match(file.stem):
            raise InputError(
                f"{file.stem!r} is no name for a scenario",
                place=Place(file, 1, 1),
                hint="letters, digits, _ and -, at most 64, not beginning with -",
            )
        if file.stem in found:
            raise InputError(f"scenario {file.stem!r} stands in two files", place=Place(file, 1, 1))
        found.append(file.stem)
    if not found:
        raise InputError(
            f"no scenario under {project.scenarios}",
            hint="`builder init DIR` writes some to begin with",
        )
    return sorted(found)


def named(project: Project, word: str) -> str:
    """The scenario that a word of a command means: its name, or the path of its file."""
    file = Path(word)
    of_project = file.parent.resolve() == project.scenarios.resolve()
    return file.stem if of_project and file.suffix in (".yaml", ".yml") else word


def load_all(project: Project, wanted: Sequence[str] = ()) -> list[Scenario]:
    """The wanted scenarios (all, when none is named) and those that share a dataset with them,
    by name. Every broken file is in the one InputErrors that is raised."""
    known = names(project)
    for name in wanted:
        if name not in known:
            raise InputError(
                f"no scenario {name!r}.{nearest(name, known)}",
                hint=f"scenarios: {', '.join(known)}",
            )
    prompts = Prompts(project.prompts)
    read, problems = {}, []
    for name in known:
        try:
            read[name] = _read(project, name)
        except InputError as error:
            problems.append(error)
    datasets = {name: _dataset(words) for name, (_, words) in read.items()}
    chosen = {datasets[name] for name in wanted if name in datasets}
    loaded = []
    for name, (document, words) in read.items():
        if wanted and datasets[name] not in chosen:
            continue
        try:
            loaded.append(_load(project, name, document, words, prompts))
        except InputError as error:
            problems.append(error)
    if problems:
        raise problems[0] if len(problems) == 1 else InputErrors(problems)
    _datasets_filled(project, sorted(set(datasets.values())))
    for dataset in sorted({scenario.dataset for scenario in loaded}):
        dataset_reference(project, dataset, loaded)
    return loaded


def _datasets_filled(project: Project, known: Sequence[str]) -> None:
    for name in project.settings.datasets:
        if name not in known:
            raise InputError(
                f"no scenario fills a dataset {name!r}.{nearest(name, known)}",
                place=project.place(("datasets", name)),
                hint=f"datasets: {', '.join(known)}",
            )


def snake_case(name: str) -> str:
    """
    >>> snake_case("SupportDialogue")
    'support_dialogue'
    """
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def _dataset(words: Words) -> str:
    return words.dataset or snake_case(words.schema_.rpartition(":")[2])


def _read(project: Project, name: str) -> tuple[Document, Words]:
    file = next(f for f in project.scenarios.glob(f"{name}.y*ml"))
    if not file.resolve().is_relative_to(project.root.resolve()):
        raise InputError("the file is a link out of the project", place=Place(file, 1, 1))
    document = documents.read(file)
    if not isinstance(document.data, dict):
        wide = typos.wide_colon(document.data) if isinstance(document.data, str) else -1
        raise InputError(
            f"expected the words of a scenario, found {axes.shown(document.data)}",
            place=Place(file, 1, max(wide, 0) + 1),
            hint="a full-width '：' stands here; YAML wants ': '"
            if wide >= 0
            else "at least `schema: Class`",
        )
    for word in document.data:
        if word in LATER:
            raise InputError(
                f"{word!r} is not supported yet: {LATER[word]}",
                place=document.place((word,), key=True),
            )
    try:
        words = Words.model_validate(document.data)
    except ValidationError as error:
        raise _problems(document, error) from None
    wrong = [
        InputError(
            problem.message,
            place=document.place(("expect", *problem.path), key=problem.at_key),
            hint=problem.hint,
        )
        for problem in expect.problems(words.expect)
    ]
    if wrong:
        raise wrong[0] if len(wrong) == 1 else InputErrors(wrong)
    return document, words


def _problems(document: Document, error: ValidationError) -> InputError:
    words = [field.alias or name for name, field in Words.model_fields.items()]
    found = []
    for problem in error.errors():
        path = tuple(part for part in problem["loc"] if not str(part).startswith("function-"))
        kind, word = problem["type"], path[0] if path else ""
        if kind == "extra_forbidden":
            message = f"unknown word {word!r}.{nearest(str(word), words)}"
            place, hint = document.place(path, key=True), f"words: {', '.join(words)}"
        elif kind == "missing":
            place, hint = Place(document.file, 1, 1), "e.g. schema: SupportMessage"
            message = f"the word {word!r} is missing"
        else:
            given = problem["input"]
            named = ".".join(str(part) for part in path)
            message = f"{named}: {_expected(problem)}, found {axes.shown(given)}"
            place, hint = document.place(path), typos.hint(given)
            if word == "model" and isinstance(given, str) and typos.model(given):
                hint = f"write {typos.model(given)}"
            wide = typos.wide_colon(given) if isinstance(given, str) else -1
            if wide >= 0:
                place = Place(place.file, place.line, document.text_place(path).column + wide)
                hint = "a full-width '：' stands here; YAML wants ': '"
        found.append(InputError(message, place=place, hint=hint))
    return found[0] if len(found) == 1 else InputErrors(found)


def _expected(problem: Any) -> str:
    kinds = {
        "int_type": "expected a whole number",
        "string_type": "expected text",
        "dict_type": "expected a mapping (key: value)",
        "list_type": "expected a list",
        "literal_error": f"expected {problem.get('ctx', {}).get('expected', '')}",
        "greater_than_equal": f"expected at least {problem.get('ctx', {}).get('ge', '')}",
        "less_than_equal": f"expected at most {problem.get('ctx', {}).get('le', '')}",
    }
    return kinds.get(problem["type"]) or str(problem["msg"]).removeprefix("Value error, ")


def _load(
    project: Project, name: str, document: Document, words: Words, prompts: Prompts
) -> Scenario:
    schema = schemas.load(project.schemas, words.schema_, place=document.place(("schema",)))
    dataset = _dataset(words)
    if not NAME.match(dataset) or dataset == "trial":
        raise InputError(
            f"{dataset!r} is no name for a dataset", place=document.place(("dataset",))
        )
    axis_list = axes.load(document, words.vary, project.root)
    if words.rows.each is not None:
        for axis in axis_list:
            if axis.weighted:
                raise InputError(
                    f"the axis {axis.name!r} has weights, and {words.rows.each} rows of each combination leave nothing to weigh",
                    place=axis.place,
                    hint="give a total: `rows: 200`, or drop the weights",
                )
    drawn = draws.load(document, words.draw, [axis.name for axis in axis_list], project.root)
    given = {
        key: _given(document, ("given", key), v, project.root) for key, v in words.given.items()
    }
    available = variables.variables(document, words, drawn)
    said = expressions.Names(
        available,
        {axis.name: [one.value for one in axis.every] for axis in axis_list},
        {*schema.columns, *schema.asked.get("properties", {})},
        {name: text for draw in drawn if words.keep for name, text in draw.texts()},
    )
    keep = [
        expressions.parse(line, said, document.text_place(("keep", i)))
        for i, line in enumerate(words.keep)
    ]
    drawn_names = {column for draw in drawn for column in draw.names}
    prompt_name = words.prompt or name
    place = document.place(("prompt",)) if words.prompt else Place(document.file, 1, 1)
    prompt = prompts.load(prompt_name, [*available, "schema"], place=place)
    scenario = Scenario(
        name, words, document, dataset, schema, prompt, given, tuple(axis_list),
        axes.cross(axis_list), tuple(drawn),
        keep_axes=tuple(e for e in keep if not e.names & drawn_names),
        keep_rows=tuple(e for e in keep if e.names & drawn_names),
        unlike=tuple(
            axes.inside(document, ("unlike", i), name, project.root)
            for i, name in enumerate(words.unlike)
        ),
    )  # fmt: skip
    variables.held_apart(scenario)
    variables.axes_used(scenario)
    scenario = scenario._replace(reference=_reference(scenario, project.root))
    if words.answer == "text":
        schema.text_field()
    if words.unlike and words.similarity_below is None:
        raise InputError(
            "'unlike' needs similarity_below: how near is too near",
            place=document.place(("unlike",), key=True),
            hint="similarity_below: 0.8",
        )
    return scenario


def _given(document: Document, path: documents.Path_, value: Any, root: Path) -> Any:
    """A value of `given`, `{file: …}` replaced by what the file holds."""
    if isinstance(value, dict) and set(value) == {"file"}:
        file = axes.inside(document, (*path, "file"), value["file"], root)
        if file.suffix in (".yaml", ".yml"):
            return documents.read(file).data
        text = tables.read_text(file)
        if file.suffix != ".json":
            return text
        return tables.parse_json(file, text)
    if isinstance(value, dict):
        return {key: _given(document, (*path, key), part, root) for key, part in value.items()}
    if isinstance(value, list):
        return [_given(document, (*path, i), part, root) for i, part in enumerate(value)]
    return value


def _reference(scenario: Scenario, root: Path) -> Table | None:
    """The table of `expect: {drift: {table: …}}`, which shares a column with the rows."""
    named = scenario.words.expect.get("drift", {}).get(expect.TABLE)
    if named is None:
        return None
    path = ("expect", "drift", expect.TABLE)
    place = scenario.document.place(path)
    table = tables.load(axes.inside(scenario.document, path, named, root), place=place)
    return shared(table, {*scenario.columns(), *scenario.schema.columns}, place)


def dataset_reference(project: Project, dataset: str, loaded: Iterable[Scenario]) -> Table | None:
    """The table of the project's `expect` for a dataset, by its path in the project."""
    named = project.dataset_settings(dataset).expect.get("drift", {}).get(expect.TABLE)
    if named is None:
        return None
    place = project.place(("datasets", dataset, "expect", "drift", expect.TABLE))
    path = (project.root / named).resolve()
    if not path.is_relative_to(project.root.resolve()):
        raise InputError(f"{named!r} lies outside the project", place=place)
    own = [scenario for scenario in loaded if scenario.dataset == dataset]
    columns = {name for one in own for name in (*one.columns(), *one.schema.columns)}
    return shared(tables.load(path, place=place), columns, place)


def shared(table: Table, columns: Collection[str], place: Place) -> Table:
    """The same table; InputError where none of its columns is one of the rows'."""
    if columns and not any(name in columns for name in table.columns):
        raise InputError(
            f"the table shares no column with the rows.{_nearest_pair(table.columns, columns)}",
            place=place,
            hint=f"its columns: {', '.join(table.columns)}; theirs: {', '.join(sorted(columns))}",
        )
    tables.no_strays(table, columns)
    return table


def _nearest_pair(names: Iterable[str], columns: Collection[str]) -> str:
    return next((found for name in names if (found := nearest(name, columns))), "")


def shown_schema(schema: Schema) -> Text:
    """The JSON Schema as templates see it: prints as JSON, its parts as attributes."""
    text = Text(json.dumps(schema.asked, ensure_ascii=False, indent=2))
    text.attributes = schema.asked
    return text
