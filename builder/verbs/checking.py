"""A dataset as it would be now, or anybody's corpus, held against every gate.

A report says what it was judged by: a digest of the rows, and one of all that decides a verdict.
While both are those of now, its findings are; nothing is measured twice.

The whole dataset is judged by the default limits under those of its project. What a scenario
expects is judged over its own rows; where it loosens a limit, the mix is not held to a
stricter one. Columns drawn from a table are held against that table, line by line, unless
another reference is named.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from builder.dataset import card, files, manifests
from builder.dataset.facts import report_of
from builder.errors import InputError, Place, nearest
from builder.plan.plans import DatasetPlan, Plan, ScenarioPlan
from builder.project import scenarios
from builder.quality import contexts, drawn, gates, reports
from builder.quality.findings import (
    Context,
    Evidence,
    Finding,
    Limits,
    limits_of,
)
from builder.records import Reject, digest_of
from builder.results import rows, settle
from builder.stats import features
from builder.store import Store
from builder.table.frame import Frame
from builder.table.kinds import TEXT
from builder.table.tables import Table


@dataclass(frozen=True, slots=True)
class Checked:
    """What the gates found, and what they looked at."""

    name: str
    evidence: Evidence
    findings: list[Finding]
    basis: Mapping[str, str] = field(default_factory=dict)
    """What the verdicts follow from; nothing where a caller chose what the rows were held against."""

    @property
    def passed(self) -> bool:
        """Whether no gate failed."""
        return gates.passed(self.findings)


def corpus(
    name: str, found: Frame, reference: Frame | None, *, semantic: features.Embed | None = None
) -> Checked:
    """Rows from anywhere against the default limits."""
    if reference is not None:
        comparable(found, reference)
    held = Evidence(found, reference, Context(semantic=semantic))
    return Checked(name, held, _judged(held, limits_of()))


def dataset(
    plan: Plan,
    one: DatasetPlan,
    store: Store,
    *,
    reference: Frame | None = None,
    semantic: features.Embed | None = None,
) -> Checked:
    """The rows that plan and store make now; no export is needed.

    `reference` goes before those that scenarios and project name.
    """
    named = reference or _named(plan, one)
    held, records = _gathered(one, store, named, semantic)
    expected = plan.project.dataset_settings(one.name).expect
    whole = _judged(held, _limits(one, expected))
    own = {s.name: limits_of(s.scenario.words.expect).chosen for s in one.scenarios}
    if len(one.scenarios) > 1:
        whole = [f for f in whole if f.gate not in own.get(f.what, {})]
        for scenario in one.scenarios:
            whole += _scenario(one, scenario, held, reference)
    for scenario in one.scenarios:
        whole += _draws(scenario, held, expected)
    judged_by = "" if reference else _judged_by(plan, one)
    return Checked(one.name, held, whole, {"records": records, "judged_by": judged_by})


def write(folder: Path, found: Checked) -> None:
    """Puts report.html and report.json into a folder, and into the card that is there."""
    reports.write(folder, found.name, found.evidence, found.findings, found.basis)
    card.renew(folder)


def current(plan: Plan, one: DatasetPlan, folder: Path) -> list[Finding] | None:
    """The findings in a dataset's folder; None where they are about other rows than the folder's,
    or were judged by other limits or references than those of now."""
    manifest = manifests.read(folder)
    report = report_of(folder, manifest) if manifest else None
    if report is None or report.basis.judged_by != _judged_by(plan, one):
        return None
    return report.restored()


def _judged_by(plan: Plan, one: DatasetPlan) -> str:
    """A digest of all but the rows that a verdict follows from."""
    settings = plan.project.dataset_settings(one.name)
    named = [_reference(plan, one), *(s.scenario.reference for s in one.scenarios)]
    tables = [files.digest(table.source) if table and table.source else "" for table in named]
    return digest_of([
        version("text-dataset-builder"), list(gates.installed()), settings.expect, settings.text,
        manifests.sources(plan, one), tables,
    ]).hex()  # fmt: skip


def evidence(
    one: DatasetPlan,
    store: Store,
    reference: Frame | None = None,
    semantic: features.Embed | None = None,
) -> Evidence:
    """The rows that plan and store make now, beside a reference."""
    return _gathered(one, store, reference, semantic)[0]


def _gathered(
    one: DatasetPlan, store: Store, reference: Frame | None, semantic: features.Embed | None
) -> tuple[Evidence, str]:
    """The same, with the digest of the rows."""
    refused: Counter[str] = Counter()
    content = rows.ContentDigest()

    def records() -> Iterator[Mapping[str, Any]]:
        for item in rows.read(settle.settle(one, store)).batches():
            if isinstance(item, Reject):
                refused[f"{item.stage}: {item.reason}"] += 1
            else:
                content.add(item)
                yield from rows.records(item.columns)

    found = contexts.rows(one, records())
    if reference is not None:
        comparable(found, reference)
    context = contexts.of_dataset(one, refused, semantic)
    return Evidence(found, reference, context), content.rows()


def comparable(found: Frame, reference: Frame) -> None:
    """InputError where rows and reference have nothing to be compared by."""
    shared = [name for name in found.columns if name in reference.columns]
    if shared or (found.of(TEXT) and reference.of(TEXT)):
        return
    near = next((n for c in reference.columns if (n := nearest(c, found.columns))), "")
    raise InputError(
        f"the reference shares no column with the rows.{near}",
        place=Place(reference.source, 1, 1) if reference.source else None,
        hint=f"its columns: {', '.join(reference.columns)}; theirs: {', '.join(found.columns)}",
    )


def _named(plan: Plan, one: DatasetPlan) -> Frame | None:
    """The reference that project or, for a dataset of one scenario, the scenario names."""
    table = _reference(plan, one)
    if table is None and len(one.scenarios) == 1:
        table = one.scenarios[0].scenario.reference
    return None if table is None else contexts.beside(table)


def _reference(plan: Plan, one: DatasetPlan) -> Table | None:
    """The table that the project names."""
    loaded = [scenario.scenario for scenario in one.scenarios]
    return scenarios.dataset_reference(plan.project, one.name, loaded)


def _limits(dataset: DatasetPlan, expected: Mapping[str, Any]) -> Limits:
    """The limits of a whole dataset: the project's over its scenarios', and where one of several
    scenarios loosens a strict limit, the loosest."""
    limits = limits_of(expected)
    if len(dataset.scenarios) == 1:
        return limits_of(expected, dataset.scenarios[0].scenario.words.expect)
    loosest: dict[str, float] = {}
    for scenario in dataset.scenarios:
        for name, bound in limits_of(scenario.scenario.words.expect).chosen.items():
            measure = limits.measures[name]
            if measure.strict:
                loosen = max if measure.upper else min
                loosest[name] = loosen(bound, loosest.get(name, measure.bound))
    return replace(limits, chosen={**loosest, **limits.chosen})


def _scenario(
    one: DatasetPlan, scenario: ScenarioPlan, whole: Evidence, reference: Frame | None
) -> list[Finding]:
    """What one scenario of several expects, over its own rows."""
    expected = scenario.scenario.words.expect
    if not expected:
        return []
    table = scenario.scenario.reference
    named = reference or (None if table is None else contexts.beside(table))
    mine = _rows_of(scenario, whole.rows)
    held = Evidence(mine, named, contexts.of_scenario(one, scenario, whole.context))
    limits = limits_of(expected)
    found = _judged(held, limits, list(expected))
    wanted = [f for f in found if f.gate in limits.chosen or f.verdict == "too-few-rows"]
    return _under(scenario, wanted)


def _draws(scenario: ScenarioPlan, whole: Evidence, expected: Mapping[str, Any]) -> list[Finding]:
    """Its columns that were drawn from tables, beside those; drift unless a reference has them."""
    limits = limits_of(expected, scenario.scenario.words.expect)
    named, table = whole.reference, scenario.scenario.reference
    held = {*(named.columns if named else ()), *(table.columns if table else ())}
    found = list(drawn.lines(scenario, _rows_of(scenario, whole.rows), limits, held=held))
    return _under(scenario, found) if whole.scenarios else found


def _rows_of(scenario: ScenarioPlan, rows: Frame) -> Frame:
    return rows.take([at for at, name in enumerate(rows.scenarios) if name == scenario.name])


def _under(scenario: ScenarioPlan, found: Iterable[Finding]) -> list[Finding]:
    """The findings with the scenario's name before what they measured."""
    return [
        replace(one, what=f"{scenario.name}: {one.what}" if one.what else scenario.name)
        for one in found
    ]


def _judged(held: Evidence, limits: Limits, names: Sequence[str] | None = None) -> list[Finding]:
    known = gates.installed()
    chosen = known if names is None else {name: known[name] for name in names}
    return gates.judge(held, limits, list(chosen.values()))
