"""How far columns have moved from a reference: effect sizes beside p-values.

With a million rows every shift is significant, and among twenty columns one is by chance. So
what counts as drift is an effect above its limit whose p-value, corrected over all tests that
were made (Holm 1979), is below alpha as well.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from builder import extras

ALPHA = 0.05
LIMITS: Mapping[str, float] = {"mean_shift": 0.1, "ks": 0.1, "js": 0.1, "psi": 0.2, "cramer": 0.1}
"""Largest harmless effect: standard deviations; KS distance; nats; PSI; Cramér's V."""
LEAST = 30
"""Present values that a column needs on each side."""
BINS = 10


@dataclass(frozen=True, slots=True)
class Shift:
    """One column against its reference."""

    column: str
    n: int
    """Present values compared."""
    reference: int
    """Present values of the reference."""
    effects: Mapping[str, float]
    """mean_shift (sd of the reference), ks, wasserstein (in sd), kl and js (nats), psi; for a
    category js, psi and cramer."""
    p: Mapping[str, float]
    """Uncorrected p-values by effect, of those that are tested."""


def numbers(column: str, values: NDArray[np.float64], reference: NDArray[np.float64]) -> Shift:
    """A number column (n,) against its reference (m,); NaN is left out.

    The p-values are Welch's (1947) for mean_shift, Kolmogorov and Smirnov's for ks, chi-square
    over the reference's deciles for psi and over up to 100 of its quantiles for js.
    """
    x, y = values[~np.isnan(values)], reference[~np.isnan(reference)]
    if min(len(x), len(y)) < 2:
        return Shift(column, len(x), len(y), {}, {})
    spread = float(y.std(ddof=1)) or float(x.std(ddof=1)) or 1.0
    deciles = [histogram(v, quantile_edges(y)) for v in (x, y)]
    # Divergences need bins as fine as the data carry; ten would miss a tenth of them.
    fine = min(100, max(BINS, min(len(x), len(y)) // 100))
    counts = [histogram(v, quantile_edges(y, fine)) for v in (x, y)]
    distance = ks(x, y)
    effects = {
        "mean_shift": abs(float(x.mean() - y.mean())) / spread,
        "ks": distance,
        "wasserstein": wasserstein(x, y) / spread,
        "kl": kl(*counts),
        "js": js(*counts),
        "psi": psi(*deciles),
    }
    p = {
        "mean_shift": welch(x, y),
        "ks": ks_p(distance, x, y),
        "js": chi_square(*counts),
        "psi": chi_square(*deciles),
    }
    return Shift(column, len(x), len(y), effects, p)


def categories(column: str, values: Sequence[Any], reference: Sequence[Any]) -> Shift:
    """A category column against its reference; None is left out, rare values are grouped."""
    x, y = ([str(v) for v in side if v is not None] for side in (values, reference))
    a, b = _counted(x, y)
    if min(len(x), len(y)) < 2 or len(a) < 1:
        return Shift(column, len(x), len(y), {}, {})
    p = chi_square(a, b)
    effects = {"js": js(a, b), "psi": psi(a, b), "cramer": cramer(a, b)}
    return Shift(column, len(x), len(y), effects, dict.fromkeys(effects, p))


def drifted(
    shifts: Sequence[Shift], limits: Mapping[str, float] = LIMITS, alpha: float = ALPHA
) -> list[tuple[Shift, str, float]]:
    """The effects above their limit whose corrected p-value is below alpha, worst first by p.

    The correction is over every test of every column that has at least `LEAST` values a side.
    """
    tests = [
        (shift, effect, p)
        for shift in shifts
        if min(shift.n, shift.reference) >= LEAST
        for effect, p in shift.p.items()
        if effect in limits
    ]
    corrected = holm([p for _, _, p in tests])
    found = [
        (shift, effect, float(p))
        for (shift, effect, _), p in zip(tests, corrected, strict=True)
        if p < alpha and shift.effects[effect] > limits[effect]
    ]
    return sorted(found, key=lambda one: (one[2], -one[0].effects[one[1]]))


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


def ks(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """Largest distance between the two empirical distribution functions."""
    x, y = np.sort(x), np.sort(y)
    both = np.concatenate((x, y))
    above = np.searchsorted(x, both, side="right") / len(x)
    return float(np.abs(above - np.searchsorted(y, both, side="right") / len(y)).max())


def ks_p(distance: float, x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """Probability of at least this distance under one distribution (Stephens 1970).

    Conservative where values repeat: a column of few values is better tested by its bins.
    """
    root = math.sqrt(len(x) * len(y) / (len(x) + len(y)))
    z = (root + 0.12 + 0.11 / root) * distance
    if z < 0.2:
        return 1.0
    series: float = 2 * sum(
        (1 if k % 2 else -1) * math.exp(-2 * k * k * z * z) for k in range(1, 101)
    )
    return min(1.0, max(0.0, series))


def wasserstein(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """Area between the two empirical distribution functions, in the values' unit."""
    x, y = np.sort(x), np.sort(y)
    both = np.sort(np.concatenate((x, y)))
    steps = np.diff(both)
    above = np.searchsorted(x, both[:-1], side="right") / len(x)
    return float(np.sum(np.abs(above - np.searchsorted(y, both[:-1], "right") / len(y)) * steps))


def welch(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """Two-sided p-value of equal means, variances free (Welch 1947)."""
    with extras.needed("check"):
        from scipy.special import stdtr

    a, b = x.var(ddof=1) / len(x), y.var(ddof=1) / len(y)
    if a + b == 0:
        return 1.0 if x.mean() == y.mean() else 0.0
    t = (x.mean() - y.mean()) / math.sqrt(a + b)
    freedom = (a + b) ** 2 / (a**2 / (len(x) - 1) + b**2 / (len(y) - 1))
    return float(2 * stdtr(freedom, -abs(t)))


def quantile_edges(reference: NDArray[np.float64], bins: int = BINS) -> NDArray[np.float64]:
    """(k,) inner edges of at most `bins` bins of equal share; fewer where values repeat."""
    inner = np.quantile(reference, np.linspace(0, 1, bins + 1)[1:-1], method="inverted_cdf")
    return np.unique(inner)


def histogram(values: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """(k + 1,) counts between edges (k,); a value on an edge belongs to the bin below it."""
    bins = np.searchsorted(edges, values, side="left")
    return np.bincount(bins, minlength=len(edges) + 1).astype(np.float64)


def kl(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """Kullback-Leibler divergence of counts x from counts y, in nats; half a count is added."""
    p, q = _smoothed(x), _smoothed(y)
    return float(np.sum(p * np.log(p / q)))


def js(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """Jensen-Shannon divergence of two vectors of counts, in nats: from 0 to log 2."""
    p, q = x / x.sum(), y / y.sum()
    middle = (p + q) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = [np.where(v > 0, v * np.log(v / middle), 0.0).sum() for v in (p, q)]
    return float(sum(parts) / 2)


def psi(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """Population stability index of two vectors of counts, less what chance alone gives.

    Two samples of one distribution give (k - 1)(1/n + 1/m) on average for k bins (Yurdakul
    2018); that is subtracted, and a negative rest is 0.
    """
    p, q = _smoothed(x), _smoothed(y)
    chance = (len(x) - 1) * (1 / x.sum() + 1 / y.sum())
    return max(0.0, float(np.sum((p - q) * np.log(p / q))) - float(chance))


def chi_square(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """p-value that two vectors of counts have one distribution (Pearson 1900)."""
    with extras.needed("check"):
        from scipy.special import chdtrc

    statistic, freedom = _pearson(x, y)
    return float(chdtrc(freedom, statistic)) if freedom else 1.0


def cramer(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """Cramér's V of two vectors of counts, corrected for chance (Bergsma 2013): 0 to 1."""
    statistic, freedom = _pearson(x, y)
    n = float(x.sum() + y.sum())
    return math.sqrt(max(0.0, statistic - freedom) / n) if freedom else 0.0


def _pearson(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[float, int]:
    kept = (x + y) > 0
    table = np.stack((x[kept], y[kept]))
    expected = table.sum(1, keepdims=True) * table.sum(0) / table.sum()
    return float(((table - expected) ** 2 / expected).sum()), table.shape[1] - 1


def _smoothed(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray((counts + 0.5) / (counts + 0.5).sum())


def _counted(x: list[str], y: list[str]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Counts of each value; those expected less than five times on a side are taken together.

    Into as many groups as keep ten on each side, by a digest of the value: one group for all would
    hide that none of a thousand values is shared.
    """
    names, codes = np.unique(np.array(x + y, dtype=object).astype(str), return_inverse=True)
    a = np.bincount(codes[: len(x)], minlength=len(names)).astype(np.float64)
    b = np.bincount(codes[len(x) :], minlength=len(names)).astype(np.float64)
    least = (a + b) * (min(len(x), len(y)) / max(1, len(x) + len(y)))
    rare = least < 5
    if rare.sum() > 1:
        many = min(100, max(1, int(least[rare].sum() // 10)))
        coded = (name.encode("utf-8", "surrogatepass") for name in names[rare].tolist())
        group = np.array([zlib.crc32(name) % many for name in coded])
        grouped = (np.append(v[~rare], np.bincount(group, v[rare], many)) for v in (a, b))
        a, b = (np.asarray(v, dtype=np.float64) for v in grouped)
    return a, b
