"""How near drawn rows come to a reference table: a pure function, with numbers for people.

Needs scikit-learn for the classifier; it serves `draw`, reports and benchmarks, never a plan.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from builder.sampling import classifier
from builder.table.tables import Column, Table

Floats = NDArray[np.float64]
MOST = 5000
"""Rows that take part where every row is compared with every other."""


@dataclass(frozen=True, slots=True)
class Likeness:
    """One column, drawn beside reference."""

    name: str
    kind: str
    ks: float
    """1 minus the largest difference of the distribution functions; for categories (and the
    share of missing values) 1 minus the total variation. 1 is best."""
    shift: float
    """Difference of the means in standard deviations of the reference; NaN for categories."""
    outside: float
    """Share of the drawn values beyond the reference's smallest and largest, or unknown to it."""


@dataclass(frozen=True, slots=True)
class Fidelity:
    """A draw beside its reference."""

    columns: tuple[Likeness, ...]
    correlation: float
    """Mean absolute difference of the associations of pairs of columns (see `associations`)."""
    auc: float | None
    """The classifier two-sample AUC against the held-out rows, 0.5 best; None without any."""
    closest: float | None
    """Share of the drawn rows nearer to a row of the reference than to any of the held-out rows,
    as many of both; 0.5 is best, 1 means copies. None without held-out rows."""
    copies: float
    """Share of the drawn rows that equal a row of the reference in every column."""

    @property
    def ks(self) -> float:
        """The mean over the columns."""
        return float(np.mean([one.ks for one in self.columns]))


def compare(
    drawn: Table, reference: Table, held_out: Table | None, rng: np.random.Generator
) -> Fidelity:
    """The fidelity of rows drawn from what was learnt on `reference`.

    Columns, correlations and copies are compared with the reference; the classifier and the
    closest rows need rows that the sampler did not see. All but these two are exact.
    """
    likenesses = tuple(
        _likeness(drawn.columns[name], column) for name, column in reference.columns.items()
    )
    one, other = associations(drawn), associations(reference)
    upper = np.triu_indices(len(one), 1)
    apart = np.abs(one - other)[upper]
    return Fidelity(
        columns=likenesses,
        correlation=float(apart.mean()) if len(apart) else 0.0,
        auc=None if held_out is None else classifier.auc(drawn, held_out, rng),
        closest=None if held_out is None else _closest(drawn, reference, held_out, rng),
        copies=_copies(drawn, reference),
    )


def associations(table: Table) -> Floats:
    """Strengths (d, d) of association: Spearman's correlation of numbers, Cramér's V (bias
    corrected, Bergsma 2013) of categories, the correlation ratio of ranks in between.

    Missing numbers take the middle rank; missing categories are one more.
    """
    ranks = [_ranks(column) if column.kind != "category" else None for column in _columns(table)]
    codes = [_codes(column) if column.kind == "category" else None for column in _columns(table)]
    d = len(ranks)
    found = np.eye(d)
    for i in range(d):
        for j in range(i):
            one, other = ranks[i], ranks[j]
            if one is not None and other is not None:
                value = float((one * other).mean())
            elif one is not None or other is not None:
                number, code = (one, codes[j]) if one is not None else (other, codes[i])
                assert number is not None
                assert code is not None
                value = _ratio(number, code)
            else:
                first, second = codes[i], codes[j]
                assert first is not None
                assert second is not None
                value = _cramer(first, second)
            found[i, j] = found[j, i] = value
    return found


def _columns(table: Table) -> list[Column]:
    return list(table.columns.values())


def _likeness(drawn: Column, reference: Column) -> Likeness:
    if drawn.kind == "category":
        texts = [[v if v is not None else "\0" for v in c.values] for c in (drawn, reference)]
        known = sorted({*texts[0], *texts[1]})
        index = {text: i for i, text in enumerate(known)}
        shares = [
            np.bincount([index[t] for t in one], minlength=len(known)) / len(one) for one in texts
        ]
        unknown = shares[0][shares[1] == 0].sum()
        apart = float(np.abs(shares[0] - shares[1]).sum() / 2)
        return Likeness(drawn.name, drawn.kind, 1 - apart, float("nan"), float(unknown))
    x, y = (c.values[~np.isnan(c.values)] for c in (drawn, reference))
    gone = abs(np.isnan(drawn.values).mean() - np.isnan(reference.values).mean())
    if not len(x) or not len(y):
        return Likeness(drawn.name, drawn.kind, 1 - float(gone), 0.0, 0.0)
    return Likeness(
        name=drawn.name,
        kind=drawn.kind,
        ks=1 - max(_ks(x, y), float(gone)),
        shift=float((x.mean() - y.mean()) / (y.std() or 1.0)),
        outside=float(((x < y.min()) | (x > y.max())).mean()),
    )


def _ks(x: Floats, y: Floats) -> float:
    x, y = np.sort(x), np.sort(y)
    every = np.concatenate([x, y])
    below = [np.searchsorted(one, every, side="right") / len(one) for one in (x, y)]
    return float(np.abs(below[0] - below[1]).max())


def _ranks(column: Column) -> Floats:
    """Ranks with mean 0 and variance 1, ties sharing the middle."""
    known = ~np.isnan(column.values)
    _, place, counts = np.unique(column.values[known], return_inverse=True, return_counts=True)
    found = np.zeros(len(known))
    middle = (np.cumsum(counts) - counts / 2)[place]
    found[known] = middle - (middle.mean() if len(middle) else 0.0)
    return found / (found.std() or 1.0)


def _codes(column: Column) -> NDArray[np.int64]:
    texts = np.array(["\0" if v is None else v for v in column.values], dtype=np.str_)
    return np.unique(texts, return_inverse=True)[1].astype(np.int64)


def _ratio(number: Floats, code: NDArray[np.int64]) -> float:
    counts = np.bincount(code)
    means = np.bincount(code, number) / counts
    n, k = len(number), len(counts)
    between = float((counts * means**2).sum() / n)
    # Epsilon squared: what k means of noise would explain is taken off.
    return float(np.sqrt(max(0.0, 1 - (1 - between) * (n - 1) / max(n - k, 1))))


def _cramer(one: NDArray[np.int64], other: NDArray[np.int64]) -> float:
    counts = np.zeros((one.max() + 1, other.max() + 1))
    np.add.at(counts, (one, other), 1)
    n, (r, c) = len(one), counts.shape
    expected = counts.sum(axis=1)[:, None] * counts.sum(axis=0)[None, :] / n
    phi = float((counts**2 / expected).sum() / n - 1)
    if n < 2 or min(r, c) < 2:
        return 0.0
    phi = max(0.0, phi - (r - 1) * (c - 1) / (n - 1))
    rows, columns = r - (r - 1) ** 2 / (n - 1), c - (c - 1) ** 2 / (n - 1)
    return float(np.sqrt(phi / (min(rows, columns) - 1)))


def _closest(drawn: Table, reference: Table, held_out: Table, rng: np.random.Generator) -> float:
    """Gower's distance (1971): numbers by the reference's range, categories 0 or 1; ties half."""
    n = min(len(reference), len(held_out), MOST)
    some, ours, theirs = (
        table.take(rng.permutation(len(table))[: min(n, len(table))])
        for table in (drawn, reference, held_out)
    )
    to_ours, to_theirs = _nearest(some, ours, reference), _nearest(some, theirs, reference)
    tied = np.isclose(to_ours, to_theirs, rtol=0, atol=1e-9)
    return float(np.where(tied, 0.5, to_ours < to_theirs).mean())


def _nearest(drawn: Table, rows: Table, scale: Table) -> Floats:
    """The distance (n,) of each drawn row to the nearest of the rows."""
    found = np.empty(len(drawn))
    sides = [
        _sides(drawn.columns[name], rows.columns[name], scale.columns[name])
        for name in scale.columns
    ]
    for start in range(0, len(drawn), 256):
        total = np.zeros((min(256, len(drawn) - start), len(rows)), dtype=np.float32)
        for one, other, category in sides:
            apart = one[start : start + 256, None] - other[None, :]
            total += apart != 0 if category else np.abs(apart)
        found[start : start + 256] = total.min(axis=1)
    return found


def _sides(
    drawn: Column, rows: Column, scale: Column
) -> tuple[NDArray[np.float32], NDArray[np.float32], bool]:
    """Both columns as numbers whose difference is the distance; is it a category?"""
    if drawn.kind == "category":
        both = np.array(["\0" if v is None else v for v in [*drawn.values, *rows.values]])
        codes = np.unique(both, return_inverse=True)[1].astype(np.float32)
        return codes[: len(drawn.values)], codes[len(drawn.values) :], True
    known = scale.values[~np.isnan(scale.values)]
    low, span = (known.min(), np.ptp(known) or 1.0) if len(known) else (0.0, 1.0)
    # A missing value is as far from any number as the range is wide.
    one, other = (
        np.where(np.isnan(c.values), -1.0, (c.values - low) / span).astype(np.float32)
        for c in (drawn, rows)
    )
    return one, other, False


def _copies(drawn: Table, reference: Table) -> float:
    names = list(reference.columns)
    ours = {tuple(row[name] for name in names) for row in reference.records()}
    copied = [tuple(row[name] for name in names) in ours for row in drawn.records()]
    return float(np.mean(copied)) if copied else 0.0
