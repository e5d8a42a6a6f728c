"""Whether a classifier can tell a dataset from its reference (Lopez-Paz and Oquab 2017)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from builder.quality import labels

MOST = 4_000
"""Points a side that are looked at."""


class Told(NamedTuple):
    """AUC on points that the classifier was not made from: 0.5 for alike, 1 for told apart."""

    auc: float
    p: float
    """One-sided p-value of being alike."""


def classifier(
    vectors: NDArray[np.floating], reference: NDArray[np.floating], rng: np.random.Generator
) -> Told:
    """How well a ridge classifier tells vectors (n, d) from reference (m, d), cross-fitted.

    Linear and quadratic terms of each coordinate; two folds, each scored by the other's fit.
    """
    n = min(len(vectors), len(reference), MOST)
    if n < 2 * labels.LEAST:
        raise ValueError("too few points on a side")
    sides = [side[rng.permutation(len(side))[:n]] for side in (vectors, reference)]
    x = np.vstack(sides).astype(np.float64)
    x = (x - x.mean(0)) / np.maximum(x.std(0), 1e-12)
    x = np.hstack((x, x * x, np.ones((2 * n, 1))))
    y = np.repeat((1.0, -1.0), n)
    fold = np.tile(np.arange(n) % 2 == 0, 2)
    found = []
    for fit in (fold, ~fold):
        gram = x[fit].T @ x[fit] + np.eye(x.shape[1])
        score = x[~fit] @ np.linalg.solve(gram, x[fit].T @ y[fit])
        ours, theirs = score[y[~fit] > 0], score[y[~fit] < 0]
        found.append((labels.auc(ours, theirs), labels.auc_error(len(ours), len(theirs))))
    return Told(float(np.mean([value for value, _ in found])), labels.p_of(found))
