"""Columns that were drawn from a table, beside that table: in a dataset, and in a plan before
anything is asked."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from builder.errors import InputError
from builder.plan.plans import Plan, ScenarioPlan
from builder.project import scenarios
from builder.project.draws import Draw
from builder.quality import contexts, gates
from builder.quality.drift_gate import Drift
from builder.quality.findings import (
    Context,
    Evidence,
    Finding,
    Limits,
    limits_of,
)
from builder.table import frame
from builder.table.frame import Frame
from builder.table.tables import Table

MOST = 20_000
"""Planned cases that stand for all: those that the plan names first."""


def lines(
    scenario: ScenarioPlan,
    rows: Frame,
    limits: Limits,
    chosen_families: Sequence[str] = ("drift", "privacy"),
    held: Collection[str] = (),
) -> Iterator[Finding]:
    """Each line that draws from a table against that table, by the gates of these families; no
    drift for columns that are `held` against another reference.

    What axes or `keep` decide need not look like the table: its drift is shown and judged only
    where the scenario expects something of it.
    """
    known = gates.installed()
    for draw in contexts.tabled(scenario):
        assert draw.table is not None
        apart = any(name in held for name in draw.columns)
        chosen = [known[one] for one in chosen_families if not (apart and one == "drift")]
        beside = contexts.beside(draw.table, draw.columns)
        found = gates.judge(Evidence(rows.only(draw.columns), beside, Context()), limits, chosen)
        free = (
            contexts.conditioned(scenario, draw) and "drift" not in scenario.scenario.words.expect
        )
        yield from (_shown(one, draw) if free else one for one in found)


def notes(plan: Plan) -> list[str]:
    """Where planned rows drift from their table by more than somebody expects, a line each."""
    found: list[str] = []
    for dataset in plan.datasets:
        expected = plan.project.dataset_settings(dataset.name).expect
        loaded = [one.scenario for one in dataset.scenarios]
        table = scenarios.dataset_reference(plan.project, dataset.name, loaded)
        for scenario in dataset.scenarios:
            both = (expected, scenario.scenario.words.expect)
            if scenario.name in plan.wanted and any("drift" in one for one in both):
                found += _notes(scenario, both, scenario.scenario.reference or table)
    return found


def _notes(
    scenario: ScenarioPlan,
    expected: Sequence[Mapping[str, Any]],
    table: Table | None,
) -> Iterator[str]:
    if not scenario.scenario.columns():
        return
    cases = scenario.cases
    made = scenario.make(cases.index[:MOST], cases.occurrence[:MOST])
    rows = frame.from_rows([one.case.columns for one in made])
    limits = limits_of(*expected)
    try:
        if table is None:
            judged = list(lines(scenario, rows, limits, ["drift"]))
        else:
            judged = list(Drift()(Evidence(rows, contexts.beside(table), Context()), limits))
    except InputError as error:
        yield f"{scenario.name}: drift of the draws is not checked: {error.message}."
        return
    worst: dict[str, Finding] = {}
    for one in judged:
        if one.verdict == "fail":
            worst.setdefault(one.what, one)
    for column, one in worst.items():
        yield (
            f"{scenario.name}: planned {column} drifts from its table: "
            f"{one.gate.partition('.')[2]} {one.value:.3g}, at most {one.limit:g} is expected."
        )


def _shown(finding: Finding, draw: Draw) -> Finding:
    """Drift that the plan asked for: a figure, no verdict."""
    if not finding.gate.startswith("drift.") or finding.verdict == "too-few-rows":
        return finding
    why = f"drawn by {draw.by[0]}" if draw.by else "drawn within `keep`"
    return replace(finding, limit=None, verdict="pass", advice=f"{why}: shown, not judged")
