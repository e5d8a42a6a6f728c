"""Whether numbers, categories and texts are spread as in the reference."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from builder.project.expect import Measure
from builder.quality import drift
from builder.quality.findings import LEAST_POINTS, Evidence, Finding, Limits, names_of
from builder.stats import two_sample
from builder.table import frame
from builder.table.column import Column

FEW = 12
"""A number column of at most so many distinct values is compared as categories."""


class Drift:
    """The gate of every shared column against the reference's, and of the texts as a whole."""

    name = "drift"
    asks = "are numbers and categories spread as in the reference?"
    measures = (
        Measure(
            "mean_shift", 0.1, upper=True, most=None,
            meaning="the mean moved, in standard deviations of the reference",
        ),
        Measure(
            "ks", 0.1, upper=True,
            meaning="the two distribution functions are further apart (Kolmogorov and Smirnov)",
        ),
        Measure("js", 0.1, upper=True, meaning="Jensen-Shannon divergence, in nats"),
        Measure(
            "psi", 0.2, upper=True, most=None,
            meaning="population stability index, less what chance gives",
        ),
        Measure("cramer", 0.1, upper=True, meaning="the shares of a category moved (Cramér's V)"),
        Measure(
            "classifier", 0.9, upper=True, strict=False,
            meaning="a classifier tells the texts from the reference's, as AUC",
        ),
    )  # fmt: skip

    def __call__(self, evidence: Evidence, limits: Limits) -> Iterator[Finding]:
        if evidence.reference is None:
            return
        yield from self._columns(evidence, evidence.reference, limits)
        if evidence.texts and evidence.reference_texts:
            yield _texts(evidence, limits)

    def _columns(
        self, evidence: Evidence, reference: frame.Frame, limits: Limits
    ) -> Iterator[Finding]:
        """Findings about each shared column; one fails only beyond its limit and beyond chance."""
        shifts = [
            _shift(evidence.rows.columns[name], reference.columns[name]) for name in evidence.shared
        ]
        bounds = {measure.name: limits.bound(f"drift.{measure.name}") for measure in self.measures}
        drifted = {(shift.column, effect): p for shift, effect, p in drift.drifted(shifts, bounds)}
        for shift in shifts:
            if min(shift.n, shift.reference) < drift.LEAST:
                need = f"{shift.n} values, {shift.reference} of reference; {drift.LEAST} are needed"
                yield Finding.too_few("drift.ks", shift.column, need)
                continue
            for effect, value in shift.effects.items():
                if effect not in shift.p:
                    yield Finding(f"drift.{effect}", shift.column, value, None, "pass")
                    continue
                p = drifted.get((shift.column, effect))
                yield limits.judge(
                    f"drift.{effect}",
                    shift.column,
                    value,
                    f"differs from the reference beyond chance (p = {p or 0:.2g}, corrected)",
                    significant=p is not None,
                )


def _texts(evidence: Evidence, limits: Limits) -> Finding:
    """A finding about how well a classifier tells the texts of both sides apart."""
    ours, theirs = evidence.vectors
    if min(len(ours), len(theirs)) < LEAST_POINTS:
        return Finding.too_few(
            "drift.classifier", "text", f"{LEAST_POINTS} texts a side are needed"
        )
    result = two_sample.ridge(ours, theirs, evidence.rng("classifier"))
    return limits.judge(
        "drift.classifier",
        "text",
        result.auc,
        "a classifier tells these texts from the reference's: give examples of its style",
        significant=result.p < drift.ALPHA,
    )


def _shift(ours: Column, theirs: Column) -> drift.Shift:
    """The effects of one column; numbers of few distinct values are categories with a mean."""
    if not (ours.numeric and theirs.numeric):
        return drift.categories(ours.name, names_of(ours), names_of(theirs))
    shift = drift.numbers(ours.name, ours.values, theirs.values)
    distinct = np.unique(np.concatenate((ours.values, theirs.values)))
    if (~np.isnan(distinct)).sum() > FEW or not shift.effects:
        return shift
    # Distances between distributions assume few ties; the mean does not.
    counted = drift.categories(ours.name, names_of(ours), names_of(theirs))
    mean = "mean_shift"
    return replace(
        counted,
        effects={mean: shift.effects[mean], **counted.effects},
        p={mean: shift.p[mean], **counted.p},
    )
