"""The names of a scenario: each one thing, none in the way of another, every axis put to use."""

import keyword
from collections.abc import Sequence

from builder.errors import InputError, Place, nearest
from builder.project import documents, draws, prompts, schemas
from builder.project.axes import Axis

_JINJA = "schema loop self super caller varargs kwargs range dict cycler joiner namespace"
_SPELT = "true false none"
# Names that mean something else in a template or an expression.
RESERVED = frozenset([*_JINJA.split(), *_SPELT.split(), *keyword.kwlist])


def names(
    document: documents.Document,
    given: Sequence[str],
    axes: Sequence[str],
    drawn: Sequence[draws.Draw],
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

    for section, words in (("given", given), ("vary", axes)):
        for word in words:
            add(word, document.place((section, word), key=True))
    for draw in drawn:
        for name in draw.names:
            add(name, draw.place)
    return places


def check_columns(
    axes: Sequence[Axis], drawn: Sequence[draws.Draw], schema: schemas.Schema
) -> None:
    """Passes where axes, drawn columns and fields, which share a row, have names of their own."""
    columns = [(axis.name, axis.place) for axis in axes]
    columns += [(name, draw.place) for draw in drawn if draw.in_dataset for name in draw.columns]
    for name, place in columns:
        if name in schema.columns:
            raise InputError(
                f"{name!r} is a column of this scenario and a field of {schema.name} at "
                f"{schema.place(name)}",
                place=place,
                hint="rename one of them: both would be the same column of the dataset",
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
    for axis in axes:
        if axis.name not in prompt.names.union(unused) and axis.name not in schema.words():
            raise InputError(
                f"the axis {axis.name!r} appears in neither the template nor the schema's module, "
                "so its labels would say nothing about the text",
                place=axis.place,
                hint=f"write {{{{ {axis.name} }}}} into {prompt.file.name}, or `unused: [{axis.name}]`",
            )
