"""The findings of gates over one body of evidence."""

from collections.abc import Iterable

from builder.errors import BuilderError, InputError
from builder.plugins import PlugPoint
from builder.project import expect
from builder.quality.findings import Evidence, Finding, Gate, Limits

GATES: PlugPoint[Gate] = PlugPoint(
    "gate", "builder.gates", Gate, instances=True, problems=expect.declaration_problems
)


def installed() -> dict[str, Gate]:
    """Every gate by its name, in the order of a report."""
    return {name: GATES.load(name) for name in expect.ordered(GATES.names())}


def judge(evidence: Evidence, limits: Limits, gates: Iterable[Gate] | None = None) -> list[Finding]:
    """The findings over evidence that a report will want to look at again."""
    chosen = installed().values() if gates is None else gates
    return [finding for gate in chosen for finding in _findings(gate, evidence, limits)]


def passed(findings: Iterable[Finding]) -> bool:
    """Whether nothing failed; warnings and too few rows do not block."""
    return all(finding.verdict != "fail" for finding in findings)


def _findings(gate: Gate, evidence: Evidence, limits: Limits) -> list[Finding]:
    """The findings of one gate; what goes wrong in another package's is reported as its own fault."""
    if gate.name in expect.ORDER:
        return list(gate(evidence, limits))
    try:
        return list(gate(evidence, limits))
    except BuilderError:
        raise
    except Exception as error:
        raise InputError(
            f"gate {gate.name!r} ({type(gate).__module__}) failed: {type(error).__name__}: {error}",
            hint="repair or uninstall the package that brings it",
        ) from error
