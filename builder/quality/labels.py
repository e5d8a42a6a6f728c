"""Whether labels are spread as planned, and whether a text's length alone gives them away."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from builder import extras
from builder.quality import drift

BINS = 20
LEAST = 20
"""Rows of a label, and rows beside it, below which nothing is said."""


class Lengths(NamedTuple):
    """Characters of the texts of one label: five quantiles."""

    least: float
    quarter: float
    median: float
    three_quarters: float
    most: float


class Leak(NamedTuple):
    """How well length alone tells one label from the others, on held-out rows."""

    label: str
    auc: float
    """0.5 tells nothing, 1 everything."""
    p: float
    """Corrected over the labels (Holm 1979)."""


def shares(values: Sequence[object]) -> dict[str, float]:
    """The share of each value, the most frequent first."""
    counts = Counter(str(value) for value in values)
    return {value: many / len(values) for value, many in counts.most_common()}


def off_plan(values: Sequence[object], weights: Mapping[str, float]) -> tuple[float, float]:
    """Cramér's V and p-value of the values' shares against planned weights (Pearson 1900)."""
    with extras.needed("check"):
        from scipy.special import chdtrc

    counts = Counter(str(value) for value in values)
    names = sorted({*counts, *weights})
    seen = np.array([counts[name] for name in names], dtype=np.float64)
    wanted = np.array([weights.get(name, 0.0) for name in names])
    wanted = wanted / wanted.sum() * seen.sum()
    if len(names) < 2:
        return 0.0, 1.0
    if (wanted == 0).any():
        return 1.0, 0.0
    statistic = float(((seen - wanted) ** 2 / wanted).sum())
    freedom = len(names) - 1
    excess = max(0.0, statistic - freedom)
    return float(np.sqrt(excess / seen.sum() / freedom)), float(chdtrc(freedom, statistic))


def lengths(labels: Sequence[object], texts: Sequence[str]) -> dict[str, Lengths]:
    """Quantiles of the characters of each label's texts; rows without a label are left out."""
    by: dict[str, list[int]] = {}
    for label, text in zip(labels, texts, strict=True):
        if label is not None:
            by.setdefault(str(label), []).append(len(text))
    return {
        label: Lengths(*np.quantile(sizes, (0, 0.25, 0.5, 0.75, 1)).tolist())
        for label, sizes in sorted(by.items())
    }


def leaks(labels: Sequence[object], texts: Sequence[str], rng: np.random.Generator) -> list[Leak]:
    """For each label, how well a classifier of length alone finds it; the best told first.

    The classifier is the label's share in each of 20 quantile bins of length, made from one
    half of the rows and scored on the other, and the reverse. Rows without a label are left out.
    """
    pairs = zip(labels, texts, strict=True)
    labelled = [(str(label), len(text)) for label, text in pairs if label is not None]
    names = np.array([label for label, _ in labelled])
    sizes = np.array([size for _, size in labelled], dtype=np.float64)
    half = rng.permutation(len(sizes)) % 2 == 0
    if not len(sizes):
        return []
    bins = np.searchsorted(drift.quantile_edges(sizes, BINS), sizes)
    found = []
    for label in sorted(set(names.tolist())):
        own = names == label
        if min(own.sum(), (~own).sum()) < LEAST:
            continue
        scores = [_auc_of(bins, own, fit, ~fit) for fit in (half, ~half)]
        found.append((label, float(np.mean([auc for auc, _ in scores])), scores))
    p = drift.holm([p_of(scores) for _, _, scores in found])
    leaked = [Leak(label, auc, float(q)) for (label, auc, _), q in zip(found, p, strict=True)]
    return sorted(leaked, key=lambda leak: (-leak.auc, leak.label))


def auc(positive: NDArray[np.float64], negative: NDArray[np.float64]) -> float:
    """The chance that a positive score exceeds a negative one, ties half (Hanley 1982)."""
    ordered = np.sort(negative)
    below = np.searchsorted(ordered, positive, "left") + np.searchsorted(ordered, positive, "right")
    return float(below.mean() / 2 / len(negative))


def auc_error(n: int, m: int) -> float:
    """Standard error of an AUC of n against m when nothing can be told."""
    return float(np.sqrt((n + m + 1) / (12 * n * m)))


def _auc_of(
    bins: NDArray[np.int64], own: NDArray[np.bool_], fit: NDArray[np.bool_], test: NDArray[np.bool_]
) -> tuple[float, float]:
    """AUC on the test rows and its standard error; 0.5 when a side is empty."""
    many = int(bins.max()) + 1
    total = np.bincount(bins[fit], minlength=many)
    share = (np.bincount(bins[fit & own], minlength=many) + own.mean()) / (total + 1)
    positive, negative = share[bins[test & own]], share[bins[test & ~own]]
    if not len(positive) or not len(negative):
        return 0.5, 1.0
    return auc(positive, negative), auc_error(len(positive), len(negative))


def p_of(scores: list[tuple[float, float]]) -> float:
    """One-sided p-value of two independent AUCs being 0.5."""
    with extras.needed("check"):
        from scipy.special import ndtr

    z = sum((value - 0.5) / error for value, error in scores) / np.sqrt(len(scores))
    return float(ndtr(-z))
