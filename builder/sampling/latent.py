"""Rows in a latent normal space: placed in their intervals at fit, correlated at draw."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from builder import extras
from builder.sampling.normal import Floats
from builder.stats import threads

RIDGE = 1e-6
"""The smallest eigenvalue that a correlation matrix keeps."""
SWEEPS = 20
"""Rounds of Gibbs sampling; the second half is averaged."""


def correlate(independent: Sequence[Floats], factor: Floats) -> list[Floats]:
    """d correlated arrays (n,) from d independent ones and a lower triangle (d, d).

    Sums run in a fixed order, one column at a time: a matrix product's rounding depends on
    how many rows it is given.
    """
    correlated = []
    for j in range(len(independent)):
        total = independent[0] * factor[j, 0]
        for k in range(1, j + 1):
            if factor[j, k] != 0.0:
                total += independent[k] * factor[j, k]
        correlated.append(total)
    return correlated


@threads.single()
def place(low: Floats, high: Floats, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Latent rows (n, d) inside their intervals, and the correlations (d, d) they agree with.

    Gibbs sampling of the extended rank likelihood (Hoff 2007): each number that an interval
    leaves open is drawn given the rest of its row, so that ties and gaps do not weaken the
    correlations as numbers drawn at random would.
    """
    with extras.importing("stats"):
        from scipy.special import ndtr, ndtri

    n, d = low.shape
    below, above = ndtr(low), ndtr(high)
    z: Floats = ndtri(below + (above - below) * rng.random((n, d)))
    z = np.where(low == high, low, z)
    open_rows = [np.flatnonzero(low[:, j] < high[:, j]) for j in range(d)]
    if d == 1 or not any(len(rows) for rows in open_rows):
        return z, correlation(z)
    total = np.zeros((d, d))
    for sweep in range(SWEEPS):
        r = correlation(z)
        for j, rows in enumerate(open_rows):
            if len(rows):
                others = np.arange(d) != j
                slope = np.linalg.solve(r[np.ix_(others, others)], r[others, j])
                sd = np.sqrt(max(1.0 - r[j, others] @ slope, RIDGE))
                mean = z[np.ix_(rows, others)] @ slope
                start = ndtr((low[rows, j] - mean) / sd)
                mass = ndtr((high[rows, j] - mean) / sd) - start
                p = np.clip(start + mass * rng.random(len(rows)), 1e-12, 1 - 1e-12)
                z[rows, j] = np.clip(mean + sd * ndtri(p), low[rows, j], high[rows, j])
        total += correlation(z) if 2 * sweep >= SWEEPS else 0.0
    return z, _definite(total / np.ceil(SWEEPS / 2))


def correlation(z: Floats) -> Floats:
    """Correlations (d, d) of rows (n, d), positive definite; 0 for a column that is constant."""
    centred = z - z.mean(axis=0)
    sd = np.sqrt((centred**2).mean(axis=0))
    scaled = centred / np.where(sd > 0, sd, 1.0)
    r = scaled.T @ scaled / len(z)
    np.fill_diagonal(r, 1.0)
    return _definite(r)


def _definite(r: Floats) -> Floats:
    """The matrix with its eigenvalues lifted to RIDGE and its diagonal back at 1."""
    values, vectors = np.linalg.eigh(r)
    if values[0] >= RIDGE:
        return r
    lifted = (vectors * np.maximum(values, RIDGE)) @ vectors.T
    scale = np.sqrt(np.diag(lifted))
    restored: Floats = lifted / np.outer(scale, scale)
    return restored
