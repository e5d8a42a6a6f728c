"""Whether everything is there that was planned, and that the reference holds.

Precision, recall, density and coverage over nearest neighbours in feature space (Naeem et al.
2020). When a mode of the reference is missing, coverage falls while precision stays; so
coverage is what a gate looks at, beside the ceiling that one half of the reference reaches
against the other.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from builder.project.expect import Measure
from builder.quality.findings import LEAST_POINTS, Evidence, Finding, Limits
from builder.stats import features, neighbours

K = 5  # neighbours that make the radius of a point
MOST = 5_000  # points a side beyond which a sample stands for all


@dataclass(frozen=True, slots=True)
class Reach:
    """Four shares, as named by Naeem et al. 2020; density may exceed 1."""

    precision: float
    recall: float
    density: float
    coverage: float
    # (m,) which reference points have a dataset point within their radius.
    covered: NDArray[np.bool_]


def reach(vectors: NDArray[np.floating], reference: NDArray[np.floating], k: int = K) -> Reach:
    """The shares of dataset vectors (n, d) and reference vectors (m, d); k is below both n and m."""
    if min(len(vectors), len(reference)) <= k:
        raise ValueError("more points than neighbours are needed on each side")
    near_reference, near_vectors = neighbours.radii(reference, k), neighbours.radii(vectors, k)
    covered = np.zeros(len(reference), dtype=bool)
    recalled = np.zeros(len(reference), dtype=bool)
    within = np.zeros(len(vectors))
    for start in range(0, len(reference), neighbours.BLOCK):
        rows = slice(start, start + neighbours.BLOCK)
        squares = neighbours.squares(reference[rows], vectors)
        inside = squares <= near_reference[rows, None]
        covered[rows] = inside.any(axis=1)
        recalled[rows] = (squares <= near_vectors[None, :]).any(axis=1)
        within += inside.sum(axis=0)
    return Reach(
        float((within > 0).mean()),
        float(recalled.mean()),
        float(within.mean() / k),
        float(covered.mean()),
        covered,
    )


def halves(
    vectors: NDArray[np.floating],
    reference: NDArray[np.floating],
    rng: np.random.Generator,
    k: int = K,
) -> tuple[Reach, float]:
    """The reach of a sample of the dataset over one half of the reference, and its ceiling.

    Dataset and other half are cut to one size, so the two figures can be compared.
    """
    order = rng.permutation(len(reference))[: 2 * MOST]
    ours, theirs = order[: len(order) // 2], order[len(order) // 2 :]
    size = min(len(vectors), len(theirs))
    sample = rng.permutation(len(vectors))[:size]
    best = reach(reference[theirs[:size]], reference[ours], k).coverage
    return reach(vectors[sample], reference[ours], k), best


def combinations(
    filled: Iterable[Mapping[str, Any]], planned: Mapping[tuple[Any, ...], int], axes: list[str]
) -> tuple[float, dict[tuple[Any, ...], int]]:
    """The share of planned combinations that have all their rows, and what each one lacks."""
    short = dict(planned)
    for row in filled:
        key = tuple(row[axis] for axis in axes)
        if key in short:
            short[key] -= 1
    lacking = {key: many for key, many in short.items() if many > 0}
    return (1 - len(lacking) / len(planned) if planned else 1.0), lacking


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
            yield Finding.too_few(
                "coverage.reference",
                what,
                f"{len(ours)} rows, {len(theirs)} of reference; {LEAST_POINTS} and twice are needed",
            )
            return
        reach, ceiling = halves(ours, theirs, evidence.rng("coverage"))
        yield limits.judge(
            "coverage.reference",
            what,
            reach.coverage / ceiling if ceiling else 1.0,
            "regions of the reference have no row: `builder topup` writes a scenario for them",
        )
        for figure, value in {
            "precision": reach.precision,
            "recall": reach.recall,
            "density": reach.density,
            "coverage": reach.coverage,
            "ceiling": ceiling,
        }.items():
            yield Finding(f"coverage.{figure}", what, value, None, "pass")


def _combinations(evidence: Evidence, limits: Limits) -> Finding:
    context = evidence.context
    columns = [evidence.rows.column(axis).values for axis in context.axes]
    keys = zip(*columns, strict=True) if columns else iter([()] * evidence.rows.rows)
    cells = (dict(zip(context.axes, key, strict=True)) for key in keys)
    share, lacking = combinations(cells, context.planned, list(context.axes))
    worst = ", ".join("/".join(map(str, key)) for key in list(lacking)[:3])
    return limits.judge(
        "coverage.combinations", "", share, f"short: {worst}; run again with more tries"
    )


def _points(evidence: Evidence) -> tuple[features.Vectors, features.Vectors, str]:
    """Points (n, d) of the dataset and (m, d) of the reference, and what they stand for: texts,
    or columns where there are no texts."""
    if evidence.texts and evidence.reference_texts:
        return (*evidence.vectors, "text")
    if not evidence.shared:
        none = np.zeros((0, 1), dtype=np.float32)
        return none, none, ""
    return (*evidence.columns(), "columns")
