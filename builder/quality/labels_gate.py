"""Whether labels are spread as planned, and not to be told by length alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from builder.project.expect import Measure
from builder.quality import drift, labels
from builder.quality.findings import Evidence, Finding, Limits
from builder.table.kinds import CATEGORY


class Labels:
    """The gate of each axis against the plan, and of labels that the length of a text gives away."""

    name = "labels"
    asks = "are labels spread as planned, and not to be told by length alone?"
    measures = (
        Measure(
            "length", 0.9, upper=True, strict=False,
            meaning="a label can be told from the length of the text alone, as AUC",
        ),
        Measure("shares", 0.1, upper=True, strict=False, meaning="an axis is not spread as planned"),
    )  # fmt: skip

    def __call__(self, evidence: Evidence, limits: Limits) -> Iterator[Finding]:
        context = evidence.context
        for at, axis in enumerate(context.axes if context.planned and evidence.rows.rows else ()):
            weights = Counter[str]()
            for key, rows in context.planned.items():
                weights[str(key[at])] += rows
            effect, p = labels.off_plan(list(evidence.rows.column(axis).values), weights)
            advice = "values are not spread as planned: some are rejected more than others"
            yield limits.judge("labels.shares", axis, effect, advice, significant=p < drift.ALPHA)
        for column in evidence.rows.of(CATEGORY) if evidence.texts else ():
            rng = evidence.rng(f"length {column.name}")
            leaks = labels.leaks(column.values.tolist(), evidence.texts, rng)
            if leaks:
                yield limits.judge(
                    "labels.length",
                    column.name,
                    leaks[0].auc,
                    f"{leaks[0].label!r} can be read off the length of the text alone",
                    significant=leaks[0].p < drift.ALPHA,
                )
