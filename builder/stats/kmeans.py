"""Points cut into clusters."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from builder import extras
from builder.stats import threads


@threads.single()
def clusters(points: NDArray[np.floating], k: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """The cluster (n,) of each point (n, d), from 0 to k - 1; fewer where fewer points differ.

    Lloyd 1982, seeded as k-means++ (Arthur and Vassilvitskii 2007).
    """
    with extras.importing("stats"):
        from sklearn.cluster import KMeans

    distinct = np.unique(points, axis=0)
    model = KMeans(min(k, len(distinct)), n_init=1, random_state=int(rng.integers(2**31)))
    owner: NDArray[np.int64] = model.fit_predict(points).astype(np.int64)
    return owner
