"""How strongly two columns hang together: numbers by ranks, categories by Cramér's V."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from builder.stats import distances

Codes = NDArray[np.int64]


def matrix(columns: Sequence[NDArray[Any]]) -> distances.Floats:
    """Strengths (d, d) of the association of d columns (n,): floats are numbers, integers codes.

    Spearman's correlation of numbers, Cramér's V of categories, the correlation ratio of ranks
    where one is of either. A number that is missing takes the middle rank.
    """
    sides = [ranks(column) if column.dtype.kind == "f" else column for column in columns]
    strengths = np.eye(len(sides))
    for i in range(len(sides)):
        for j in range(i):
            strengths[i, j] = strengths[j, i] = _strength(sides[i], sides[j])
    return strengths


def ranks(values: distances.Floats) -> distances.Floats:
    """Ranks (n,) with mean 0 and variance 1; ties share the middle, NaN takes the mean."""
    known = ~np.isnan(values)
    _, place, counts = np.unique(values[known], return_inverse=True, return_counts=True)
    ranked = np.zeros(len(known))
    middle = (np.cumsum(counts) - counts / 2)[place]
    ranked[known] = middle - (middle.mean() if len(middle) else 0.0)
    return ranked / (ranked.std() or 1.0)


def correlation_ratio(numbers: distances.Floats, codes: Codes) -> float:
    """How much of the numbers (n,) their category (n,) explains: 0 to 1.

    Epsilon squared (Kelley 1935): what as many means of noise would explain is taken off. The
    numbers have mean 0 and variance 1.
    """
    counts = np.bincount(codes)
    means = np.bincount(codes, numbers) / counts
    n, k = len(numbers), len(counts)
    between = float((counts * means**2).sum() / n)
    return math.sqrt(max(0.0, 1 - (1 - between) * (n - 1) / max(n - k, 1)))


def cramer(counts: distances.Floats) -> float:
    """Cramér's V of a table of counts (r, c), corrected for chance (Bergsma 2013): 0 to 1."""
    statistic, freedom = distances.pearson(counts)
    n = float(counts.sum())
    if not freedom or n < 2:
        return 0.0
    phi = max(0.0, statistic / n - freedom / (n - 1))
    sizes = [int((counts.sum(axis=axis) > 0).sum()) for axis in (0, 1)]
    smallest = min(size - (size - 1) ** 2 / (n - 1) for size in sizes)
    return math.sqrt(phi / (smallest - 1)) if smallest > 1 else 0.0


def _strength(x: NDArray[Any], y: NDArray[Any]) -> float:
    """The association of two columns (n,): ranks of numbers, or codes."""
    if x.dtype.kind == y.dtype.kind == "f":
        return float((x * y).mean())
    if x.dtype.kind == "f" or y.dtype.kind == "f":
        numbers, codes = (x, y) if x.dtype.kind == "f" else (y, x)
        return correlation_ratio(numbers, codes)
    counts = np.zeros((int(x.max()) + 1, int(y.max()) + 1))
    np.add.at(counts, (x, y), 1)
    return cramer(counts)
