"""Findings about columns that were drawn from a table, against that table: in a dataset, and in a
plan before anything is asked."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from builder.errors import InputError
from builder.plan.planned import ScenarioPlan
from builder.plan.plans import Plan
from builder.project import draws
from builder.quality import contexts, drift, gates
from builder.quality.findings import (
    Context,
    Evidence,
    Finding,
    Limits,
    limits_of,
)
from builder.table import frame, tables

MOST = 20_000  # planned cases that stand for all: those that the plan names first


def lines(
    scenario: ScenarioPlan,
    rows: frame.Frame,
    limits: Limits,
    names: Sequence[str] = ("drift", "privacy"),
    held: Collection[str] = (),
) -> Iterator[Finding]:
    """Findings about each line of `draw` that draws from a table, by the gates of these names; no
    drift for columns that are `held` against another reference.

    What axes or `keep` decide need not look like the table: its drift is shown and judged only
    where the scenario expects something of it.
    """
    installed = gates.installed()
    for draw in contexts.tabled(scenario):
        assert draw.table is not None
        referred = any(column in held for column in draw.columns)
        chosen = [installed[name] for name in names if not (referred and name == "drift")]
        evidence = Evidence(
            rows.only(draw.columns), contexts.beside(draw.table, draw.columns), Context()
        )
        free = (
            contexts.conditioned(scenario, draw) and "drift" not in scenario.scenario.words.expect
        )
        for finding in gates.judge(evidence, limits, chosen):
            yield _unjudged(finding, draw) if free else finding


def notes(plan: Plan) -> list[str]:
    """Lines about planned rows that drift from their table by more than somebody expects."""
    lines: list[str] = []
    for dataset in plan.datasets:
        expected = plan.project.dataset_settings(dataset.name).expect
        table = contexts.reference(plan, dataset)
        for scenario in dataset.scenarios:
            both = (expected, scenario.scenario.words.expect)
            if scenario.name in plan.wanted and any("drift" in expect for expect in both):
                lines += _notes(scenario, both, scenario.scenario.reference or table)
    return lines


def _notes(
    scenario: ScenarioPlan,
    expected: Sequence[Mapping[str, Any]],
    table: tables.Table | None,
) -> Iterator[str]:
    if not scenario.scenario.columns():
        return
    cases = scenario.cases
    planned = scenario.make(cases.index[:MOST], cases.occurrence[:MOST])
    rows = frame.from_rows([row.case.columns for row in planned])
    limits = limits_of(*expected)
    try:
        if table is None:
            findings = list(lines(scenario, rows, limits, ["drift"]))
        else:
            findings = list(
                drift.Drift()(Evidence(rows, contexts.beside(table), Context()), limits)
            )
    except InputError as error:
        yield f"{scenario.name}: drift of the draws is not checked: {error.message}."
        return
    worst: dict[str, Finding] = {}
    for finding in findings:
        if finding.verdict == "fail":
            worst.setdefault(finding.what, finding)
    for column, finding in worst.items():
        measure = finding.gate.partition(".")[2]
        yield (
            f"{scenario.name}: planned {column} drifts from its table: "
            f"{measure} {finding.value:.3g}, at most {finding.limit:g} is expected."
        )


def _unjudged(finding: Finding, draw: draws.Draw) -> Finding:
    """The finding without its verdict: drift that the plan asked for is shown."""
    if not finding.gate.startswith("drift.") or finding.verdict == "too-few-rows":
        return finding
    why = f"drawn by {draw.by[0]}" if draw.by else "drawn within `keep`"
    return replace(finding, limit=None, verdict="pass", advice=f"{why}: shown, not judged")
