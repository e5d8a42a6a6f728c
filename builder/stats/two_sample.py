"""How well a classifier tells two samples apart (Lopez-Paz and Oquab 2017): 0.5 not at all, 1 always.

Boosted trees for rows of numbers, categories and missing values; a ridge on linear and quadratic
terms for vectors of texts, whose dimensions are many and alike.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from builder import extras
from builder.stats import distances, threads

MOST = 4_000  # points a side that take part
FEWEST = 40  # points that vectors need on each side


class Separation(NamedTuple):
    """How far a classifier, made from other points, tells two sides apart."""

    auc: float  # 0.5 for alike, 1 for apart
    p: float  # one-sided p-value of being alike


def auc(positive: NDArray[np.floating], negative: NDArray[np.floating]) -> float:
    """The chance that a positive score (n,) exceeds a negative one (m,), ties half (Hanley 1982)."""
    ordered = np.sort(negative)
    below = np.searchsorted(ordered, positive, "left") + np.searchsorted(ordered, positive, "right")
    return float(below.mean() / 2 / len(negative))


def auc_error(n: int, m: int) -> float:
    """Standard error of an AUC of n against m scores that tell nothing (Hanley 1982)."""
    return float(np.sqrt((n + m + 1) / (12 * n * m)))


def separation(scores: Sequence[tuple[float, float]]) -> Separation:
    """The mean of independent AUCs, each with its standard error, and what chance says of them."""
    z = sum((value - 0.5) / error for value, error in scores) / np.sqrt(len(scores))
    return Separation(
        float(np.mean([value for value, _ in scores])), float(distances.special().ndtr(-z))
    )


@threads.single()
def trees(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    categorical: NDArray[np.bool_],
    rng: np.random.Generator,
    *,
    folds: int = 5,
) -> float:
    """The cross-validated AUC of boosted trees on rows x (n, d) and y (n, d); NaN is missing.

    A categorical column (d,) holds codes under 255. One that is all missing in the rows of a fit
    takes no part in it.
    """
    with extras.importing("stats"):
        from sklearn.ensemble import HistGradientBoostingClassifier
        from sklearn.model_selection import StratifiedKFold

    rows = np.vstack((x, y))
    side = np.repeat([0, 1], (len(x), len(y)))
    splits = StratifiedKFold(folds, shuffle=True, random_state=int(rng.integers(2**31)))
    scores = np.empty(len(rows))
    for train, test in splits.split(rows, side):
        known = ~np.isnan(rows[train]).all(axis=0)
        if not known.any():
            scores[test] = 0.5
            continue
        model = HistGradientBoostingClassifier(
            categorical_features=categorical[known], early_stopping=False, random_state=0
        )
        model.fit(rows[train][:, known], side[train])
        scores[test] = model.predict_proba(rows[test][:, known])[:, 1]
    return auc(scores[side == 1], scores[side == 0])


def ridge(
    vectors: NDArray[np.floating], reference: NDArray[np.floating], rng: np.random.Generator
) -> Separation:
    """How well a ridge classifier tells vectors (n, d) from reference (m, d), cross-fitted.

    Linear and quadratic terms of each coordinate; two folds, each scored by the other's fit.
    scikit-learn's ridge solves the same equations, but loading it costs a check a second and 130 MB.
    """
    n = min(len(vectors), len(reference), MOST)
    if n < FEWEST:
        raise ValueError("too few points on a side")
    sides = [side[rng.permutation(len(side))[:n]] for side in (vectors, reference)]
    x = np.vstack(sides).astype(np.float64)
    x = (x - x.mean(0)) / np.maximum(x.std(0), 1e-12)
    x = np.hstack((x, x * x, np.ones((2 * n, 1))))
    y = np.repeat((1.0, -1.0), n)
    fold = np.tile(np.arange(n) % 2 == 0, 2)
    scores = []
    for fit in (fold, ~fold):
        gram = x[fit].T @ x[fit] + np.eye(x.shape[1])
        score = x[~fit] @ np.linalg.solve(gram, x[fit].T @ y[fit])
        ours, theirs = score[y[~fit] > 0], score[y[~fit] < 0]
        scores.append((auc(ours, theirs), auc_error(len(ours), len(theirs))))
    return separation(scores)
