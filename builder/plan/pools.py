"""Pools: the rows of a source in the order in which the combinations of a total take them."""

import numpy as np
from numpy.typing import NDArray

from builder.plan import addresses
from builder.plan.cases import Cases
from builder.plan.planned import ScenarioPlan


def addressed(
    scenario: ScenarioPlan, index: NDArray[np.int64], occurrence: NDArray[np.int32]
) -> Cases:
    """These cases with digests and sizes; where combinations take rows of a pool, for a total, the
    next row takes the place of one that makes no case, until the pool has no more."""
    feed, source = scenario.feed, scenario.source
    cases = tried = addresses.addressed(scenario, index, occurrence)
    if feed is None or not feed.pooled or len(cases) == len(index):
        return cases
    combinations, places = np.unique(index, return_inverse=True)
    last = np.zeros(len(combinations), np.int32)
    np.maximum.at(last, places, occurrence)
    crossed, again = index, occurrence
    while len(tried) < len(crossed):
        made = {*zip(tried.index.tolist(), tried.occurrence.tolist(), strict=True)}
        pairs = zip(crossed.tolist(), again.tolist(), strict=True)
        lacking = np.array([pair not in made for pair in pairs])
        if not feed.refuse(source, crossed[lacking], again[lacking]):
            break
        short, counts = np.unique(crossed[lacking], return_counts=True)
        left = np.array([len(feed.pool(source, c)) > 0 for c in short.tolist()])
        short, counts = short[left], counts[left]
        # The rows behind move up: only the last places have others now.
        back = np.concatenate([np.arange(n) for n in counts.tolist()] or [counts])
        crossed = np.repeat(short, counts)
        ends = last[np.searchsorted(combinations, crossed)]
        again = (ends - back).astype(np.int32)
        tried = addresses.addressed(scenario, crossed, again)
    left = np.array([len(feed.pool(source, c)) > 0 for c in combinations.tolist()])[places]
    return addresses.addressed(scenario, index[left], occurrence[left])
