"""Fits a mixture of normal distributions and inverts its margins; draws stir further uniforms."""

from __future__ import annotations

import dataclasses
import itertools
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from builder import extras
from builder.sampling.margins import Margin
from builder.sampling.normal import Floats
from builder.sampling.sampler import Arrays

RIDGE = 1e-5
"""Added to every variance (of columns with variance 1), so that none collapses."""
MOST, ROWS = 30, 4
"""Components that may be chosen, and the rows a dimension that each has at least."""
SHY = 2000
"""Rows below which the criterion is checked with rows held out."""
FOLDS, ROUNDS = 5, 2
"""Parts that are held out one after another, and how often the rows are parted anew."""


def fit(z: Floats, components: int | None, rng: np.random.Generator) -> Arrays:
    """`cumulative` (k,) weights, `means` (k, d), `factors` (k, d, d) lower triangles of rows (n, d).

    As many components as given, or as `_chosen` likes.
    """
    seed = int(rng.integers(2**31))
    model = _model(z, components, seed, starts=3) if components else _chosen(z, seed, rng)
    model = _shrunk(model, *z.shape)
    order = np.lexsort(model.means_.T[::-1])
    cumulative = np.cumsum(model.weights_[order])
    return {
        "cumulative": cumulative / cumulative[-1],
        "means": model.means_[order],
        "factors": np.linalg.cholesky(model.covariances_[order]),
    }


def _chosen(z: Floats, seed: int, rng: np.random.Generator) -> Any:
    """The mixture that the Bayesian information criterion likes best (Schwarz 1978).

    It counts every covariance as free, which `_shrunk` ones are not, so on few rows it is shy
    of a second component: there another number takes over where rows that were held out are
    likelier under it by more than a standard error.
    """
    n, d = z.shape
    models: dict[int, Any] = {}
    criterion: dict[int, float] = {}
    for k in _counts(max(1, min(MOST, n // (ROWS * d)))):
        models[k] = _model(z, k, seed)
        criterion[k] = float(models[k].bic(z))
        if min(list(criterion.values())[-3:]) > min(criterion.values()):
            break  # three in a row were worse
    best = min(criterion, key=criterion.__getitem__)
    if n < SHY and len(models) > 1:
        logs = _held_out(z, list(models), seed, rng)
        gains = {k: logs[k] - logs[best] for k in models}
        surely = [k for k in models if gains[k].mean() > gains[k].std() / np.sqrt(n)]
        best = max(surely, key=lambda k: float(gains[k].mean()), default=best)
    return models[best]


def _held_out(
    z: Floats, counts: Sequence[int], seed: int, rng: np.random.Generator
) -> dict[int, Floats]:
    """For each number of components the log likelihood (n,) of every row, held out of the fit."""
    logs = {k: np.zeros(len(z)) for k in counts}
    for _ in range(ROUNDS):
        fold = rng.permutation(len(z)) % FOLDS
        for k, f in itertools.product(counts, range(FOLDS)):
            seen, unseen = z[fold != f], fold == f
            model = _shrunk(_model(seen, k, seed), *seen.shape)
            logs[k][unseen] += model.score_samples(z[unseen]) / ROUNDS
    return logs


def _model(z: Floats, k: int, seed: int, starts: int = 1) -> Any:
    """A fitted mixture of k components."""
    with extras.importing("stats"):
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.mixture import GaussianMixture

    model = GaussianMixture(k, reg_covar=RIDGE, random_state=seed, n_init=starts, max_iter=300)
    with warnings.catch_warnings():
        # A mixture that still moves a little after 300 rounds is good enough.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(z)


def _shrunk(model: Any, n: int, d: int) -> Any:
    """The mixture of n rows with each covariance (d, d) drawn towards the one common to all.

    As if a component had d rows more, of the common covariance: one of few rows would follow
    their noise (Fraley and Raftery 2007).
    """
    common = np.einsum("k,kij->ij", model.weights_, model.covariances_)
    rows = (model.weights_ * n)[:, None, None]
    model.covariances_ = (rows * model.covariances_ + d * common) / (rows + d)
    factors = np.linalg.cholesky(model.covariances_)
    model.precisions_cholesky_ = np.linalg.inv(factors).transpose(0, 2, 1)
    return model


def marginal(margin: Margin, model: Arrays, j: int) -> Margin:
    """The margin with its knots where the mixture's own dimension j has the same probabilities."""
    with extras.importing("stats"):
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
