"""The small safe language of `keep`: comparisons, and/or/not, in, arithmetic, this file's names.

An expression is parsed by Python's own parser, every node is held against a short list, and
what passes is compiled once; it can call nothing and reach no attribute but those that the
scenario gave its axis values.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from builder import slips
from builder.errors import InputError, Place, nearest

_ALLOWED = (
    ast.Expression, ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.Not, ast.USub, ast.UAdd,
    ast.BinOp, ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Compare,
    ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.In, ast.NotIn, ast.Is, ast.IsNot,
    ast.Name, ast.Load, ast.Constant, ast.List, ast.Tuple, ast.Attribute,
)  # fmt: skip
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Expression:
    """One compiled line of `keep`."""

    text: str
    names: frozenset[str]
    place: Place
    _test: Callable[[Mapping[str, Any]], Any]

    def holds(self, variables: Mapping[str, Any]) -> bool:
        """Whether the expression is true of these names. A comparison with a missing value is not."""
        try:
            return bool(self._test(variables))
        except TypeError as error:
            if any(variables.get(name) is None for name in self.names):
                return False
            raise InputError(
                f"{self.text!r} cannot be decided: {error}", place=self.place
            ) from None
        except (ArithmeticError, AttributeError, KeyError, ValueError) as error:
            raise InputError(
                f"{self.text!r} cannot be decided: {error}", place=self.place
            ) from None


def parse(text: Any, known: Collection[str], place: Place) -> Expression:
    """The compiled expression. InputError says which part is not of the language."""
    if not isinstance(text, str) or not text.strip():
        hint = "quote the whole expression" if isinstance(text, list | dict) else ""
        raise InputError(f"expected an expression, found {text!r}", place=place, hint=hint)
    source = text.strip().replace("\n", " ")
    if len(source) > 2000:
        raise InputError("an expression has at most 2000 characters", place=place)
    try:
        tree = _quietly(lambda: ast.parse(source, mode="eval"))
        for node in ast.walk(tree):
            _check(node, known, place, source)
        names = frozenset(node.id for node in ast.walk(tree) if isinstance(node, ast.Name))
        code = _quietly(lambda: compile(_Guards().visit(tree), "<keep>", "eval"))
    except SyntaxError as error:
        offset = (error.offset or len(source) + 1) - 1
        raise InputError(
            f"not an expression: {error.msg} in {source!r}",
            place=_at(place, offset),
            hint=_syntax_hint(source),
        ) from None
    except (ValueError, RecursionError, MemoryError) as error:
        what = "nested too deeply" if isinstance(error, RecursionError) else error
        raise InputError(f"not an expression: {what} in {_short(source)!r}", place=place) from None

    def test(variables: Mapping[str, Any]) -> Any:
        return eval(code, _FUNCTIONS, variables)  # noqa: S307  (every node was checked)

    return Expression(source, names, place, test)


def _quietly(make: Callable[[], T]) -> T:
    """What `make` returns; what Python would only warn of is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return make()


def _check(node: ast.AST, known: Collection[str], place: Place, source: str) -> None:
    # Python counts columns in UTF-8 bytes, editors in characters.
    ahead = source.encode()[: getattr(node, "col_offset", 0)]
    at = _at(place, len(ahead.decode(errors="ignore")))
    if not isinstance(node, _ALLOWED):
        what = re.sub(r"(?<!^)(?=[A-Z])", " ", type(node).__name__).lower()
        raise InputError(
            f"{what} is not allowed in {source!r}",
            place=at,
            hint="comparisons, and, or, not, in, + - * / // %, names and plain values are",
        )
    if isinstance(node, ast.Name) and node.id not in known:
        raise InputError(
            f"{node.id!r} is no name of this file.{nearest(node.id, known)}",
            place=at,
            hint=f"names: {', '.join(sorted(known)) or 'none'}",
        )
    if isinstance(node, ast.Attribute) and (
        node.attr.startswith("_") or not isinstance(node.value, ast.Name)
    ):
        raise InputError(f"{node.attr!r} is not an attribute of an axis value", place=at)
    if isinstance(node, ast.Constant) and not isinstance(
        node.value, str | int | float | bool | None
    ):
        raise InputError(f"{node.value!r} is not a plain value", place=at)


class _Guards(ast.NodeTransformer):
    """`persona.age` looks up the attribute that the scenario gave, never one of Python's;
    `*` and `%` take numbers alone, for on text they make strings of any length."""

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        if not isinstance(node.op, ast.Mult | ast.Mod):
            return node
        name = "_times" if isinstance(node.op, ast.Mult) else "_modulo"
        call = ast.Call(func=ast.Name(name, ast.Load()), args=[node.left, node.right], keywords=[])
        return ast.fix_missing_locations(ast.copy_location(call, node))

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        call = ast.Call(
            func=ast.Name("_attribute", ast.Load()),
            args=[node.value, ast.Constant(node.attr)],
            keywords=[],
        )
        return ast.fix_missing_locations(ast.copy_location(call, node))


def _attribute(value: Any, name: str) -> Any:
    attributes = getattr(value, "attributes", {})
    if name not in attributes:
        raise AttributeError(
            f"{str(value)!r} has no attribute {name!r}.{nearest(name, attributes)}"
        )
    return attributes[name]


def _times(left: Any, right: Any) -> Any:
    return _number(left) * _number(right)


def _modulo(left: Any, right: Any) -> Any:
    return _number(left) % _number(right)


def _number(value: Any) -> Any:
    if not isinstance(value, int | float):
        raise TypeError(f"{value!r} is no number")
    return value


_FUNCTIONS = {
    "__builtins__": {},
    "_attribute": _attribute,
    "_times": _times,
    "_modulo": _modulo,
}


def _short(source: str) -> str:
    return source if len(source) < 80 else source[:79] + "…"


def _at(place: Place, offset: int) -> Place:
    return Place(place.file, place.line, place.column + offset)


def _syntax_hint(source: str) -> str:
    if slips.hint(source):
        return slips.hint(source)
    if re.search(r"(?<![<>=!])=(?!=)", source):
        return "compare with =="
    if "&&" in source or "||" in source:
        return "write and, or"
    return ""
