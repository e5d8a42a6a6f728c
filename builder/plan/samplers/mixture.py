"""Fits a mixture of normal distributions and inverts its margins; draws stir further uniforms."""

from __future__ import annotations

import dataclasses
import warnings

import numpy as np

from builder import extras
from builder.plan.samplers.margins import Margin
from builder.plan.samplers.normal import Floats
from builder.plan.samplers.protocol import Arrays

RIDGE = 1e-5
"""Added to every variance (of columns with variance 1), so that none collapses."""
MOST = 30
"""Components that BIC may choose."""


def fit(z: Floats, components: int | None, rng: np.random.Generator) -> Arrays:
    """`cumulative` (k,) weights, `means` (k, d), `factors` (k, d, d) lower triangles of rows (n, d).

    As many components as given, or as the Bayesian information criterion likes best
    (Schwarz 1978) while each has at least four rows a dimension.
    """
    with extras.needed("stats"):
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.mixture import GaussianMixture

    n, d = z.shape
    seed = int(rng.integers(2**31))
    best, lowest, worse = None, np.inf, 0
    for k in [components] if components else _counts(max(1, min(MOST, n // (4 * d)))):
        model = GaussianMixture(
            k, reg_covar=RIDGE, random_state=seed, n_init=3 if components else 1, max_iter=300
        )
        with warnings.catch_warnings():
            # A mixture that still moves a little after 300 rounds is good enough to compare.
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(z)
        bic = float(model.bic(z))
        if bic < lowest:
            best, lowest, worse = model, bic, 0
        else:
            worse += 1
        if worse == 3:
            break
    assert best is not None  # at least one count was tried
    order = np.lexsort(best.means_.T[::-1])
    weights, covariances = best.weights_[order], best.covariances_[order]
    # As if each component had d rows more, of the covariance common to all: a component of few
    # rows would follow their noise (Fraley and Raftery 2007).
    common = np.einsum("k,kij->ij", weights, covariances)
    rows = (weights * n)[:, None, None]
    covariances = (rows * covariances + d * common) / (rows + d)
    cumulative = np.cumsum(weights)
    return {
        "cumulative": cumulative / cumulative[-1],
        "means": best.means_[order],
        "factors": np.linalg.cholesky(covariances),
    }


def marginal(margin: Margin, model: Arrays, j: int) -> Margin:
    """The margin with its knots where the mixture's own dimension j has the same probabilities."""
    with extras.needed("stats"):
        from scipy.special import ndtr

    weights = np.diff(model["cumulative"], prepend=0.0)
    means = model["means"][:, j]
    sds = np.sqrt((model["factors"][:, j, :] ** 2).sum(axis=1))
    p = ndtr(margin.knots)
    low = np.full(len(p), float(np.min(means - 40 * sds)))
    high = np.full(len(p), float(np.max(means + 40 * sds)))
    for _ in range(80):
        middle = (low + high) / 2
        below = sum(w * ndtr((middle - m) / s) for w, m, s in zip(weights, means, sds, strict=True))
        low, high = np.where(below < p, middle, low), np.where(below < p, high, middle)
    knots = np.where(np.isinf(margin.knots), margin.knots, (low + high) / 2)
    return dataclasses.replace(margin, knots=np.maximum.accumulate(knots))


def stir(u: Floats, again: int) -> Floats:
    """Other uniform numbers in (0, 1), fixed by these (n, d) and the count `again`.

    The finaliser of SplitMix64 (Steele, Lea, Flood 2014) over the bits of each number.
    """
    golden = 0x9E3779B97F4A7C15
    x = np.ascontiguousarray(u, dtype=np.float64).view(np.uint64)
    x = x + np.uint64(golden * again % 2**64)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    x ^= x >> np.uint64(31)
    return ((x >> np.uint64(12)).astype(np.float64) + 0.5) * 2.0**-52


def _counts(most: int) -> list[int]:
    """1, 2, 3 … and in wider steps after 6."""
    steps = [*range(1, 7), 8, 10, 12, 15, 18, 22, 26, 30]
    return [k for k in steps if k <= most]
