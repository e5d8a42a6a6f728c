"""Scores ways to fit by rows that they did not see."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from builder.sampling import classifier
from builder.sampling.sampler import Sampler
from builder.table.tables import Table

Way = tuple[type[Sampler], Mapping[str, Any]]
"""A sampler and its options in full."""
ENOUGH = 2000
"""Rows from which one halving says enough."""


def held_out(table: Table, ways: Mapping[str, Way], rng: np.random.Generator) -> dict[str, float]:
    """For each way, how well a classifier tells its draws from rows that the fit did not see.

    0.5 is best. Half the table is held out, of a small one four times over, and the scores
    averaged. A way that cannot be fitted on so few rows is left out.
    """
    n = len(table)
    scores: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(1 if n >= ENOUGH else 4):
        order = rng.permutation(n)
        part, rest = table.take(np.sort(order[: n // 2])), table.take(np.sort(order[n // 2 :]))
        seed = int(rng.integers(2**31))
        for name, (sampler, options) in ways.items():
            seeded = np.random.default_rng(seed)
            try:
                arrays = sampler.fit(part, options, seeded)
            except ValueError:
                continue
            drawn = Table(sampler.draw(arrays, seeded.random((len(rest), sampler.width(arrays)))))
            scores[name].append(classifier.auc(drawn, rest, seeded))
    return {name: float(np.mean(found)) for name, found in scores.items() if found}
