"""How near drawn rows come to a table, and which way to fit comes nearest: pure functions.

Needs scikit-learn for the classifier; it serves fits, `draw`, reports and benchmarks, never a plan
of kept fits.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from builder.sampling.sampler import Floats, Sampler
from builder.stats import association, distances, neighbours, two_sample
from builder.table.tables import Column, Table

Way = tuple[type[Sampler], Mapping[str, Any]]  # a sampler and its options in full
ENOUGH = 2000  # rows from which one halving says enough
# Texts of a category that the classifier tells apart, the most frequent; the others are one.
TEXTS = 250
MOST = 5000  # rows that take part where every row is compared with every other


@dataclass(frozen=True, slots=True)
class Likeness:
    """How like its reference one drawn column is."""

    name: str
    kind: str
    # 1 minus the largest difference of the distribution functions; for categories (and the
    # share of missing values) 1 minus the total variation. 1 is best.
    ks: float
    # Difference of the means in standard deviations of the reference; NaN for categories.
    shift: float
    # Share of the drawn values beyond the reference's smallest and largest, or unknown to it.
    outside: float


@dataclass(frozen=True, slots=True)
class Fidelity:
    """How like its reference a whole draw is."""

    columns: tuple[Likeness, ...]
    # Mean absolute difference of the associations of pairs of columns (see `associations`).
    correlation: float
    # The classifier two-sample AUC against the held-out rows, 0.5 best; None without any.
    auc: float | None
    # Share of the drawn rows nearer to a row of the reference than to any of the held-out
    # rows, as many of both; 0.5 is best, 1 means copies. None without held-out rows.
    closest: float | None
    copies: float  # share of the drawn rows that equal a row of the reference in every column

    @property
    def ks(self) -> float:
        """The mean of the columns' likenesses."""
        return float(np.mean([likeness.ks for likeness in self.columns]))


def compare(
    drawn: Table, reference: Table, held_out: Table | None, rng: np.random.Generator
) -> Fidelity:
    """The fidelity of rows drawn from what was learnt on `reference`.

    Columns, correlations and copies are compared with the reference; the classifier and the
    closest rows need rows that the sampler did not see. All but these two are exact.
    """
    strengths, expected = associations(drawn), associations(reference)
    apart = np.abs(strengths - expected)[np.triu_indices(len(strengths), 1)]
    return Fidelity(
        columns=tuple(
            _likeness(drawn.columns[name], column) for name, column in reference.columns.items()
        ),
        correlation=float(apart.mean()) if len(apart) else 0.0,
        auc=None if held_out is None else auc(drawn, held_out, rng),
        closest=None if held_out is None else _closest(drawn, reference, held_out, rng),
        copies=_copies(drawn, reference),
    )


def associations(table: Table) -> Floats:
    """Strengths (d, d) of association, see `association.matrix`; a missing category is one more."""
    columns = table.columns.values()
    return association.matrix([c.values if c.numeric else _codes(c.values)[0] for c in columns])


def _likeness(drawn: Column, reference: Column) -> Likeness:
    if not drawn.numeric:
        n = len(drawn.values)
        codes, known = _codes(np.concatenate([drawn.values, reference.values]))
        ours, theirs = (
            np.bincount(side, minlength=known).astype(np.float64) for side in (codes[:n], codes[n:])
        )
        unknown = float(ours[theirs == 0].sum() / n)
        apart = distances.total_variation(ours, theirs)
        return Likeness(drawn.name, drawn.kind.code, 1 - apart, float("nan"), unknown)
    x, y = (column.values[~np.isnan(column.values)] for column in (drawn, reference))
    missing = abs(float(np.isnan(drawn.values).mean() - np.isnan(reference.values).mean()))
    if not len(x) or not len(y):
        return Likeness(drawn.name, drawn.kind.code, 1 - missing, 0.0, 0.0)
    return Likeness(
        name=drawn.name,
        kind=drawn.kind.code,
        ks=1 - max(distances.ks(x, y), missing),
        shift=distances.mean_shift(x, y),
        outside=float(((x < y.min()) | (x > y.max())).mean()),
    )


def _codes(values: NDArray[Any]) -> tuple[NDArray[np.int64], int]:
    """Codes (n,) of texts, None being one more, and how many there are."""
    texts = np.array(["\0" if value is None else value for value in values], dtype=np.str_)
    known, codes = np.unique(texts, return_inverse=True)
    return codes.astype(np.int64), len(known)


def _closest(drawn: Table, reference: Table, held_out: Table, rng: np.random.Generator) -> float:
    """The share of drawn rows nearer to the reference than to as many rows held out; ties half."""
    n = min(len(reference), len(held_out), MOST)
    rows, seen, unseen = (
        table.take(rng.permutation(len(table))[: min(n, len(table))])
        for table in (drawn, reference, held_out)
    )
    to_seen, to_unseen = (_nearest(rows, side, reference) for side in (seen, unseen))
    tied = np.isclose(to_seen, to_unseen, rtol=0, atol=1e-9)
    return float(np.where(tied, 0.5, to_seen < to_unseen).mean())


def _nearest(drawn: Table, rows: Table, scale: Table) -> Floats:
    """The distance (n,) of each drawn row to the nearest of the rows, numbers by the scale's range."""
    sides = [_sides(drawn.columns[k], rows.columns[k], scale.columns[k]) for k in scale.columns]
    return neighbours.nearest_mixed(sides, len(drawn), len(rows))


def _sides(
    drawn: Column, rows: Column, scale: Column
) -> tuple[NDArray[np.float32], NDArray[np.float32], bool]:
    """Both columns as numbers whose difference is the distance, and whether they are codes."""
    if not drawn.numeric:
        codes = _codes(np.concatenate([drawn.values, rows.values]))[0].astype(np.float32)
        return codes[: len(drawn.values)], codes[len(drawn.values) :], True
    known = scale.values[~np.isnan(scale.values)]
    low, span = (known.min(), np.ptp(known) or 1.0) if len(known) else (0.0, 1.0)
    # A missing value is as far from any number as the range is wide.
    ours, others = (
        np.where(np.isnan(column.values), -1.0, (column.values - low) / span).astype(np.float32)
        for column in (drawn, rows)
    )
    return ours, others, False


def _tuples(table: Table, names: Sequence[str]) -> Iterator[tuple[object, ...]]:
    """Each row as a tuple that can be hashed: lists and objects by their JSON text."""
    columns = [table.columns[name] for name in names]
    return zip(*(c.scalars() if c.numeric else c.values.tolist() for c in columns), strict=True)


def _copies(drawn: Table, reference: Table) -> float:
    names = list(reference.columns)
    known = set(_tuples(reference, names))
    copied = [row in known for row in _tuples(drawn, names)]
    return float(np.mean(copied)) if copied else 0.0


def score(table: Table, ways: Mapping[str, Way], rng: np.random.Generator) -> dict[str, float]:
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
    rows = np.column_stack([
        _features(column.values, sides[1].columns[name].values, text=not column.numeric)
        for name, column in sides[0].columns.items()
    ])  # fmt: skip
    categorical = np.array([not column.numeric for column in table.columns.values()])
    return two_sample.trees(rows[:n], rows[n:], categorical, rng)


def _features(x: NDArray[Any], y: NDArray[Any], *, text: bool) -> Floats:
    """Both sides of a column as numbers (n + m,), NaN where missing; a text by how frequent it is."""
    values = np.concatenate([x, y])
    if not text:
        return values.astype(np.float64)
    texts, counts = np.unique([v for v in values if v is not None], return_counts=True)
    frequent = texts[np.argsort(-counts, kind="stable")][:TEXTS]
    codes = {text: float(code) for code, text in enumerate(frequent.tolist())}
    return np.array([np.nan if v is None else codes.get(v, float(TEXTS)) for v in values])
