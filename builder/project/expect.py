"""What `expect` may say: the measures that every gate declares, with the limits that hold by default.

A gate is known by its entry point of the group `builder.gates`. Its declaration is read here,
beneath the code that measures, so that a limit in a scenario is checked before anything is asked.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from builder.errors import nearest
from builder.plugins import PlugPoint

# The one word that is no measure: `drift: {table: tables/orders.csv}` names the reference.
TABLE = "table"
# The gates of ours in the order of a report; others come behind them, sorted.
ORDER = ("diversity", "coverage", "drift", "privacy", "labels")


@dataclass(frozen=True, slots=True)
class Measure:
    """One figure that a gate judges, with the limit that holds unless somebody sets another."""

    name: str
    """The word after the gate's: `ks` of `drift.ks`."""
    bound: float
    upper: bool
    """Whether the value must stay at or under the bound; else at or over it."""
    meaning: str
    """One line: what is so where the value lies beyond the bound."""
    strict: bool = True
    """Whether a value beyond the default fails; else it warns, unless somebody set the limit."""
    most: float | None = 1.0
    """The largest bound that means anything: 1 for shares and distances; None where there is none."""

    @property
    def default(self) -> str:
        """The limit in words.

        >>> Measure("ks", 0.1, upper=True, meaning="", strict=False).default
        'at most 0.1 (warns)'
        """
        return f"at {'most' if self.upper else 'least'} {self.bound:g}" + " (warns)" * (
            not self.strict
        )


class Declaration(Protocol):
    """What a gate says of itself; `builder.quality.findings.Gate` measures, too."""

    @property
    def name(self) -> str:
        """The word in `expect`, and the name of the entry point."""

    @property
    def asks(self) -> str:
        """The question that its measures answer, for people."""

    @property
    def measures(self) -> Sequence[Measure]:
        """At least one, each name once."""


class Problem(NamedTuple):
    """Something in an `expect` that means nothing."""

    path: tuple[str, ...]
    at_key: bool  # whether the word is wrong, not its value
    message: str
    hint: str = ""


def declaration_problems(name: str, gate: Declaration) -> Iterator[str]:
    """What is wrong with what a gate of this name says of itself, a line each."""
    if gate.name != name:
        yield f"its name is {gate.name!r}, unlike its entry point's"
    if not gate.measures or not all(isinstance(measure, Measure) for measure in gate.measures):
        yield "`measures` holds no Measure, or something else"
    if not isinstance(gate.asks, str):
        yield "`asks` is no text"


DECLARATIONS: PlugPoint[Declaration] = PlugPoint(
    "gate", "builder.gates", Declaration, instances=True, problems=declaration_problems
)


def ordered(names: Iterable[str]) -> list[str]:
    """Names of gates in the order of a report."""
    return sorted(
        names, key=lambda name: (ORDER.index(name) if name in ORDER else len(ORDER), name)
    )


def gates() -> dict[str, Declaration]:
    """What every gate says of itself, by its name, in the order of a report."""
    return {name: DECLARATIONS.load(name) for name in ordered(DECLARATIONS.names())}


def measures() -> dict[str, Measure]:
    """Every measure of every gate, as `gate.measure`."""
    return {
        f"{gate.name}.{measure.name}": measure
        for gate in gates().values()
        for measure in gate.measures
    }


def problems(written: Mapping[Any, Any]) -> Iterator[Problem]:
    """What is wrong with an `expect`, each with its place in it."""
    for name, limits in written.items():
        if name not in DECLARATIONS:
            names = ordered(DECLARATIONS.names())
            message = f"no gate {str(name)!r}.{nearest(str(name), names)}"
            yield Problem((str(name),), True, message, f"gates: {', '.join(names)}")
        elif isinstance(limits, Mapping):
            for measure, bound in limits.items():
                yield from _limit_problems(DECLARATIONS.load(name), str(measure), bound)
        else:
            first = DECLARATIONS.load(name).measures[0]
            hint = f"{name}: {{{first.name}: {first.bound:g}}}"
            yield Problem((name,), False, f"{name}: expected its measures", hint)


def json_schema() -> dict[str, Any]:
    """The JSON Schema of `expect`, for editors."""
    properties = {}
    for name, gate in gates().items():
        limits: dict[str, Any] = {
            measure.name: {
                "type": "number",
                "minimum": 0,
                "description": f"{measure.default} by default; beyond it {measure.meaning}",
                **({} if measure.most is None else {"maximum": measure.most}),
            }
            for measure in gate.measures
        }
        if name == "drift":
            limits[TABLE] = {"type": "string", "description": "the reference: a table"}
        properties[name] = {"type": "object", "properties": limits, "additionalProperties": False}
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _limit_problems(gate: Declaration, name: str, bound: object) -> Iterator[Problem]:
    path, known = (gate.name, name), {measure.name: measure for measure in gate.measures}
    drift = gate.name == "drift"
    if drift and name == TABLE:
        if not isinstance(bound, str) or not bound:
            yield Problem(path, False, "drift.table: expected the path of a table")
        return
    if name not in known:
        near = nearest(name, [*known, TABLE] if drift else known)
        message = f"gate {gate.name!r} measures no {name!r}.{near}"
        yield Problem(path, True, message, f"it measures {', '.join(known)}")
        return
    most = known[name].most
    if (
        not isinstance(bound, int | float)
        or isinstance(bound, bool)
        or not math.isfinite(bound)
        or not 0 <= bound <= (math.inf if most is None else most)
    ):
        wanted = "a number from 0" + ("" if most is None else f" to {most:g}")
        given = "nothing" if bound is None else repr(bound)
        yield Problem(path, False, f"{gate.name}.{name}: expected {wanted}, found {given}")
