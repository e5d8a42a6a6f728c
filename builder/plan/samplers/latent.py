"""Rows in a latent normal space: gaps filled at fit, correlated numbers at draw."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from builder.plan.samplers.normal import Floats

RIDGE = 1e-6
"""The smallest eigenvalue that a correlation matrix keeps."""


def correlate(independent: Sequence[Floats], factor: Floats) -> list[Floats]:
    """d correlated arrays (n,) from d independent ones and a lower triangle (d, d).

    Sums run in a fixed order, one column at a time: a matrix product's rounding depends on
    how many rows it is given.
    """
    found = []
    for j in range(len(independent)):
        total = independent[0] * factor[j, 0]
        for k in range(1, j + 1):
            if factor[j, k] != 0.0:
                total += independent[k] * factor[j, k]
        found.append(total)
    return found


def correlation(z: Floats) -> Floats:
    """Correlations (d, d) of rows (n, d), pairwise where values are missing; positive definite."""
    there = ~np.isnan(z)
    filled = np.where(there, z, 0.0)
    weight = there.astype(np.float64)
    counts = np.maximum(weight.T @ weight, 1.0)
    mean = (filled.T @ weight) / counts
    square = ((filled**2).T @ weight) / counts
    sd = np.sqrt(np.maximum(square - mean**2, 0.0))
    covariance = (filled.T @ filled) / counts - mean * mean.T
    with np.errstate(divide="ignore", invalid="ignore"):
        r = covariance / (sd * sd.T)
    r = np.where(np.isfinite(r), np.clip(r, -1.0, 1.0), 0.0)
    np.fill_diagonal(r, 1.0)
    return _definite(r)


def fill(z: Floats, rng: np.random.Generator) -> Floats:
    """The rows (n, d) with each gap drawn from its normal given the rest of the row."""
    gaps = np.isnan(z)
    if not gaps.any():
        return z
    r = correlation(z)
    noise = rng.standard_normal(z.shape)
    filled = z.copy()
    for pattern in np.unique(gaps[gaps.any(axis=1)], axis=0):
        rows = np.flatnonzero((gaps == pattern).all(axis=1))
        known = ~pattern
        slope = np.linalg.solve(r[np.ix_(known, known)], r[np.ix_(known, pattern)])
        rest = r[np.ix_(pattern, pattern)] - r[np.ix_(pattern, known)] @ slope
        root = np.linalg.cholesky(rest + RIDGE * np.eye(len(rest)))
        filled[np.ix_(rows, pattern)] = (
            z[np.ix_(rows, known)] @ slope + noise[np.ix_(rows, pattern)] @ root.T
        )
    return filled


def _definite(r: Floats) -> Floats:
    """The matrix with its eigenvalues lifted to RIDGE and its diagonal back at 1."""
    values, vectors = np.linalg.eigh(r)
    if values[0] >= RIDGE:
        return r
    lifted = (vectors * np.maximum(values, RIDGE)) @ vectors.T
    scale = np.sqrt(np.diag(lifted))
    found: Floats = lifted / np.outer(scale, scale)
    return found
