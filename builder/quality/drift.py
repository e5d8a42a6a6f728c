"""How far columns have moved from a reference: effect sizes beside p-values.

With a million rows every shift is significant, and among twenty columns one is by chance. So
what counts as drift is an effect above its limit whose p-value, corrected over all tests that
were made (Holm 1979), is below alpha as well.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from builder.stats import association, distances, significance
from builder.stats.distances import BINS, Floats

ALPHA = 0.05
LEAST = 30
"""Present values that a column needs on each side."""


@dataclass(frozen=True, slots=True)
class Shift:
    """How far one column has moved from its reference."""

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


def numbers(column: str, values: Floats, reference: Floats) -> Shift:
    """The shift of a number column (n,) from its reference (m,); NaN is left out.

    The p-values are Welch's (1947) for mean_shift, Kolmogorov and Smirnov's for ks, chi-square
    over the reference's deciles for psi and over up to 100 of its quantiles for js.
    """
    x, y = values[~np.isnan(values)], reference[~np.isnan(reference)]
    if min(len(x), len(y)) < 2:
        return Shift(column, len(x), len(y), {}, {})
    deciles = _binned(x, y, BINS)
    # Divergences need bins as fine as the data carry; ten would miss a tenth of them.
    quantiles = _binned(x, y, min(100, max(BINS, min(len(x), len(y)) // 100)))
    ks = distances.ks(x, y)
    effects = {
        "mean_shift": abs(distances.mean_shift(x, y)),
        "ks": ks,
        "wasserstein": distances.wasserstein(x, y) / distances.unit(x, y),
        "kl": distances.kl(*quantiles),
        "js": distances.js(*quantiles),
        "psi": distances.psi(*deciles),
    }
    p = {
        "mean_shift": significance.welch(x, y),
        "ks": significance.ks_p(ks, len(x), len(y)),
        "js": significance.chi_square(*quantiles),
        "psi": significance.chi_square(*deciles),
    }
    return Shift(column, len(x), len(y), effects, p)


def categories(column: str, values: Sequence[object], reference: Sequence[object]) -> Shift:
    """The shift of a category column from its reference; None is left out, rare values are grouped."""
    x, y = ([str(v) for v in side if v is not None] for side in (values, reference))
    a, b = _counted(x, y)
    if min(len(x), len(y)) < 2 or len(a) < 1:
        return Shift(column, len(x), len(y), {}, {})
    effects = {
        "js": distances.js(a, b),
        "psi": distances.psi(a, b),
        "cramer": association.cramer(np.stack((a, b))),
    }
    return Shift(
        column, len(x), len(y), effects, dict.fromkeys(effects, significance.chi_square(a, b))
    )


def drifted(
    shifts: Sequence[Shift], limits: Mapping[str, float], alpha: float = ALPHA
) -> list[tuple[Shift, str, float]]:
    """The effects above their limit whose corrected p-value is below alpha, worst first by p.

    The correction is over every test of every column that has at least `LEAST` values a side and
    an effect that has a limit.
    """
    tests = [
        (shift, effect, p)
        for shift in shifts
        if min(shift.n, shift.reference) >= LEAST
        for effect, p in shift.p.items()
        if effect in limits
    ]
    corrected = significance.holm([p for _, _, p in tests])
    beyond = [
        (shift, effect, float(p))
        for (shift, effect, _), p in zip(tests, corrected, strict=True)
        if p < alpha and shift.effects[effect] > limits[effect]
    ]
    return sorted(beyond, key=lambda test: (test[2], -test[0].effects[test[1]]))


def _binned(x: Floats, y: Floats, bins: int) -> list[Floats]:
    """Counts of both sides between quantiles of the reference y."""
    edges = distances.quantile_edges(y, bins)
    return [distances.histogram(side, edges) for side in (x, y)]


def _counted(x: list[str], y: list[str]) -> tuple[Floats, Floats]:
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
