"""Gates by name.

Other packages add theirs with an entry point of the group `builder.gates`; the built-in ones
are known without one, and a name is never taken from them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.metadata import EntryPoint, entry_points

from builder.errors import InputError
from builder.quality import gates
from builder.quality.findings import (
    Evidence,
    Finding,
    Gate,
    Limits,
)

GROUP = "builder.gates"
BUILT_IN: Mapping[str, Gate] = {
    "diversity": gates.varied,
    "coverage": gates.reached,
    "drift": gates.moved,
    "privacy": gates.kept_private,
    "labels": gates.labelled,
}


def found() -> dict[str, Gate]:
    """Every gate, the built-in ones first, the others sorted by name."""
    others = sorted(
        (point for point in entry_points(group=GROUP) if point.name not in BUILT_IN),
        key=lambda point: point.name,
    )
    return {**BUILT_IN, **{point.name: _Foreign(point) for point in others}}


class _Foreign:
    """A gate of another package; what goes wrong in it is reported as its own fault."""

    def __init__(self, point: EntryPoint) -> None:
        self.point = point

    def __call__(self, evidence: Evidence, limits: Limits) -> Iterable[Finding]:
        try:
            gate: Gate = self.point.load()
            return list(gate(evidence, limits))
        except Exception as error:
            raise InputError(
                f"gate {self.point.name!r} ({self.point.value}) failed: "
                f"{type(error).__name__}: {error}",
                hint="mend or uninstall the package that brings it",
            ) from error
