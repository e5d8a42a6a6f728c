"""The small safe language of `keep`: comparisons, and/or/not, in, arithmetic, this file's names.

An expression is parsed by Python's own parser, every node is held against a short list, and
what passes is compiled once; it can call nothing and reach no attribute but those that the
scenario gave its axis values.
"""

import ast
import re
import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from types import CodeType
from typing import Any

from builder.errors import InputError, Place, nearest
from builder.project import carriers, typos

_ALLOWED = (
    ast.Expression, ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.Not, ast.USub, ast.UAdd,
    ast.BinOp, ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Compare,
    ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.In, ast.NotIn, ast.Is, ast.IsNot,
    ast.Name, ast.Load, ast.Constant, ast.List, ast.Tuple, ast.Attribute,
)  # fmt: skip
_SIGNS = str.maketrans({"≤": "<=", "≥": ">=", "≠": "!=", "×": "*", "÷": "/"})
_SPELT = {"none": "None", "null": "None", "true": "True", "false": "False"}
SHOWN = 20  # Values of an axis that an error lists.
# Signs of other languages, and what is written here instead.
_HABITS = {r"(?<![<>=!])=(?!=)": "compare with ==", r"&&|\|\|": "write and, or"}


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled line of `keep`; `texts` says of names why they are no numbers."""

    text: str
    names: frozenset[str]
    place: Place
    texts: Mapping[str, str]
    attributes: frozenset[tuple[str, str]]  # of axis values in it: axis and name
    _code: CodeType

    def holds(self, variables: Mapping[str, Any]) -> bool:
        """Whether the expression is true of these names. A comparison with a missing value is not."""
        try:
            # Every node of the code was checked.
            return bool(eval(self._code, _FUNCTIONS, variables))  # noqa: S307
        except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError) as error:
            of_kinds = isinstance(error, TypeError)
            if of_kinds and self.lacks(variables):
                return False
            reasons = [text for name, text in self.texts.items() if of_kinds and name in self.names]
            raise InputError(
                f"{self.text!r} cannot be decided: {error}",
                place=self.place,
                hint="\n  ".join(reasons),
            ) from None

    def lacks(self, variables: Mapping[str, Any]) -> list[str]:
        """Its names and attributes that have no value among these variables."""
        names = [name for name in self.names if variables.get(name) is None]
        return names + [
            f"{name}.{attribute}"
            for name, attribute in self.attributes
            if carriers.attributes(variables.get(name)).get(attribute, "") is None
        ]


@dataclass(frozen=True, slots=True)
class Names:
    """The names that an expression may use, and what is known of them."""

    known: Collection[str]
    values: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    fields: Collection[str] = ()  # fields of the answer, which is not there yet
    # Names that look like numbers and are texts, each with the reason.
    texts: Mapping[str, str] = field(default_factory=dict)

    def holding(self, value: str) -> str:
        """The axis that has this value; empty where none has."""
        return next((name for name, values in self.values.items() if value in values), "")


def parse(text: object, names: Names, place: Place) -> Expression:
    """The compiled expression. InputError says which part is not of the language."""
    if not isinstance(text, str) or not text.strip():
        hint = "quote the whole expression" if isinstance(text, list | dict) else ""
        raise InputError(f"expected an expression, found {text!r}", place=place, hint=hint)
    source = text.strip().replace("\n", " ")
    if len(source) > 2000:
        raise InputError("an expression has at most 2000 characters", place=place)
    try:
        with warnings.catch_warnings(action="error"):  # what Python would only warn of
            tree = ast.parse(source, mode="eval")
            for node in ast.walk(tree):
                _check(node, names, place, source)
            used = frozenset(node.id for node in ast.walk(tree) if isinstance(node, ast.Name))
            attributes = frozenset(
                (node.value.id, node.attr)
                for node in ast.walk(tree)
                if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
            )
            code = compile(_Guards().visit(tree), "<keep>", "eval")
    except SyntaxError as error:
        offset = (error.offset or len(source) + 1) - 1
        raise InputError(
            f"not an expression: {error.msg} in {source!r}",
            place=place._replace(column=place.column + offset),
            hint=_syntax_hint(source),
        ) from None
    except (ValueError, RecursionError, MemoryError) as error:
        what = "nested too deeply" if isinstance(error, RecursionError) else error
        short = source if len(source) < 80 else source[:79] + "…"
        raise InputError(f"not an expression: {what} in {short!r}", place=place) from None
    return Expression(source, used, place, names.texts, attributes, code)


def _check(node: ast.AST, names: Names, place: Place, source: str) -> None:
    at = _node_place(node, place, source)
    if not isinstance(node, _ALLOWED):
        what = re.sub(r"(?<!^)(?=[A-Z])", " ", type(node).__name__).lower()
        raise InputError(
            f"{what} is not allowed in {source!r}",
            place=at,
            hint="comparisons, and, or, not, in, + - * / // %, names and plain values are",
        )
    if isinstance(node, ast.Name) and node.id not in names.known:
        raise _unknown(node.id, names, at)
    if isinstance(node, ast.Compare):
        _known_values(node, names, place, source)
    if isinstance(node, ast.Attribute) and (
        node.attr.startswith("_") or not isinstance(node.value, ast.Name)
    ):
        raise InputError(f"{node.attr!r} is not an attribute of an axis value", place=at)
    if isinstance(node, ast.Constant) and not isinstance(
        node.value, str | int | float | bool | None
    ):
        raise InputError(f"{node.value!r} is not a plain value", place=at)


def _node_place(node: ast.AST, place: Place, source: str) -> Place:
    # Python counts columns in UTF-8 bytes, editors in characters.
    ahead = source.encode()[: getattr(node, "col_offset", 0)]
    return place._replace(column=place.column + len(ahead.decode(errors="ignore")))


def _unknown(name: str, names: Names, at: Place) -> InputError:
    if axis := names.holding(name):
        return InputError(
            f"{name!r} is a value of {axis!r}: write {name!r} with its quotes", place=at
        )
    if name in names.fields:
        return InputError(
            f"{name!r} is a field of the answer, and `keep` chooses what is asked",
            place=at,
            hint="answers are checked by a validator of the schema",
        )
    spelt = _SPELT.get(name.lower(), "")
    hint = f"write {spelt}" if spelt else f"names: {', '.join(sorted(names.known)) or 'none'}"
    return InputError(
        f"{name!r} is no name of this file.{nearest(name, names.known)}", place=at, hint=hint
    )


def _known_values(node: ast.Compare, names: Names, place: Place, source: str) -> None:
    """A text that is compared with an axis is one of its values."""
    sides = [node.left, *node.comparators]
    for left, sign, right in zip(sides, node.ops, sides[1:], strict=False):
        pairs = [(left, right)]
        if isinstance(sign, ast.Eq | ast.NotEq):
            pairs.append((right, left))
        elif isinstance(sign, ast.In | ast.NotIn) and isinstance(right, ast.List | ast.Tuple):
            pairs = [(left, element) for element in right.elts]
        else:
            continue
        for axis, text in pairs:
            if not (isinstance(axis, ast.Name) and isinstance(text, ast.Constant)):
                continue
            values = names.values.get(axis.id, [text.value])
            if isinstance(text.value, str) and text.value not in values:
                listed = ", ".join(repr(value) for value in values[:SHOWN])
                raise InputError(
                    f"{text.value!r} is no value of {axis.id!r}."
                    f"{nearest(text.value, [value for value in values if isinstance(value, str)])}",
                    place=_node_place(text, place, source),
                    hint=f"values of {axis.id!r}: {listed}{', …' * (len(values) > SHOWN)}",
                )


class _Guards(ast.NodeTransformer):
    """`persona.age` looks up the attribute that the scenario gave, never one of Python's;
    `*` and `%` take numbers alone, for on text they make strings of any length.
    """

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.op, ast.Mult | ast.Mod):
            node.left, node.right = _call("_number", node.left), _call("_number", node.right)
        return node

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        return _call("_attribute", node.value, ast.Constant(node.attr))


def _call(name: str, value: ast.expr, *args: ast.expr) -> ast.Call:
    call = ast.Call(func=ast.Name(name, ast.Load()), args=[value, *args], keywords=[])
    return ast.fix_missing_locations(ast.copy_location(call, value))


def _attribute(value: object, name: str) -> object:
    attributes = carriers.attributes(value)
    if name not in attributes:
        raise AttributeError(
            f"{str(value)!r} has no attribute {name!r}.{nearest(name, attributes)}"
        )
    return attributes[name]


def _number(value: object) -> float:
    if not isinstance(value, int | float):
        raise TypeError(f"{value!r} is no number")
    return value


_FUNCTIONS = {"__builtins__": {}, "_attribute": _attribute, "_number": _number}


def _syntax_hint(source: str) -> str:
    plain = source.translate(_SIGNS)
    signs = typos.hint(source) or (f"write {plain}" if plain != source else "")
    return signs or next((hint for sign, hint in _HABITS.items() if re.search(sign, source)), "")
