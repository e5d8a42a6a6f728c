"""The names of a scenario: each one thing, none in the way of another, every axis put to use."""

from __future__ import annotations

import ast
import keyword
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from builder.errors import InputError, Place, nearest
from builder.project.documents import Document
from builder.project.draws import Draw
from builder.project.schemas import Schema
from builder.project.words import Words

if TYPE_CHECKING:
    from builder.project.scenarios import Scenario

_JINJA = "schema loop self super caller varargs kwargs range dict cycler joiner namespace"
_SPELT = "true false none"
RESERVED = frozenset([*_JINJA.split(), *_SPELT.split(), *keyword.kwlist])
"""Names that mean something else in a template or an expression."""


def variables(document: Document, words: Words, drawn: Sequence[Draw]) -> dict[str, Place]:
    """Every name that a template sees, with its line; a name of two things is an error."""
    found: dict[str, Place] = {}

    def add(name: Any, place: Place) -> None:
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
        if name in found:
            raise InputError(
                f"{name!r} is named twice: here and at line {found[name].line}", place=place
            )
        found[name] = place

    for section in ("given", "vary"):
        for name in words.given if section == "given" else words.vary:
            add(name, document.place((section, name), key=True))
    for draw in drawn:
        for name in draw.names:
            add(name, draw.place)
    return found


def held_apart(scenario: Scenario) -> None:
    """Axis, drawn and field names share one row of the dataset."""
    fields = scenario.schema.columns
    for axis in scenario.axes:
        if axis.name in fields:
            raise _clash(axis.name, axis.place, scenario.schema)
    for draw in scenario.draws:
        for name in draw.columns if draw.in_dataset else ():
            if name in fields:
                raise _clash(name, draw.place, scenario.schema)


def _clash(name: str, place: Place, schema: Schema) -> InputError:
    return InputError(
        f"{name!r} is a column of this scenario and a field of {schema.name} at {schema.place(name)}",
        place=place,
        hint="rename one of them: both would be the same column of the dataset",
    )


def axes_used(scenario: Scenario) -> None:
    """Every axis appears in the template or in the schema's module, unless `unused` names it."""
    mentioned = {
        node.id if isinstance(node, ast.Name) else str(node.value)
        for node in ast.walk(ast.parse(scenario.schema.source))
        if isinstance(node, ast.Name)
        or (isinstance(node, ast.Constant) and isinstance(node.value, str))
    }
    known = [axis.name for axis in scenario.axes]
    for number, name in enumerate(scenario.words.unused):
        if name not in known:
            raise InputError(
                f"'unused' names {name!r}, which is no axis.{nearest(name, known)}",
                place=scenario.document.place(("unused", number)),
            )
    for axis in scenario.axes:
        if axis.name in scenario.prompt.names or axis.name in mentioned:
            continue
        if axis.name not in scenario.words.unused:
            raise InputError(
                f"the axis {axis.name!r} appears in neither the template nor the schema's module, "
                "so its labels would say nothing about the text",
                place=axis.place,
                hint=f"write {{{{ {axis.name} }}}} into {scenario.prompt.file.name}, or `unused: [{axis.name}]`",
            )
