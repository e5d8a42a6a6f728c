"""check: a dataset as it would be now, or anybody's rows, held to every gate.

A report says what it was judged by: a digest of the rows, and one of all that decides a verdict.
While both are those of now, its findings are; nothing is measured twice.

The whole dataset is judged by the default limits under those of its project. What a scenario
expects is judged over its own rows; where it loosens a limit, the mix is not held to a
stricter one. Columns drawn from a table are compared with that table, line by line, unless
another reference is named.
"""

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from builder import io, store
from builder.dataset import card, exports, files, manifests
from builder.errors import InputError, Place, nearest
from builder.plan.planned import ScenarioPlan
from builder.plan.plans import DatasetPlan, Plan
from builder.project import settings
from builder.quality import contexts, drawn, gates, labels, report_file, reports
from builder.quality.findings import (
    Context,
    Evidence,
    Finding,
    Limits,
    limits_of,
)
from builder.records import Reject, digest_of
from builder.results import rows as results_rows
from builder.results import settle
from builder.stats import features, minilm
from builder.store import Store
from builder.table import frame, tables
from builder.verbs import result, scope


@dataclass(frozen=True, slots=True)
class Checked:
    """The findings of the gates over one dataset, and the evidence that they looked at."""

    name: str
    evidence: Evidence
    findings: list[Finding]
    basis: Mapping[str, str] = field(default_factory=dict)
    """What the verdicts follow from; nothing where a caller chose the reference."""
    folder: Path | None = None

    def report(self) -> bytes:
        return report_file.of(self.name, self.evidence, self.findings, self.basis).to_json()


@dataclass(frozen=True, slots=True, repr=False)
class CheckResult(result.Result):
    """The verdicts over one dataset or several; one record a finding."""

    datasets: Sequence[Checked]

    def __iter__(self) -> Iterator[Finding]:
        return (finding for checked in self.datasets for finding in checked.findings)

    @property
    def passed(self) -> bool:
        return gates.passed(self)

    def notes(self) -> list[str]:
        """How columns of the rows and of references were read that were not plain, a line each."""
        sides = (side for c in self.datasets for side in (c.evidence.rows, c.evidence.reference))
        return list(
            dict.fromkeys(note for side in sides if side is not None for note in side.notes)
        )

    def summary(self) -> str:
        verdicts = Counter(finding.verdict for finding in self)
        counts = ", ".join(f"{number:,} {verdict}" for verdict, number in verdicts.items())
        names = ", ".join(checked.name for checked in self.datasets)
        return f"{names}: {counts or 'nothing to judge'}"

    def records(self) -> Iterator[Mapping[str, object]]:
        for checked in self.datasets:
            for finding in checked.findings:
                yield {
                    "dataset": checked.name,
                    "verdict": finding.verdict,
                    "gate": finding.gate,
                    "what": finding.what,
                    "value": finding.value,
                    "limit": finding.limit,
                    "advice": finding.advice,
                }


@dataclass(frozen=True, slots=True)
class Audit:
    """What a store holds, and the keys of the answers in it that are damaged."""

    answers: int
    others: int
    """Replies that were no answers."""
    damaged: tuple[str, ...]


def check(
    folder: str | Path,
    name: str | Path | None = None,
    *,
    reference: str | Path | None = None,
    report: Path | None = None,
    semantic: bool = False,
    rows: int | None = None,
    model: str | None = None,
) -> CheckResult:
    """Judges a dataset of the project, or the rows in a file or folder; all datasets by default.

    A dataset's report goes into its folder, or into `report`; that of other rows into `report`
    alone. `reference` is a path to real rows or texts; `semantic` compares by sentence vectors.
    """
    known = None if reference is None else frame.read(Path(reference))
    embed = minilm.load() if semantic else None
    path = None if rows or model else _path(folder, name)
    if path is not None:
        compared = _release(_released(path), known)
        content = frame.read(path)
        comparable(content, compared)
        context = Context(semantic=embed, splits=labels.shares(content.splits))
        evidence = Evidence(content, compared, context)
        checked = Checked(path.name, evidence, gates.judge(evidence, limits_of()))
        return CheckResult([checked if report is None else write(report, checked)])
    plan = scope.plan_of(folder, rows=rows, model=model)
    chosen = scope.datasets(plan, [str(name)] if name else [])
    with store.reading(plan.project.store) as answers:
        judged = [
            judge_dataset(plan, d, answers, reference=_release(d.name, known), semantic=embed)
            for d in chosen
        ]
    homes = [exports.folder(plan, d) for d in chosen]
    if report is not None:
        homes = [report] if len(chosen) == 1 else [report / d.name for d in chosen]
    return CheckResult([write(*pair) for pair in zip(homes, judged, strict=True)])


def audit(folder: Path) -> Audit:
    """What the store holds, read whole: every checksum, every page. Raises StoreError."""
    with store.reading(settings.Project.find(folder).store) as answers:
        damaged = answers.audit()
        return Audit(answers.count(), answers.count("attempts"), tuple(map(str, damaged)))


def judge_dataset(
    plan: Plan,
    dataset: DatasetPlan,
    answers: Store,
    *,
    reference: frame.Frame | None = None,
    semantic: features.Embed | None = None,
) -> Checked:
    """The verdicts over the rows that plan and store make now; no export is needed.

    `reference` goes before those that scenarios and project name.
    """
    evidence, digest = _gathered(dataset, answers, reference or _named(plan, dataset), semantic)
    expected = plan.project.dataset_settings(dataset.name).expect
    findings = gates.judge(evidence, _limits(dataset, expected))
    limits = {s.name: limits_of(s.scenario.words.expect).chosen for s in dataset.scenarios}
    if len(dataset.scenarios) > 1:
        findings = [f for f in findings if f.gate not in limits.get(f.what, {})]
        for scenario in dataset.scenarios:
            findings += _scenario(dataset, scenario, evidence, reference)
    for scenario in dataset.scenarios:
        findings += _draws(scenario, evidence, expected)
    judged_by = "" if reference else _judged_by(plan, dataset)
    return Checked(dataset.name, evidence, findings, {"records": digest, "judged_by": judged_by})


def write(folder: Path, checked: Checked) -> Checked:
    """Puts report.html and report.json into a folder, and into the card that is there."""
    with io.writing(folder):
        reports.write(folder, checked.name, checked.evidence, checked.findings, checked.basis)
        card.renew(folder)
    return replace(checked, folder=folder)


def current(plan: Plan, dataset: DatasetPlan, folder: Path) -> list[Finding] | None:
    """The findings in a dataset's folder; None where they are about other rows than the folder's,
    or were judged by other limits or references than those of now."""
    manifest = manifests.read(folder)
    report = manifests.report_of(folder, manifest) if manifest else None
    if report is None or report.basis.judged_by != _judged_by(plan, dataset):
        return None
    return report.restored()


def _judged_by(plan: Plan, dataset: DatasetPlan) -> str:
    """A digest of all but the rows that a verdict follows from."""
    settings = plan.project.dataset_settings(dataset.name)
    references = [
        contexts.reference(plan, dataset),
        *(s.scenario.reference for s in dataset.scenarios),
    ]
    tables = [files.digest(table.source) if table and table.source else "" for table in references]
    return digest_of([
        version("text-dataset-builder"), list(gates.installed()), settings.expect, settings.text,
        settings.splits, settings.together, manifests.sources(plan, dataset), tables,
    ]).hex()  # fmt: skip


def gather(
    dataset: DatasetPlan,
    answers: Store,
    reference: frame.Frame | None = None,
    semantic: features.Embed | None = None,
) -> Evidence:
    """The rows that plan and store make now, and a reference to compare them with."""
    return _gathered(dataset, answers, reference, semantic)[0]


def _gathered(
    dataset: DatasetPlan,
    answers: Store,
    reference: frame.Frame | None,
    semantic: features.Embed | None,
) -> tuple[Evidence, str]:
    """The evidence, and the digest of the rows in it."""
    refused: Counter[str] = Counter()
    content = results_rows.ContentDigest()

    def records() -> Iterator[Mapping[str, Any]]:
        for batch in results_rows.read(settle.settle(dataset, answers)).batches():
            if isinstance(batch, Reject):
                refused[f"{batch.stage}: {batch.reason}"] += 1
            else:
                content.add(batch)
                yield from results_rows.records({**batch.columns, frame.SPLIT: batch.splits})

    rows = contexts.rows(dataset, records())
    comparable(rows, reference)
    context = contexts.of_dataset(dataset, refused, semantic)
    return Evidence(rows, reference, context), content.rows()


def comparable(rows: frame.Frame, reference: frame.Frame | None) -> None:
    """Raises InputError where rows and a reference have nothing to be compared by."""
    if reference is None:
        return
    shared = [name for name in rows.columns if name in reference.columns]
    if shared or (rows.of(tables.TEXT) and reference.of(tables.TEXT)):
        return
    near = next((n for c in reference.columns if (n := nearest(c, rows.columns))), "")
    raise InputError(
        f"the reference shares no column with the rows.{near}",
        place=Place(reference.source, 1, 1) if reference.source else None,
        hint=f"its columns: {', '.join(reference.columns)}; theirs: {', '.join(rows.columns)}",
    )


def _named(plan: Plan, dataset: DatasetPlan) -> frame.Frame | None:
    table = contexts.reference(plan, dataset)
    if table is None and len(dataset.scenarios) == 1:
        table = dataset.scenarios[0].scenario.reference
    return None if table is None else contexts.beside(table)


def _limits(dataset: DatasetPlan, expected: Mapping[str, Any]) -> Limits:
    """The limits of a whole dataset: the project's over its scenarios', and where one of several
    scenarios loosens a strict limit, the loosest."""
    limits = limits_of(expected)
    if len(dataset.scenarios) == 1:
        return limits_of(expected, dataset.scenarios[0].scenario.words.expect)
    loosest: dict[str, float] = {}
    for scenario in dataset.scenarios:
        for name, bound in limits_of(scenario.scenario.words.expect).chosen.items():
            if (measure := limits.measures[name]).strict:
                loosen = max if measure.upper else min
                loosest[name] = loosen(bound, loosest.get(name, measure.bound))
    return replace(limits, chosen={**loosest, **limits.chosen})


def _scenario(
    dataset: DatasetPlan, scenario: ScenarioPlan, whole: Evidence, reference: frame.Frame | None
) -> list[Finding]:
    """The findings of what one scenario of several expects, over its own rows."""
    expected = scenario.scenario.words.expect
    if not expected:
        return []
    table = scenario.scenario.reference
    compared = reference or (None if table is None else contexts.beside(table))
    rows = _rows_of(scenario, whole.rows)
    evidence = Evidence(rows, compared, contexts.of_scenario(dataset, scenario, whole.context))
    limits = limits_of(expected)
    findings = gates.judge(evidence, limits, [gates.GATES.load(name) for name in expected])
    wanted = [f for f in findings if f.gate in limits.chosen or f.verdict == "too-few-rows"]
    return _under(scenario, wanted)


def _draws(scenario: ScenarioPlan, whole: Evidence, expected: Mapping[str, Any]) -> list[Finding]:
    """The findings of its columns that were drawn from tables, compared with those; no drift of
    columns that a reference has."""
    limits = limits_of(expected, scenario.scenario.words.expect)
    reference, table = whole.reference, scenario.scenario.reference
    referred = {*(reference.columns if reference else ()), *(table.columns if table else ())}
    findings = list(drawn.lines(scenario, _rows_of(scenario, whole.rows), limits, held=referred))
    return _under(scenario, findings) if whole.scenarios else findings


def _rows_of(scenario: ScenarioPlan, rows: frame.Frame) -> frame.Frame:
    return rows.take([at for at, name in enumerate(rows.scenarios) if name == scenario.name])


def _under(scenario: ScenarioPlan, findings: Iterable[Finding]) -> list[Finding]:
    return [
        replace(f, what=f"{scenario.name}: {f.what}" if f.what else scenario.name) for f in findings
    ]


def _release(name: str, reference: frame.Frame | None) -> frame.Frame | None:
    """The reference, marked where it is an earlier release of the dataset of that name."""
    if reference is None or not name or _released(reference.source) != name:
        return reference
    return replace(reference, released=True)


def _released(folder: Path | None) -> str:
    """The name of the dataset that a folder is a whole export of; empty for any other path."""
    manifest = manifests.read(folder) if folder else None
    return manifest.dataset if manifest else ""


def _path(folder: str | Path, name: str | Path | None) -> Path | None:
    """The path that a name means; None for a dataset of the project, which goes first."""
    if name is None:
        return None
    path = Path(name)
    if isinstance(name, Path) or os.sep in name or path.suffix.lower() in frame.ENDINGS:
        return path
    if not path.exists():
        return None
    try:
        scope.datasets(scope.plan_of(folder), [name])
    except InputError:
        return path
    return None
