"""How much of a reference a dataset reaches, and how much of a plan is filled.

Precision, recall, density and coverage over nearest neighbours in feature space (Naeem et al.
2020). When a mode of the reference is missing, coverage falls while precision stays; so
coverage is what a gate looks at, beside the ceiling that one half of the reference reaches
against the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from builder.stats import neighbours

K = 5
"""Neighbours that make the radius of a point."""
MOST = 5_000
"""Points a side beyond which a sample stands for all."""


@dataclass(frozen=True, slots=True)
class Reach:
    """Four shares, as named by Naeem et al. 2020; density may exceed 1."""

    precision: float
    recall: float
    density: float
    coverage: float
    covered: NDArray[np.bool_]
    """(m,) which reference points have a dataset point within their radius."""


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


def ceiling(reference: NDArray[np.floating], rng: np.random.Generator, k: int = K) -> float:
    """The coverage of one random half of the reference by the other: what a perfect dataset gets."""
    order = rng.permutation(len(reference))
    half = len(reference) // 2
    return reach(reference[order[:half]], reference[order[half:]], k).coverage


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
