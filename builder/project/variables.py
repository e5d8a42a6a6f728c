"""The names of a scenario: each one thing, none in the way of another, every axis put to use."""

import keyword
from collections.abc import Mapping, Sequence

from builder.errors import InputError, Place, nearest
from builder.project import documents, draws, prompts, schemas
from builder.project.axes import Axis
from builder.project.sources import Source
from builder.project.words import Words

_JINJA = "schema loop self super caller varargs kwargs range dict cycler joiner namespace"
_SPELT = "true false none"
# Names that mean something else in a template or an expression.
RESERVED = frozenset([*_JINJA.split(), *_SPELT.split(), *keyword.kwlist])


def names(
    document: documents.Document,
    given: Sequence[str],
    axes: Sequence[Axis],
    drawn: Sequence[draws.Draw],
    sources: Sequence[Source] = (),
) -> dict[str, Place]:
    """Every name that a template sees, with its line; a name of two things is an error."""
    places: dict[str, Place] = {}

    def add(name: documents.Step, place: Place) -> None:
        if not isinstance(name, str) or not name.isidentifier() or name.startswith("_"):
            raise InputError(
                f"{name!r} is no name for a variable",
                place=place,
                hint="letters of any script, digits and _, not beginning with a digit or _",
            )
        if name in RESERVED:
            raise InputError(
                f"{name!r} means something else in templates; take another", place=place
            )
        if name in places:
            raise InputError(
                f"{name!r} is named twice: here and at line {places[name].line}", place=place
            )
        places[name] = place

    for word in given:
        add(word, document.place(("given", word), key=True))
    for source in sources:
        add(source.name, source.place)
        for theirs, mine in source.take.items():
            add(mine, source.at(f"take.{theirs}"))
    for axis in axes:
        add(axis.name, document.place(("vary", axis.name), key=True))
        for mine in axis.take.values():
            add(mine, document.place(("vary", axis.name, "take")))
    for draw in drawn:
        for name in draw.names:
            add(name, draw.place)
    return places


def check_columns(
    axes: Sequence[Axis],
    drawn: Sequence[draws.Draw],
    schema: schemas.Schema,
    sources: Sequence[Source] = (),
    fill: Sequence[str] = (),
) -> None:
    """Passes where axes, taken and drawn columns and fields, which share a row, have names of their
    own, but for those that fill a field."""
    columns = [(axis.name, axis.place) for axis in axes]
    columns += [(m, s.at(f"take.{theirs}")) for s in sources for theirs, m in s.take.items()]
    columns += [(mine, axis.place) for axis in axes for mine in axis.take.values()]
    columns += [(name, draw.place) for draw in drawn if draw.in_dataset for name in draw.columns]
    # A source beside a field of its name would be asked for what is there already.
    columns += [(source.name, source.place) for source in sources]
    for name, place in columns:
        if name in schema.columns and name not in fill:
            raise InputError(
                f"{name!r} is a column of this scenario and a field of {schema.name} at "
                f"{schema.place(name)}",
                place=place,
                hint=f"rename one of them, or write `fill: [{name}]`: the field is then taken from it",
            )


def check_filled(
    words: Words,
    schema: schemas.Schema,
    available: Mapping[str, Place],
    document: documents.Document,
) -> None:
    """Passes where every filled field is a field and a name, and, where nobody is asked, no other
    field wants a value."""
    fields = schema.asked.get("properties", {})
    for number, name in enumerate(words.fill):
        known = fields if name not in fields else available
        if name not in fields or name not in available:
            what = f"field of {schema.name}" if known is fields else "name of this file"
            raise InputError(
                f"`fill` names {name!r}, which is no {what}.{nearest(name, known)}",
                place=document.place(("fill", number)),
                hint=f"{'fields' if known is fields else 'names'}: {', '.join(sorted(known))}",
            )
    lacking = [name for name in schema.asked.get("required", []) if name not in words.fill]
    if words.asks_nobody and lacking:
        raise InputError(
            f"`model: none` asks nobody, and nothing fills {', '.join(lacking)}",
            place=document.place(("model",)),
            hint=f"fill: [{', '.join([*words.fill, *lacking])}], each a name of this file",
        )


def check_axes_used(
    axes: Sequence[Axis],
    unused: Sequence[str],
    prompt: prompts.Prompt,
    schema: schemas.Schema,
    document: documents.Document,
) -> None:
    """Passes where every axis appears in the template or in the schema's module, or in `unused`."""
    known = [axis.name for axis in axes]
    for number, name in enumerate(unused):
        if name not in known:
            raise InputError(
                f"'unused' names {name!r}, which is no axis.{nearest(name, known)}",
                place=document.place(("unused", number)),
            )
    for axis in axes if prompt.files else ():
        if axis.name not in prompt.names.union(unused) and axis.name not in schema.words():
            raise InputError(
                f"the axis {axis.name!r} appears in neither the template nor the schema's module, "
                "so its labels would say nothing about the text",
                place=axis.place,
                hint=f"write {{{{ {axis.name} }}}} into {prompt.file.name}, or `unused: [{axis.name}]`",
            )
