"""Points by what lies near them: distances to the nearest, in blocks, and clusters.

Memory stays linear in the points. scikit-learn's neighbours give the same, but loading it costs a check a second and 130 MB.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from builder import extras
from builder.stats import threads

Points = NDArray[np.floating]
BLOCK = 1024  # points compared with all others at once


def squares(a: Points, b: Points) -> Points:
    """(n, m) squared Euclidean distances of points (n, d) and (m, d), never negative."""
    expanded = (a * a).sum(1)[:, None] + (b * b).sum(1)[None, :] - 2 * (a @ b.T)
    return np.asarray(np.maximum(expanded, 0))


def radii(points: Points, k: int) -> Points:
    """(n,) the squared distance of each point's (n, d) k-th neighbour, itself not counted."""
    distances = np.empty(len(points), dtype=points.dtype)
    for start in range(0, len(points), BLOCK):
        block = squares(points[start : start + BLOCK], points)
        distances[start : start + BLOCK] = np.partition(block, k, axis=1)[:, k]
    return distances


def nearest(points: Points, others: Points | None = None) -> Points:
    """(n,) the distance of each point (n, d) to the nearest of others (m, d).

    Without others, to the nearest of the points themselves but the point.
    """
    candidates = points if others is None else others
    distances = np.empty(len(points))
    for start in range(0, len(points), BLOCK):
        block = points[start : start + BLOCK]
        apart = squares(block, candidates)
        if others is None:
            rows = np.arange(len(block))
            apart[rows, start + rows] = np.inf
        # Differences are exact where the expanded square loses small distances.
        closest = candidates[apart.argmin(axis=1)]
        distances[start : start + BLOCK] = np.sqrt(((block - closest) ** 2).sum(1))
    return distances


def nearest_mixed(
    columns: Sequence[tuple[NDArray[np.float32], NDArray[np.float32], bool]], n: int, m: int
) -> NDArray[np.float64]:
    """(n,) Gower's distance (1971) of each row to the nearest of m others.

    A column is its values of the rows (n,), those of the others (m,), and whether they are codes,
    which are 0 or 1 apart; numbers are scaled by the caller.
    """
    distances = np.empty(n)
    for start in range(0, n, BLOCK):
        total = np.zeros((min(BLOCK, n - start), m), dtype=np.float32)
        for rows, others, coded in columns:
            apart = rows[start : start + BLOCK, None] - others[None, :]
            total += apart != 0 if coded else np.abs(apart)
        distances[start : start + BLOCK] = total.min(axis=1)
    return distances


@threads.single()
def clusters(points: Points, k: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """The cluster (n,) of each point (n, d), from 0 to k - 1; fewer where fewer points differ.

    Lloyd 1982, seeded as k-means++ (Arthur and Vassilvitskii 2007).
    """
    with extras.importing("stats"):
        from sklearn.cluster import KMeans

    distinct = np.unique(points, axis=0)
    model = KMeans(min(k, len(distinct)), n_init=1, random_state=int(rng.integers(2**31)))
    return np.asarray(model.fit_predict(points), dtype=np.int64)
