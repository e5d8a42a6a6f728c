"""Scores ways to fit by rows that they did not see."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from builder.plan import twosample
from builder.plan.samplers.protocol import Sampler
from builder.plan.tables import Table

Way = tuple[type[Sampler], Mapping[str, Any]]
"""A sampler and its options in full."""
ENOUGH = 2000
"""Rows above which one halving says enough."""


def held_out(table: Table, ways: Mapping[str, Way], rng: np.random.Generator) -> dict[str, float]:
    """For each way, fitted on one half, how well a classifier tells its draws from the other half.

    0.5 is best. Small tables are halved three times over and the scores averaged; a way that
    cannot be fitted on half the table is left out.
    """
    n = len(table)
    scores: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(1 if n >= ENOUGH else 3):
        order = rng.permutation(n)
        half, rest = table.take(np.sort(order[: n // 2])), table.take(np.sort(order[n // 2 :]))
        seed = int(rng.integers(2**31))
        for name, (sampler, options) in ways.items():
            seeded = np.random.default_rng(seed)
            try:
                arrays = sampler.fit(half, options, seeded)
            except ValueError:
                continue
            drawn = Table(sampler.draw(arrays, seeded.random((len(rest), sampler.width(arrays)))))
            scores[name].append(twosample.auc(drawn, rest, seeded))
    return {name: float(np.mean(found)) for name, found in scores.items() if found}
