"""How well a classifier tells two tables apart: 0.5 not at all, 1 always.

The classifier two-sample test (Lopez-Paz and Oquab 2017) with boosted trees. Needs
scikit-learn: it serves fits and reports, never a draw.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from builder import extras
from builder.stats import threads
from builder.table.tables import Table

MOST = 4000
"""Rows of each table that take part."""


@threads.single()
def auc(one: Table, other: Table, rng: np.random.Generator, *, folds: int = 5) -> float:
    """The cross-validated area under the ROC curve, from equally many rows of both tables."""
    with extras.needed("stats"):
        from sklearn.ensemble import HistGradientBoostingClassifier
        from sklearn.metrics import roc_auc_score
        from sklearn.model_selection import StratifiedKFold

    n = min(len(one), len(other), MOST)
    first, second = (t.take(rng.permutation(len(t))[:n]) for t in (one, other))
    x, categorical = features(first, second)
    y = np.repeat([0, 1], n)
    splits = StratifiedKFold(folds, shuffle=True, random_state=int(rng.integers(2**31)))
    scores = np.empty(2 * n)
    for train, test in splits.split(x, y):
        model = HistGradientBoostingClassifier(
            categorical_features=categorical, early_stopping=False, random_state=0
        )
        scores[test] = model.fit(x[train], y[train]).predict_proba(x[test])[:, 1]
    return float(roc_auc_score(y, scores))


def features(one: Table, other: Table) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Both tables' rows as numbers (n, d), and which columns are categories (at most 255 kept)."""
    found: list[NDArray[np.float64]] = []
    categorical = []
    for name, column in one.columns.items():
        both = np.concatenate([column.values, other.columns[name].values])
        if column.kind != "category":
            found.append(both.astype(np.float64))
            categorical.append(False)
            continue
        texts, counts = np.unique([v for v in both if v is not None], return_counts=True)
        kept = texts[np.argsort(-counts, kind="stable")][:250]
        index = {text: float(code) for code, text in enumerate(kept.tolist())}
        codes = [np.nan if v is None else index.get(v, 250.0) for v in both]
        found.append(np.array(codes))
        categorical.append(True)
    return np.column_stack(found), np.array(categorical)
