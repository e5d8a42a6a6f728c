"""How far two samples of one column lie apart: effect sizes, and p-values for what chance explains.

Numbers are compared as they are or by counts in bins, categories by counts. `draw` and `check`
both measure with these, so that they cannot disagree. The distribution functions are
scipy.special's. scipy.stats has the whole tests, with the same figures, but loading it costs a
check a second and 45 MB.
"""

import math
from collections.abc import Sequence
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from builder import extras

Floats = NDArray[np.float64]
BINS = 10


def unit(x: Floats, y: Floats) -> float:
    """The standard deviation of the reference y (m,); that of x (n,) where y is constant, else 1."""
    deviations = (float(side.std(ddof=1)) for side in (y, x) if len(side) > 1)
    return next((deviation for deviation in deviations if deviation), 1.0)


def mean_shift(x: Floats, y: Floats) -> float:
    """The mean of x (n,) less that of the reference y (m,), in its standard deviations."""
    return float(x.mean() - y.mean()) / unit(x, y)


def ks(x: Floats, y: Floats) -> float:
    """The largest distance between the empirical distribution functions of x (n,) and y (m,).

    Kolmogorov 1933, Smirnov 1939. Values that repeat step at once on both sides.
    """
    x, y = np.sort(x), np.sort(y)
    values = np.concatenate((x, y))
    below = np.searchsorted(x, values, side="right") / len(x)
    return float(np.abs(below - np.searchsorted(y, values, side="right") / len(y)).max())


def wasserstein(x: Floats, y: Floats) -> float:
    """The area between the empirical distribution functions of x (n,) and y (m,), in their unit."""
    x, y = np.sort(x), np.sort(y)
    values = np.sort(np.concatenate((x, y)))
    below = np.searchsorted(x, values[:-1], side="right") / len(x)
    apart = np.abs(below - np.searchsorted(y, values[:-1], side="right") / len(y))
    return float(np.sum(apart * np.diff(values)))


def quantile_edges(reference: Floats, bins: int = BINS) -> Floats:
    """(k,) inner edges of at most `bins` bins of equal share; fewer where values repeat."""
    inner = np.quantile(reference, np.linspace(0, 1, bins + 1)[1:-1], method="inverted_cdf")
    return np.unique(inner)


def histogram(values: Floats, edges: Floats) -> Floats:
    """(k + 1,) counts between edges (k,); a value on an edge belongs to the bin below it."""
    bins = np.searchsorted(edges, values, side="left")
    return np.bincount(bins, minlength=len(edges) + 1).astype(np.float64)


def total_variation(x: Floats, y: Floats) -> float:
    """Half the summed differences of the shares that two vectors of counts (k,) give: 0 to 1."""
    return float(np.abs(x / x.sum() - y / y.sum()).sum() / 2)


def kl(x: Floats, y: Floats) -> float:
    """Divergence of counts x (k,) from counts y (k,), in nats (Kullback and Leibler 1951).

    Half a count is added to each, so that a value that one side lacks costs no infinity.
    """
    p, q = _smoothed(x), _smoothed(y)
    return float(np.sum(p * np.log(p / q)))


def js(x: Floats, y: Floats) -> float:
    """Jensen-Shannon divergence of two vectors of counts (k,), in nats: 0 to log 2 (Lin 1991)."""
    p, q = x / x.sum(), y / y.sum()
    rel_entr, middle = special().rel_entr, (p + q) / 2
    return float(rel_entr(p, middle).sum() + rel_entr(q, middle).sum()) / 2


def psi(x: Floats, y: Floats) -> float:
    """Population stability index of two vectors of counts (k,), less what chance alone gives.

    Two samples of one distribution give (k - 1)(1/n + 1/m) on average for k bins (Yurdakul
    2018); that is subtracted, and a negative remainder is 0.
    """
    p, q = _smoothed(x), _smoothed(y)
    chance = (len(x) - 1) * (1 / x.sum() + 1 / y.sum())
    return max(0.0, float(np.sum((p - q) * np.log(p / q))) - float(chance))


def _smoothed(counts: Floats) -> Floats:
    return np.asarray((counts + 0.5) / (counts + 0.5).sum())


def ks_p(distance: float, n: int, m: int) -> float:
    """p-value of a KS distance between samples of n and m values (Stephens 1970).

    Conservative where values repeat: a column of few values is better tested by its bins.
    """
    root = math.sqrt(n * m / (n + m))
    return float(special().kolmogorov((root + 0.12 + 0.11 / root) * distance))


def welch(x: Floats, y: Floats) -> float:
    """Two-sided p-value of x (n,) and y (m,) having one mean, variances free (Welch 1947)."""
    a, b = x.var(ddof=1) / len(x), y.var(ddof=1) / len(y)
    if a + b == 0:
        return 1.0 if x.mean() == y.mean() else 0.0
    t = (x.mean() - y.mean()) / math.sqrt(a + b)
    freedom = (a + b) ** 2 / (a**2 / (len(x) - 1) + b**2 / (len(y) - 1))
    return float(2 * special().stdtr(freedom, -abs(t)))


def pearson(counts: Floats) -> tuple[float, int]:
    """Chi-square and its degrees of freedom of a table of counts (r, c) (Pearson 1900).

    Rows and columns without a count are left out.
    """
    table = counts[np.ix_(counts.sum(axis=1) > 0, counts.sum(axis=0) > 0)]
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0) / table.sum()
    statistic = float(((table - expected) ** 2 / expected).sum())
    return statistic, (table.shape[0] - 1) * (table.shape[1] - 1)


def chi_square(x: Floats, y: Floats) -> float:
    """p-value of two vectors of counts (k,) having one distribution (Pearson 1900)."""
    return chi_square_p(*pearson(np.stack((x, y))))


def chi_square_p(statistic: float, freedom: int) -> float:
    """The chance of at least this chi-square; 1 without a degree of freedom."""
    return float(special().chdtrc(freedom, statistic)) if freedom else 1.0


def binomial(hits: int, n: int, share: float) -> float:
    """p-value of at least so many hits in n trials of which each hits with this chance."""
    return float(special().bdtrc(hits - 1, n, share)) if hits else 1.0


def binomial_below(hits: int, n: int, share: float) -> float:
    """p-value of at most so many hits in n trials of which each hits with this chance."""
    return float(special().bdtr(hits, n, share))


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


def special() -> ModuleType:
    """The module scipy.special; InputError where the extra `stats` is missing."""
    with extras.importing("stats"):
        import scipy.special

    module: ModuleType = scipy.special
    return module
