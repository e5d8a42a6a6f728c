"""Where templates run: no way to attributes that begin with an underscore, no text without end,
and nothing whose print differs from one process to the next.

Jinja's immutable sandbox bars the first; it lets a template ask for a string of any length and
print the address of a method. Here every way to a longer text is bounded beforehand, as one
call into C could not be cut short, and what is no value is refused where it would be printed.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import Any

from jinja2 import nodes
from jinja2.compiler import CodeGenerator, Frame
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context, StrictUndefined, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from builder.errors import nearest
from builder.project.carriers import Carrier

MAX_TEXT = 2_000_000  # Characters of the longest text, rendered or on the way to it.
MAX_BITS = 4096  # Bits of the largest whole number that is multiplied.
WIDEST = 1000  # The most that a width, an indent or a batch may be.

_DROPPED = ("filesizeformat", "pprint", "random", "striptags", "urlize", "xmlattr")
_TEXT_METHODS = """
capitalize casefold count endswith find format format_map index isalnum isalpha isascii isdecimal
isdigit islower isnumeric isspace istitle isupper join lower lstrip partition removeprefix
removesuffix replace rfind rindex rpartition rsplit rstrip split splitlines startswith strip
swapcase title upper
"""
_METHODS: Mapping[type, frozenset[str]] = {
    str: frozenset(_TEXT_METHODS.split()),
    int: frozenset(["bit_count", "bit_length", "is_integer"]),
    float: frozenset(["is_integer"]),
    list: frozenset(["copy", "count", "index"]),
    tuple: frozenset(["count", "index"]),
    dict: frozenset(["copy", "get", "items", "keys", "values"]),
}
_PLAIN = (str, int, float, type(None), Undefined)


class _Code(CodeGenerator):
    """Has `~` go through `Environment.glued`."""

    def visit_Concat(self, node: nodes.Concat, frame: Frame) -> None:  # noqa: N802  (Jinja's own spelling)
        self.write("environment.glued((")
        for part in node.nodes:
            self.visit(part, frame)
            self.write(", ")
        self.write("))")


class Missing(StrictUndefined):
    """A name or attribute that is not there; its error says what is."""

    @property
    def _undefined_message(self) -> str:
        owner, name = self._undefined_obj, str(self._undefined_name)
        if self._undefined_hint or not isinstance(owner, dict | Carrier):
            return super()._undefined_message
        who = "a mapping" if isinstance(owner, dict) else repr(str(owner))
        known = list(map(str, owner if isinstance(owner, dict) else owner.attributes))
        listed = ", ".join(known) or "nothing"
        return f"{who} has no attribute {name!r}.{nearest(name, known)} It has: {listed}"


class Environment(ImmutableSandboxedEnvironment):
    """Jinja's sandbox with bounds, and with a scenario's own attributes and keys put first."""

    intercepted_binops = frozenset({"+", "*", "**", "%"})
    code_generator_class = _Code

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, finalize=_printable)
        for name in _DROPPED:
            self.filters.pop(name, None)
        self.globals.pop("lipsum", None)
        self.filters["tojson"] = _tojson
        self.filters["string"] = lambda value: str(_printable(value))
        for name, check in _CHECKS.items():
            self.filters[name] = _checked(self.filters[name], check)

    @staticmethod
    def concat(parts: Iterable[str]) -> str:
        """The parts as one text; SecurityError where it is longer than a prompt may be."""
        stream = iter(parts)
        joined = list(islice(stream, 100))
        room = MAX_TEXT - sum(map(len, joined))
        if room < 0:
            raise SecurityError(f"a text has at most {MAX_TEXT} characters")
        for part in stream:
            room -= len(part)
            if room < 0 or len(joined) > MAX_TEXT:
                raise SecurityError(f"a text has at most {MAX_TEXT} characters")
            joined.append(part)
        return "".join(joined)

    def glued(self, values: Iterable[object]) -> str:
        """The text that `~` makes of these values."""
        return self.concat(str(_printable(value)) for value in values)

    def getattr(self, obj: object, attribute: str) -> object:
        if isinstance(obj, Carrier) and attribute in obj.attributes:
            return obj.attributes[attribute]
        if isinstance(obj, dict) and attribute in obj:
            return obj[attribute]
        return super().getattr(obj, attribute)

    def is_safe_attribute(self, obj: object, attr: str, value: object) -> bool:
        if not super().is_safe_attribute(obj, attr, value):
            return False
        for kind, methods in _METHODS.items():
            if isinstance(obj, kind):
                return attr in methods
        return True

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        if (wrapped := super().wrap_str_format(value)) is not None:
            _check_widths(value.__self__)
        return wrapped

    def call(__self, __context: Context, __obj: Any, *args: object, **kwargs: object) -> object:  # noqa: N805  (Jinja's own spelling: no keyword may clash)
        owner = getattr(__obj, "__self__", None)
        if isinstance(owner, str) and __obj.__name__ == "join":
            args = (_join(args[0], owner),)
        elif isinstance(owner, str) and __obj.__name__ == "replace":
            _check_replace(owner, *args)
        return super().call(__context, __obj, *args, **kwargs)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> object:
        if operator == "**":
            raise SecurityError("'**' is not allowed in a template")
        numbers = isinstance(left, int | float) and isinstance(right, int | float)
        if operator == "+":
            if hasattr(left, "__len__") and hasattr(right, "__len__"):
                _check_length(len(left) + len(right))
        elif not numbers:
            other = "; write '%d'|format(n), or join with ~" * (operator == "%")
            raise SecurityError(f"{operator!r} takes numbers{other}")
        elif operator == "*" and _bits(left) + _bits(right) > MAX_BITS:
            raise SecurityError(f"a whole number has at most {MAX_BITS} bits")
        return super().call_binop(context, operator, left, right)


def _printable(value: object) -> object:
    """The value, if what it prints is the same in every process."""
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, list | tuple | dict):
        for part in (*value, *value.values()) if isinstance(value, dict) else value:
            str(part) if isinstance(part, Undefined) else _printable(part)
        return value
    kind = type(value).__name__
    if kind == "generator":
        raise SecurityError("a filter's results are printed one by one: add |join(', ') or |list")
    if callable(value):
        raise SecurityError("a function is called by (); an entry of a mapping is x['name']")
    raise SecurityError(f"a {kind} cannot be printed")


def _checked(filter_: Callable[..., Any], check: Callable[..., Any]) -> Callable[..., Any]:
    """The filter behind a check of its arguments; what Jinja notes on a filter is kept."""
    passed = getattr(filter_, "jinja_pass_arg", None)

    def checked(*args: object, **kwargs: object) -> object:
        context, values = (args[:1], args[1:]) if passed else ((), args)
        if (changed := check(*values, **kwargs)) is not None:
            values = (changed, *values[1:])
        return filter_(*context, *values, **kwargs)

    if passed is not None:
        checked.__dict__["jinja_pass_arg"] = passed
    return checked


def _bits(number: float) -> int:
    return number.bit_length() if isinstance(number, int) else 0


def _check_length(length: int) -> None:
    if length > MAX_TEXT:
        raise SecurityError(f"a text has at most {MAX_TEXT} characters")


def _check_narrow(*values: object) -> None:
    for value in values:
        if isinstance(value, int | float) and abs(value) > WIDEST:
            raise SecurityError(f"a width is at most {WIDEST}, not {value}")
        if isinstance(value, str) and len(value) > WIDEST:
            raise SecurityError(
                f"a text of {len(value)} characters stands where a short one belongs"
            )


def _check_widths(text: object) -> None:
    if re.search(r"%[-+ #0]*\d*\.?(\d{4}|\*)|\{[^{}]*:[^{}]*(\d{4}|\{)", str(text)):
        raise SecurityError(f"a width in {str(text)[:40]!r} is above {WIDEST} or not written out")


def _join(value: Any, d: object = "", attribute: object = None) -> list[object]:
    parts = list(value)
    for part in parts:
        _printable(part)
    if attribute is None:
        _check_length(sum(len(str(part)) for part in parts) + len(str(d)) * len(parts))
    else:
        _check_narrow(d)
    return parts


def _check_replace(s: object, old: object = "", new: object = "", *_: object, **__: object) -> None:
    text, part = str(s), str(old)
    _check_length(len(text) + (text.count(part) if part else len(text) + 1) * len(str(new)))


def _tojson(value: object, indent: int | None = None) -> str:
    """JSON as a model reads it best: Chinese left as it is, no HTML escapes."""
    _check_narrow(indent)
    return json.dumps(value, ensure_ascii=False, indent=indent)


# What each filter's arguments must be; a check may hand back the value that it used up.
_CHECKS: Mapping[str, Callable[..., Any]] = {
    "batch": lambda value, linecount, fill_with=None: _check_narrow(linecount),
    "center": lambda value, width=80: _check_narrow(width),
    "format": lambda value, *args, **kwargs: _check_widths(value),
    "indent": lambda s, width=4, first=False, blank=False: _check_narrow(width),
    "join": _join,
    "replace": _check_replace,
    "round": lambda value, precision=0, method="common": _check_narrow(precision),
    "slice": lambda value, slices, fill_with=None: _check_narrow(slices),
    "wordwrap": lambda s, width=79, break_long_words=True, wrapstring=None, break_on_hyphens=True: (
        _check_narrow(wrapstring)
    ),
}
