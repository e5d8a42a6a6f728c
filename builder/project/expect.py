"""What `expect` may say: every measure that a gate judges, with the limit that holds by default."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from builder.errors import nearest

TABLE = "table"
"""The one word that is no measure: `drift: {table: tables/orders.csv}` names the reference."""


class Limit(NamedTuple):
    """A default limit."""

    bound: float
    upper: bool
    """Whether the value must stay at or under the bound; else at or over it."""
    strict: bool = True
    """Whether a value beyond the default fails; else it warns, unless somebody set the limit."""
    most: float = 1.0
    """The largest bound that means anything: 1 for shares and distances."""


LIMITS: Mapping[str, Limit] = {
    "diversity.distinct_1": Limit(0.02, upper=False),
    "diversity.distinct_2": Limit(0.2, upper=False),
    "diversity.compression": Limit(8.0, upper=True, most=math.inf),
    "diversity.vendi": Limit(3.0, upper=False, most=math.inf),
    "diversity.near_duplicates": Limit(0.02, upper=True),
    "coverage.combinations": Limit(0.95, upper=False),
    "coverage.reference": Limit(0.8, upper=False),
    "drift.mean_shift": Limit(0.1, upper=True, most=math.inf),
    "drift.ks": Limit(0.1, upper=True),
    "drift.js": Limit(0.1, upper=True),
    "drift.psi": Limit(0.2, upper=True, most=math.inf),
    "drift.cramer": Limit(0.1, upper=True),
    "drift.classifier": Limit(0.9, upper=True, strict=False),
    "privacy.copied_rows": Limit(0, upper=True, most=math.inf),
    "privacy.copied_texts": Limit(0, upper=True, most=math.inf),
    "privacy.verbatim": Limit(0, upper=True, most=math.inf),
    "privacy.closest": Limit(0.6, upper=True),
    "privacy.too_close": Limit(0.15, upper=True),
    "privacy.pii": Limit(0, upper=True, most=math.inf),
    "privacy.placeholders": Limit(0, upper=True, strict=False, most=math.inf),
    "labels.length": Limit(0.9, upper=True, strict=False),
    "labels.shares": Limit(0.1, upper=True, strict=False),
}
"""By `family.measure`; docs/gates.md explains each."""


class Problem(NamedTuple):
    """Something in an `expect` that means nothing."""

    path: tuple[str, ...]
    """Beneath `expect`."""
    at_key: bool
    """Whether the word is wrong, not its value."""
    message: str
    hint: str = ""


def families() -> list[str]:
    """The words that `expect` knows: drift, diversity, …"""
    return list(dict.fromkeys(gate.partition(".")[0] for gate in LIMITS))


def measures(family: str) -> list[str]:
    """The words that a family knows."""
    return [gate.partition(".")[2] for gate in LIMITS if gate.startswith(f"{family}.")]


def problems(written: Mapping[Any, Any]) -> Iterator[Problem]:
    """What is wrong with an `expect`, each with its place in it."""
    for family, inside in written.items():
        if family not in families():
            message = f"no gate {str(family)!r}.{nearest(str(family), families())}"
            yield Problem((str(family),), True, message, f"gates: {', '.join(families())}")
        elif not isinstance(inside, Mapping):
            hint = f"{family}: {{{measures(family)[0]}: {LIMITS[_first(family)].bound:g}}}"
            yield Problem((family,), False, f"{family}: expected its measures", hint)
        else:
            for measure, bound in inside.items():
                yield from _measure(family, str(measure), bound)


def json_schema() -> dict[str, Any]:
    """The JSON Schema of `expect`, for editors."""
    inside = {}
    for family in families():
        numbers: dict[str, Any] = {}
        for measure in measures(family):
            limit = LIMITS[f"{family}.{measure}"]
            numbers[measure] = {
                "type": "number",
                "minimum": 0,
                "description": f"at {'most' if limit.upper else 'least'}; {limit.bound:g} by default",
                **({} if math.isinf(limit.most) else {"maximum": limit.most}),
            }
        if family == "drift":
            numbers[TABLE] = {"type": "string", "description": "the reference: a table"}
        inside[family] = {"type": "object", "properties": numbers, "additionalProperties": False}
    return {"type": "object", "properties": inside, "additionalProperties": False}


def _first(family: str) -> str:
    return f"{family}.{measures(family)[0]}"


def _measure(family: str, measure: str, bound: Any) -> Iterator[Problem]:
    path, known = (family, measure), measures(family)
    if family == "drift" and measure == TABLE:
        if not isinstance(bound, str) or not bound:
            yield Problem(path, False, "drift.table: expected the path of a table")
        return
    if measure not in known:
        words = [*known, *([TABLE] if family == "drift" else [])]
        message = f"gate {family!r} measures no {measure!r}.{nearest(measure, words)}"
        yield Problem(path, True, message, f"it measures {', '.join(known)}")
        return
    most = LIMITS[f"{family}.{measure}"].most
    number = isinstance(bound, int | float) and not isinstance(bound, bool)
    if not number or not math.isfinite(bound) or not 0 <= bound <= most:
        wanted = "a number from 0" + ("" if math.isinf(most) else f" to {most:g}")
        shown = "nothing" if bound is None else repr(bound)
        yield Problem(path, False, f"{family}.{measure}: expected {wanted}, found {shown}")
