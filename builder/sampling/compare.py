"""Scores ways to fit by rows that they did not see: how well a classifier tells draws from them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from builder.sampling.sampler import Sampler
from builder.stats import two_sample
from builder.table.tables import Table

Way = tuple[type[Sampler], Mapping[str, Any]]
"""A sampler and its options in full."""
ENOUGH = 2000
"""Rows from which one halving says enough."""
TEXTS = 250
"""Texts of a category that the classifier tells apart, the most frequent; the others are one."""


def held_out(table: Table, ways: Mapping[str, Way], rng: np.random.Generator) -> dict[str, float]:
    """For each way, how well a classifier tells its draws from rows that the fit did not see.

    0.5 is best. Half the table is held out, of a small one four times over, and the scores
    averaged. A way that cannot be fitted on so few rows is left out.
    """
    n = len(table)
    scores: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(1 if n >= ENOUGH else 4):
        order = rng.permutation(n)
        seen, unseen = (table.take(np.sort(half)) for half in (order[: n // 2], order[n // 2 :]))
        seed = int(rng.integers(2**31))
        for name, (sampler, options) in ways.items():
            seeded = np.random.default_rng(seed)
            try:
                arrays = sampler.fit(seen, options, seeded)
            except ValueError:
                continue
            u = seeded.random((len(unseen), sampler.width(arrays)))
            scores[name].append(auc(Table(sampler.draw(arrays, u)), unseen, seeded))
    return {name: float(np.mean(aucs)) for name, aucs in scores.items() if aucs}


def auc(table: Table, other: Table, rng: np.random.Generator) -> float:
    """How well boosted trees tell equally many rows of two tables apart: 0.5 not at all, 1 always."""
    n = min(len(table), len(other), two_sample.MOST)
    sides = [side.take(rng.permutation(len(side))[:n]) for side in (table, other)]
    columns = [_features(column.values, sides[1].columns[name].values, text=not column.numeric)
               for name, column in sides[0].columns.items()]  # fmt: skip
    rows = np.column_stack(columns)
    categorical = np.array([not column.numeric for column in table.columns.values()])
    return two_sample.trees(rows[:n], rows[n:], categorical, rng)


def _features(x: NDArray[Any], y: NDArray[Any], *, text: bool) -> NDArray[np.float64]:
    """Both sides of a column as numbers (n + m,), NaN where missing; a text by how frequent it is."""
    values = np.concatenate([x, y])
    if not text:
        return values.astype(np.float64)
    texts, counts = np.unique([v for v in values if v is not None], return_counts=True)
    frequent = texts[np.argsort(-counts, kind="stable")][:TEXTS]
    codes = {text: float(code) for code, text in enumerate(frequent.tolist())}
    return np.array([np.nan if v is None else codes.get(v, float(TEXTS)) for v in values])
