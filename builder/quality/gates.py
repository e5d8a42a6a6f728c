"""The built-in gates, and the function that runs them all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from builder.quality import (
    coverage,
    drift,
    labels,
    pii,
    privacy,
)
from builder.quality.findings import (
    Context,
    Evidence,
    Finding,
    Gate,
    Limits,
    limits_of,
)
from builder.stats import diversity, features, two_sample
from builder.table import frame

LEAST_TEXTS = diversity.SAMPLE
LEAST_POINTS = 50
FEW = 12
"""A number column of at most so many distinct values is compared as categories."""


def run(
    rows: frame.Frame,
    reference: frame.Frame | None = None,
    expectations: Sequence[Mapping[str, Mapping[str, Any]]] = (),
    context: Context | None = None,
    gates: Sequence[Gate] | None = None,
) -> list[Finding]:
    """The findings of all gates, in their order; the same input gives the same findings.

    Later expectations win over earlier ones, and all over the default limits.
    """
    evidence = Evidence(rows, reference, context or Context())
    return judge(evidence, limits_of(*expectations), gates)


def judge(evidence: Evidence, limits: Limits, gates: Sequence[Gate] | None = None) -> list[Finding]:
    """The findings over evidence that a report will want to look at again."""
    return [found for gate in (gates or GATES) for found in gate(evidence, limits)]


def passed(findings: Iterable[Finding]) -> bool:
    """Whether nothing failed; warnings and too few rows do not block."""
    return all(finding.verdict != "fail" for finding in findings)


def varied(evidence: Evidence, limits: Limits) -> Iterator[Finding]:
    """Diversity of the texts, in all and by scenario."""
    if not evidence.texts:
        return
    groups = {"": list(range(len(evidence.texts))), **evidence.scenarios}
    later = set(evidence.pairs.j.tolist())
    vectors = evidence.vectors[0]
    for name, rows in groups.items():
        yield limits.judge(
            "diversity.near_duplicates",
            name,
            len(later.intersection(rows)) / len(rows),
            "rows repeat earlier ones: set similarity_below, or add values to the axes",
        )
        if len(rows) < LEAST_TEXTS:
            few = f"{len(rows)} texts; {LEAST_TEXTS} are needed"
            yield Finding("diversity.distinct_2", name, float("nan"), None, "too-few-rows", few)
            continue
        texts = [evidence.texts[at] for at in rows]
        for n in (1, 2):
            yield limits.judge(
                f"diversity.distinct_{n}",
                name,
                diversity.distinct(texts, n, evidence.rng(f"distinct {name}")),
                "the same words return: raise the temperature, or vary more in the prompt",
            )
        yield limits.judge(
            "diversity.compression",
            name,
            diversity.compression(texts, evidence.rng(f"compression {name}")),
            "texts share long passages: look for a fixed opening or closing",
        )
        sample = evidence.rng(f"vendi {name}").permutation(rows)[:2000]
        yield limits.judge(
            "diversity.vendi",
            name,
            diversity.vendi(vectors[sample]),
            "few kinds of text: the variables of the prompt hardly change the answers",
        )


def reached(evidence: Evidence, limits: Limits) -> Iterator[Finding]:
    """Coverage of the planned combinations, and of the reference's texts or rows."""
    context = evidence.context
    if context.planned:
        columns = [evidence.rows.column(axis).values for axis in context.axes]
        keys = zip(*columns, strict=True) if columns else iter([()] * evidence.rows.rows)
        cells = (dict(zip(context.axes, key, strict=True)) for key in keys)
        share, lacking = coverage.combinations(cells, context.planned, list(context.axes))
        worst = ", ".join("/".join(map(str, key)) for key in list(lacking)[:3])
        yield limits.judge(
            "coverage.combinations", "", share, f"short: {worst}; run again with more tries"
        )
    ours, theirs, what = _points(evidence)
    if min(len(ours), len(theirs)) == 0:
        return
    if len(ours) < LEAST_POINTS or len(theirs) < 2 * LEAST_POINTS:
        few = f"{len(ours)} rows, {len(theirs)} of reference; {LEAST_POINTS} and twice are needed"
        yield Finding("coverage.reference", what, float("nan"), None, "too-few-rows", few)
        return
    found, best = coverage.halves(ours, theirs, evidence.rng("coverage"))
    yield limits.judge(
        "coverage.reference",
        what,
        found.coverage / best if best else 1.0,
        "regions of the reference have no row: `builder topup` writes a scenario for them",
    )
    for name in ("precision", "recall", "density", "coverage"):
        yield Finding(f"coverage.{name}", what, getattr(found, name), None, "pass")
    yield Finding("coverage.ceiling", what, best, None, "pass")


def moved(evidence: Evidence, limits: Limits) -> Iterator[Finding]:
    """Drift of every shared column, and of the texts as a whole."""
    reference = evidence.reference
    if reference is None:
        return
    shifts = [
        _shift(evidence.rows.columns[name], reference.columns[name]) for name in _shared(evidence)
    ]
    tested = dict.fromkeys(effect for shift in shifts for effect in shift.p)
    bounds = {effect: limits.bound(f"drift.{effect}") for effect in tested}
    failed = {(shift.column, effect): p for shift, effect, p in drift.drifted(shifts, bounds)}
    for shift in shifts:
        if min(shift.n, shift.reference) < drift.LEAST:
            few = f"{shift.n} values, {shift.reference} of reference; {drift.LEAST} are needed"
            yield Finding("drift.ks", shift.column, float("nan"), None, "too-few-rows", few)
            continue
        for effect, value in shift.effects.items():
            if effect not in shift.p:
                yield Finding(f"drift.{effect}", shift.column, value, None, "pass")
                continue
            p = failed.get((shift.column, effect))
            yield limits.judge(
                f"drift.{effect}",
                shift.column,
                value,
                f"differs from the reference beyond chance (p = {p or 0:.2g}, corrected)",
                significant=p is not None,
            )
    if not evidence.texts or not evidence.reference_texts:
        return
    ours, theirs = evidence.vectors
    if min(len(ours), len(theirs)) < LEAST_POINTS:
        few = f"{LEAST_POINTS} texts a side are needed"
        yield Finding("drift.classifier", "text", float("nan"), None, "too-few-rows", few)
        return
    told = two_sample.ridge(ours, theirs, evidence.rng("classifier"))
    yield limits.judge(
        "drift.classifier",
        "text",
        told.auc,
        "a classifier tells these texts from the reference's: give examples of its style",
        significant=told.p < drift.ALPHA,
    )


def kept_private(evidence: Evidence, limits: Limits) -> Iterator[Finding]:
    """Copies and verbatim runs of the reference, rows too close to it, personal data."""
    reference = evidence.reference
    theirs = [] if reference is None or reference.released else evidence.reference_texts
    known = [*theirs, *evidence.context.examples]
    if evidence.texts and known:
        copied = privacy.copies(evidence.texts, known, evidence.context.similarity)
        yield limits.judge(
            "privacy.copied_texts",
            "",
            len(copied),
            f"row {copied[0].row + 1} is nearly a reference text" if copied else "",
        )
        runs = privacy.runs(evidence.texts, known)
        longest = max(runs, key=lambda run: run.length, default=None)
        yield limits.judge(
            "privacy.verbatim",
            "",
            len(runs),
            f"row {longest.row + 1} repeats {longest.length} characters word for word"
            if longest
            else "",
        )
    yield from _rows_too_near(evidence, limits)
    strings = _strings(evidence.rows)
    if strings:
        found = pii.scan(strings)
        placeholders = found.pop("placeholder", [])
        kinds = ", ".join(
            f"{kind} in {len(rows)} (row {rows[0] + 1})" for kind, rows in found.items()
        )
        rows = len(set().union(*found.values())) if found else 0
        yield limits.judge(
            "privacy.pii", "", rows, f"{kinds}: mask them, or forbid them in the prompt"
        )
        yield limits.judge(
            "privacy.placeholders",
            "",
            len(placeholders),
            "addresses and numbers reserved for examples; harmless if they are meant",
        )


def _rows_too_near(evidence: Evidence, limits: Limits) -> Iterator[Finding]:
    reference, names = evidence.reference, _shared(evidence)
    if reference is None or reference.released:
        return
    if not any(evidence.rows.columns[name].kind == "number" for name in names):
        return
    ours, theirs = (_tuples(side, names) for side in (evidence.rows, reference))
    copied, chance = privacy.copied_rows(ours, theirs)
    excess = max(0.0, len(copied) - 1.1 * chance - 3 * chance**0.5) if len(names) > 1 else 0.0
    yield limits.judge(
        "privacy.copied_rows",
        ", ".join(names),
        round(excess),
        f"{len(copied)} rows equal a reference row, {chance:.0f} by chance: a bootstrap copies",
    )
    rng, held = evidence.rng("closest"), evidence.context.held_out
    mine, known = _columns(evidence, names, beside=held)
    mine, used = (_some(side, rng) for side in (mine, known[: reference.rows]))
    if min(len(mine), len(used)) < LEAST_POINTS or len(names) < 2:
        return
    if held is not None:
        found = privacy.closest_share(mine, used, _some(known[reference.rows :], rng))
        gate, advice = "privacy.closest", "rows lie nearer to what they were made from"
    else:
        found = privacy.too_close(mine, used)
        gate, advice = "privacy.too_close", "rows lie nearer to reference rows than those do"
    yield limits.judge(
        gate,
        ", ".join(names),
        found.share,
        f"{advice}: draw from a fit",
        significant=found.p < drift.ALPHA,
    )


def _some(points: features.Vectors, rng: np.random.Generator) -> features.Vectors:
    return points[rng.permutation(len(points))[: coverage.MOST]]


def labelled(evidence: Evidence, limits: Limits) -> Iterator[Finding]:
    """Shares of each axis value against the plan, and labels that length gives away."""
    context = evidence.context
    for at, axis in enumerate(context.axes if context.planned and evidence.rows.rows else ()):
        weights: dict[str, float] = {}
        for key, many in context.planned.items():
            weights[str(key[at])] = weights.get(str(key[at]), 0) + many
        effect, p = labels.off_plan(list(evidence.rows.column(axis).values), weights)
        advice = "values are not spread as planned: some are rejected more than others"
        yield limits.judge("labels.shares", axis, effect, advice, significant=p < drift.ALPHA)
    if not evidence.texts:
        return
    for column in evidence.rows.of("category"):
        told = labels.leaks(
            column.values.tolist(), evidence.texts, evidence.rng(f"length {column.name}")
        )
        if told:
            advice = f"{told[0].label!r} can be read off the length of the text alone"
            yield limits.judge(
                "labels.length",
                column.name,
                told[0].auc,
                advice,
                significant=told[0].p < drift.ALPHA,
            )


GATES: tuple[Gate, ...] = (varied, reached, moved, kept_private, labelled)
"""The built-in gates; others enter as `builder.gates` entry points, by the same Protocol."""


def _points(evidence: Evidence) -> tuple[features.Vectors, features.Vectors, str]:
    """What coverage is measured on: texts, or columns where there are no texts."""
    if evidence.texts and evidence.reference_texts:
        return (*evidence.vectors, "text")
    if evidence.reference is None or not (names := _shared(evidence)):
        none = np.zeros((0, 1), dtype=np.float32)
        return none, none, ""
    return (*_columns(evidence, names), "columns")


def _shared(evidence: Evidence) -> list[str]:
    """Names of number and category columns on both sides; ids of either side are none."""
    if evidence.reference is None:
        return []
    known = {column.name: column.kind for column in evidence.reference.columns.values()}
    return [
        column.name
        for column in evidence.rows.columns.values()
        if (column.kind == "category" and column.name in known)
        or (column.kind == "number" and known.get(column.name, "id") != "id")
    ]


def _columns(
    evidence: Evidence, names: list[str], *, beside: frame.Frame | None = None
) -> tuple[features.Vectors, features.Vectors]:
    """Shared columns of the dataset and of the reference, then `beside`, as vectors."""
    assert evidence.reference is not None
    numbers, categories = [], []
    for name in names:
        x = evidence.rows.columns[name]
        ys = [side.column(name) for side in (evidence.reference, beside) if side is not None]
        if x.kind == "number" and all(y.kind == "number" for y in ys):
            numbers.append((x.values, np.concatenate([y.values for y in ys])))
        else:
            categories.append((_names(x), [value for y in ys for value in _names(y)]))
    return features.columns(numbers, categories)


def _shift(x: frame.Column, y: frame.Column) -> drift.Shift:
    if not x.kind == y.kind == "number":
        return drift.categories(x.name, _names(x), _names(y))
    shift = drift.numbers(x.name, x.values, y.values)
    both = np.unique(np.concatenate((x.values, y.values)))
    if (~np.isnan(both)).sum() > FEW or not shift.effects:
        return shift
    # Distances between distributions assume few ties; the mean does not.
    counted = drift.categories(x.name, _names(x), _names(y))
    mean = "mean_shift"
    return replace(
        counted,
        effects={mean: shift.effects[mean], **counted.effects},
        p={mean: shift.p[mean], **counted.p},
    )


def _names(column: frame.Column) -> list[str | None]:
    if column.kind == "number":
        return [None if np.isnan(cell) else f"{cell:g}" for cell in column.values]
    return [None if cell is None else str(cell) for cell in column.values]


def _tuples(side: frame.Frame, names: list[str]) -> list[tuple[str | None, ...]]:
    return list(zip(*(_names(side.columns[name]) for name in names), strict=True))


def _strings(rows: frame.Frame) -> list[str]:
    """Each row's strings of every kind: a number hides in an id as well as in a text."""
    columns = [column.values for column in rows.columns.values() if column.kind != "number"]
    return ["\n".join(str(cell) for cell in row if cell) for row in zip(*columns, strict=True)]
