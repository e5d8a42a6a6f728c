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
    """Of dataset vectors (n, d) against reference vectors (m, d); k below both n and m."""
    if min(len(vectors), len(reference)) <= k:
        raise ValueError("more points than neighbours are needed on each side")
    near_reference, near_vectors = _radii(reference, k), _radii(vectors, k)
    covered = np.zeros(len(reference), dtype=bool)
    recalled = np.zeros(len(reference), dtype=bool)
    within = np.zeros(len(vectors))
    for start in range(0, len(reference), 1024):
        rows = slice(start, start + 1024)
        squares = _squares(reference[rows], vectors)
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
    """Coverage of one random half of the reference by the other: what a perfect dataset gets."""
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


def _radii(points: NDArray[np.floating], k: int) -> NDArray[np.floating]:
    """(n,) the squared distance of each point's k-th neighbour, itself not counted."""
    radii = np.empty(len(points), dtype=points.dtype)
    for start in range(0, len(points), 1024):
        squares = _squares(points[start : start + 1024], points)
        radii[start : start + 1024] = np.partition(squares, k, axis=1)[:, k]
    return radii


def _squares(a: NDArray[np.floating], b: NDArray[np.floating]) -> NDArray[np.floating]:
    """(len(a), len(b)) squared Euclidean distances, never negative."""
    squares = (a * a).sum(1)[:, None] + (b * b).sum(1)[None, :] - 2 * (a @ b.T)
    return np.asarray(np.maximum(squares, 0))
