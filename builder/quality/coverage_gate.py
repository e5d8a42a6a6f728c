"""Whether everything is there that was planned, and that the reference holds."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from builder.project.expect import Measure
from builder.quality import coverage
from builder.quality.findings import LEAST_POINTS, Evidence, Finding, Limits
from builder.stats import features


class Coverage:
    """The gate of planned combinations, and of regions of the reference."""

    name = "coverage"
    asks = "is everything there that was planned, and that the reference holds?"
    measures = (
        Measure("combinations", 0.95, upper=False, meaning="planned combinations lack rows"),
        Measure(
            "reference", 0.8, upper=False,
            meaning="less is covered than 80 % of what one half of the reference covers of the other",
        ),
    )  # fmt: skip

    def __call__(self, evidence: Evidence, limits: Limits) -> Iterator[Finding]:
        if evidence.context.planned:
            yield _combinations(evidence, limits)
        ours, theirs, what = _points(evidence)
        if min(len(ours), len(theirs)) == 0:
            return
        if len(ours) < LEAST_POINTS or len(theirs) < 2 * LEAST_POINTS:
            need = (
                f"{len(ours)} rows, {len(theirs)} of reference; {LEAST_POINTS} and twice are needed"
            )
            yield Finding.too_few("coverage.reference", what, need)
            return
        reach, ceiling = coverage.halves(ours, theirs, evidence.rng("coverage"))
        yield limits.judge(
            "coverage.reference",
            what,
            reach.coverage / ceiling if ceiling else 1.0,
            "regions of the reference have no row: `builder topup` writes a scenario for them",
        )
        figures = {
            "precision": reach.precision,
            "recall": reach.recall,
            "density": reach.density,
            "coverage": reach.coverage,
            "ceiling": ceiling,
        }
        for figure, value in figures.items():
            yield Finding(f"coverage.{figure}", what, value, None, "pass")


def _combinations(evidence: Evidence, limits: Limits) -> Finding:
    """A finding about the share of planned rows that are there, the shortest combinations named."""
    context = evidence.context
    columns = [evidence.rows.column(axis).values for axis in context.axes]
    keys = zip(*columns, strict=True) if columns else iter([()] * evidence.rows.rows)
    cells = (dict(zip(context.axes, key, strict=True)) for key in keys)
    share, lacking = coverage.combinations(cells, context.planned, list(context.axes))
    worst = ", ".join("/".join(map(str, key)) for key in list(lacking)[:3])
    advice = f"short: {worst}; run again with more tries"
    return limits.judge("coverage.combinations", "", share, advice)


def _points(evidence: Evidence) -> tuple[features.Vectors, features.Vectors, str]:
    """Points (n, d) of the dataset and (m, d) of the reference, and what they stand for: texts,
    or columns where there are no texts."""
    if evidence.texts and evidence.reference_texts:
        return (*evidence.vectors, "text")
    if not evidence.shared:
        none = np.zeros((0, 1), dtype=np.float32)
        return none, none, ""
    return (*evidence.columns(), "columns")
