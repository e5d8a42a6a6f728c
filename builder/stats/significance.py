"""p-values: whether chance alone explains a difference, and their correction over many tests.

The distribution functions are scipy.special's. scipy.stats has the whole tests, with the same
figures, but loading it costs a check half a second and 45 MB.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from builder import extras
from builder.stats.distances import Floats


def ks_p(distance: float, n: int, m: int) -> float:
    """p-value of a KS distance between samples of n and m values (Stephens 1970).

    Conservative where values repeat: a column of few values is better tested by its bins.
    """
    with extras.importing("stats"):
        from scipy.special import kolmogorov

    root = math.sqrt(n * m / (n + m))
    return float(kolmogorov((root + 0.12 + 0.11 / root) * distance))


def welch(x: Floats, y: Floats) -> float:
    """Two-sided p-value of x (n,) and y (m,) having one mean, variances free (Welch 1947)."""
    with extras.importing("stats"):
        from scipy.special import stdtr

    a, b = x.var(ddof=1) / len(x), y.var(ddof=1) / len(y)
    if a + b == 0:
        return 1.0 if x.mean() == y.mean() else 0.0
    t = (x.mean() - y.mean()) / math.sqrt(a + b)
    freedom = (a + b) ** 2 / (a**2 / (len(x) - 1) + b**2 / (len(y) - 1))
    return float(2 * stdtr(freedom, -abs(t)))


def pearson(counts: Floats) -> tuple[float, int]:
    """Chi-square and its degrees of freedom of a table of counts (r, c) (Pearson 1900).

    Rows and columns without a count are left out.
    """
    table = counts[np.ix_(counts.sum(axis=1) > 0, counts.sum(axis=0) > 0)]
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0) / table.sum()
    freedom = (table.shape[0] - 1) * (table.shape[1] - 1)
    return float(((table - expected) ** 2 / expected).sum()), freedom


def chi_square(x: Floats, y: Floats) -> float:
    """p-value of two vectors of counts (k,) having one distribution (Pearson 1900)."""
    return chi_square_p(*pearson(np.stack((x, y))))


def chi_square_p(statistic: float, freedom: int) -> float:
    """The chance of at least this chi-square; 1 without a degree of freedom."""
    with extras.importing("stats"):
        from scipy.special import chdtrc

    return float(chdtrc(freedom, statistic)) if freedom else 1.0


def binomial(hits: int, n: int, share: float) -> float:
    """p-value of at least so many hits in n trials of which each hits with this chance."""
    with extras.importing("stats"):
        from scipy.special import bdtrc

    return float(bdtrc(hits - 1, n, share)) if hits else 1.0


def holm(p: Sequence[float]) -> NDArray[np.float64]:
    """(k,) p-values corrected for k tests, step-down (Holm 1979).

    >>> holm([0.01, 0.04, 0.03]).round(3).tolist()
    [0.03, 0.06, 0.06]
    """
    values = np.asarray(p, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    corrected = np.empty_like(values)
    factors = np.arange(len(values), 0, -1)
    corrected[order] = np.minimum(1, np.maximum.accumulate(values[order] * factors))
    return corrected
