"""The columns of a dataset: their names, order and kinds, known before anything is asked."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from builder import jsonschema
from builder.errors import InputError, Place
from builder.plan.planned import ScenarioPlan
from builder.project import carriers, sources
from builder.table.tables import BOOLEAN, INTEGER, JSON, NUMBER, STRING, Kind

OWN = ("_scenario", "_model", "_case", "_key")
SIMPLE = {kind.name: kind for kind in (STRING, INTEGER, NUMBER, BOOLEAN)}


def of_dataset(scenarios: Sequence[ScenarioPlan]) -> dict[str, Kind]:
    """The union of the scenarios' columns in the order of the dataset.

    That is schema fields as declared, variables in file order by scenario name, then the builder's
    own. Raises InputError where one name means two kinds, integer and float excepted.
    """
    fields: dict[str, Kind] = {}
    variables: dict[str, Kind] = {}
    first: dict[str, tuple[str, Place]] = {}
    for scenario in scenarios:
        for new, kinds in ((fields, of_schema(scenario)), (variables, of_variables(scenario))):
            for name, kind in kinds.items():
                columns = fields if name in fields else variables if name in variables else new
                place = _place(scenario, name)
                columns[name] = _merge(name, columns.get(name), kind, place, first)
                first.setdefault(name, (scenario.name, place))
    return {**fields, **variables, **dict.fromkeys(OWN, STRING)}


def of_schema(scenario: ScenarioPlan) -> dict[str, Kind]:
    """The kinds of a schema's fields."""
    row = scenario.scenario.schema.row
    return {name: of_json_schema(part, row) for name, part in row.get("properties", {}).items()}


def of_variables(scenario: ScenarioPlan) -> dict[str, Kind]:
    """The kinds of a scenario's axes and drawn columns."""
    columns: dict[str, Kind] = {}
    columns.update(_of_sources(scenario))
    for axis in scenario.scenario.axes:
        if axis.source:
            continue
        kinds = _widened({_scalar(value.value) for value in axis.every})
        if len(kinds) > 1:
            raise InputError(
                f"the values of {axis.name!r} are {' and '.join(sorted(map(str, kinds)))}; a column has one kind",
                place=axis.place,
                hint="quote the numbers to make all of them text",
            )
        columns[axis.name] = kinds.pop()
        for theirs, mine in axis.take.items():
            cells = (carriers.attributes(value.value).get(theirs) for value in axis.every)
            held = _widened({_scalar(cell) for cell in cells if cell is not None})
            columns[mine] = held.pop() if len(held) == 1 else STRING
    for name, kind in scenario.drawn_kinds().items():
        columns[name] = kind if kind in (INTEGER, NUMBER, BOOLEAN, JSON) else STRING
    return {name: columns[name] for name in scenario.scenario.columns()}


def _of_sources(scenario: ScenarioPlan) -> Iterator[tuple[str, Kind]]:
    """The kinds of what is taken from the rows of sources, of their lists and of their ids."""
    if (feed := scenario.feed) is None:
        return
    ids: list[tuple[str, Kind]] = []
    for rows in feed.rows:
        source = rows.source
        single = source.n is None
        for theirs, mine in source.take.items():
            kind = rows.kinds.get(theirs, STRING)
            yield mine, kind if single else Kind("list", of=kind)
        ids.append((source.name, STRING if single else Kind("list", of=STRING)))
    for axis in scenario.scenario.axes:
        if axis.source:
            kind = feed.first.kinds.get(axis.parent, STRING).of or STRING
            yield axis.name, kind if kind in SIMPLE.values() else STRING
    yield sources.COLUMN, Kind("struct", fields=tuple(ids))


def of_json_schema(part: jsonschema.Schema, root: jsonschema.Schema, depth: int = 0) -> Kind:
    """The kind of values that fit a JSON Schema whose references lead into `root`."""
    if "$ref" in part:
        if depth > jsonschema.DEEPEST:
            return JSON
        return of_json_schema(jsonschema.target(part["$ref"], root), root, depth + 1)
    if options := jsonschema.options(part):
        kinds = _widened({of_json_schema(option, root, depth + 1) for option in options})
        return kinds.pop() if len(kinds) == 1 else JSON
    if "enum" in part or "const" in part:
        kinds = {_scalar(v) for v in part.get("enum", [part.get("const")]) if v is not None}
        return kinds.pop() if len(kinds) == 1 else JSON
    word = part.get("type", "")
    if word == "array" and isinstance(part.get("items"), Mapping):
        return Kind("list", of=of_json_schema(part["items"], root, depth + 1))
    if word == "object" and part.get("properties") and not part.get("additionalProperties"):
        fields = part["properties"].items()
        return Kind(
            "struct",
            fields=tuple((name, of_json_schema(field, root, depth + 1)) for name, field in fields),
        )
    return SIMPLE.get(word, JSON)


def _merge(
    name: str, other: Kind | None, kind: Kind, place: Place, first: Mapping[str, tuple[str, Place]]
) -> Kind:
    if len(kinds := _widened({other or kind, kind})) == 1:
        return kinds.pop()
    if name == sources.COLUMN and other is not None:  # of scenarios whose sources have other names
        ids = dict(other.fields)
        if all(ids.setdefault(source, of) == of for source, of in kind.fields):
            return Kind("struct", fields=tuple(ids.items()))
    scenario, spot = first[name]
    raise InputError(
        f"the column {name!r} is {kind} here and {other} in scenario {scenario!r} ({spot}) of the same dataset",
        place=place,
        hint="rename one, or give one of the scenarios a `dataset` of its own",
    )


def _place(scenario: ScenarioPlan, name: str) -> Place:
    places = {axis.name: axis.place for axis in scenario.scenario.axes}
    places |= {column: draw.place for draw in scenario.scenario.draws for column in draw.columns}
    return places.get(name) or scenario.scenario.schema.place(name)


def _widened(kinds: set[Kind]) -> set[Kind]:
    """The kinds, whole numbers among others being numbers like them."""
    return {NUMBER} if kinds == {INTEGER, NUMBER} else kinds


def _scalar(value: object) -> Kind:
    if isinstance(value, bool):
        return BOOLEAN
    if isinstance(value, int):
        return INTEGER
    return NUMBER if isinstance(value, float) else STRING


def text_fields(scenario: ScenarioPlan, chosen: Sequence[str] | None) -> tuple[str, ...]:
    """The fields that gates and similarity measure: those chosen, else every field with free
    text that is not taken over."""
    if chosen is not None:
        return tuple(chosen)
    row, filled = scenario.scenario.schema.row, scenario.scenario.words.fill
    fields = ((n, part) for n, part in row.get("properties", {}).items() if n not in filled)
    return tuple(name for name, part in fields if jsonschema.is_free_text(part, row))


def text_of(schema: jsonschema.Schema, fields: Mapping[str, Any], names: Sequence[str]) -> str:
    """The free texts within these fields of a row, a line each; enums and formats left out."""
    parts = schema.get("properties", {})
    return "\n".join(
        text
        for name in names
        if name in parts
        for text in jsonschema.texts(fields.get(name), parts[name], schema)
    )
