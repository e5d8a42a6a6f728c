"""Defaults of a schema that differ from run to run, so that the same answers make other rows."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python

# Functions that give something else at another time, place or try.
UNSTEADY = frozenset((
    "choice", "choices", "getpid", "gethostname", "getrandbits", "monotonic", "now", "perf_counter",
    "randbytes", "randint", "random", "randrange", "sample", "shuffle", "time", "time_ns", "today",
    "token_bytes", "token_hex", "token_urlsafe", "uniform", "urandom", "utcnow", "uuid1", "uuid4",
    "uuid6", "uuid7",
))  # fmt: skip


def models(model: type[BaseModel]) -> list[type[BaseModel]]:
    """The class and every class that its fields hold, itself first."""
    classes = [model]
    for known in classes:  # which grows as others are met
        parts = [info.annotation for info in known.model_fields.values()]
        while parts:
            part = parts.pop()
            parts += get_args(part)
            if isinstance(part, type) and issubclass(part, BaseModel) and part not in classes:
                classes.append(part)
    return classes


def unsteady(model: type[BaseModel], written: Mapping[str, ast.expr]) -> Iterator[str]:
    """The fields of one class whose default differs from run to run; `written` are the expressions
    behind its fields."""
    for name, info in model.model_fields.items():
        expression = written.get(name)
        if not info.exclude and (
            _factory_differs(info) or (expression is not None and _calls_unsteady(expression))
        ):
            yield name


def _factory_differs(info: FieldInfo) -> bool:
    factory: Callable[..., Any] | None = info.default_factory
    if factory is None:
        return False
    code = getattr(factory, "__code__", None)
    called = {getattr(factory, "__name__", ""), *(code.co_names if code else ())}
    if called & UNSTEADY:
        return True
    if info.default_factory_takes_validated_data:
        return False
    with suppress(Exception):  # what a factory raises is for validation to say
        return bool(to_jsonable_python(factory()) != to_jsonable_python(factory()))
    return False


def _calls_unsteady(expression: ast.expr) -> bool:
    """Whether a function that is called where a class is defined gives another value each time."""
    functions = [node.func for node in ast.walk(expression) if isinstance(node, ast.Call)]
    names = [getattr(function, "attr", getattr(function, "id", "")) for function in functions]
    return any(name in UNSTEADY for name in names)
