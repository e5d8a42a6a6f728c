"""Whether labels are spread as planned, and whether a text's length alone gives them away."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from builder.project.expect import Measure
from builder.quality import drift, findings
from builder.stats import distances, two_sample
from builder.table.tables import CATEGORY, NUMBER, Column

BINS = 20
# Rows of a label that a split should have before it fails for having none.
EXPECTED = 5
# The chance of a shortfall, corrected, from which it is no matter of chance.
CHANCE = 0.01
LEAST = 20  # rows of a label, and of all others, below which nothing is reported


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
    auc: float  # 0.5 tells nothing, 1 everything
    p: float  # corrected over the labels (Holm 1979)


def shares(values: Sequence[object]) -> dict[str, float]:
    """The share of each value, the most frequent first."""
    return {value: many / len(values) for value, many in Counter(map(str, values)).most_common()}


def off_plan(values: Sequence[object], weights: Mapping[str, float]) -> tuple[float, float]:
    """Cramér's V and p-value of the values' shares against planned weights (Pearson 1900)."""
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
    effect = float(np.sqrt(max(0.0, statistic - freedom) / seen.sum() / freedom))
    return effect, distances.chi_square_p(statistic, freedom)


class Shortfall(NamedTuple):
    """What a split lacks of the rows of one label that are its share."""

    label: str
    split: str
    rows: int
    expected: float
    # Of so few rows by chance, corrected over labels and splits (Holm 1979).
    p: float

    @property
    def lacking(self) -> float:
        """The part of its share that the split lacks: 1 where it has no row of the label."""
        return 1 - self.rows / self.expected

    @property
    def missing(self) -> bool:
        """Whether the split has no row of a label of which it should have several."""
        return not self.rows and self.expected >= EXPECTED


def shortfalls(
    labels: Sequence[object], splits: Sequence[str], shares: Mapping[str, float]
) -> list[Shortfall]:
    """What each split lacks of each label, the worst first; rows without a label are left out."""
    pairs = Counter(zip(labels, splits, strict=True))
    rows: Counter[object] = Counter()
    for (label, _), count in pairs.items():
        rows[label] += count
    cells = [(label, split) for label in rows if label is not None for split in shares]
    p = distances.holm([
        distances.binomial_below(pairs[label, split], rows[label], shares[split])
        for label, split in cells
    ])  # fmt: skip
    lacks = [
        Shortfall(str(label), split, pairs[label, split], rows[label] * shares[split], float(value))
        for (label, split), value in zip(cells, p, strict=True)
    ]
    return sorted(lacks, key=lambda lack: (not lack.missing, lack.p, lack.label, lack.split))


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
    """For each label, how well a classifier of length alone finds it; the worst leak first.

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
    bins = np.searchsorted(distances.quantile_edges(sizes, BINS), sizes)
    separations: dict[str, two_sample.Separation] = {}
    for label in sorted(set(names.tolist())):
        positive = names == label
        if min(positive.sum(), (~positive).sum()) >= LEAST:
            scores = [_score(bins, positive, fit, ~fit) for fit in (half, ~half)]
            separations[label] = two_sample.separation(scores)
    p = distances.holm([separation.p for separation in separations.values()])
    leaked = [
        Leak(label, separation.auc, float(corrected))
        for (label, separation), corrected in zip(separations.items(), p, strict=True)
    ]
    return sorted(leaked, key=lambda leak: (-leak.auc, leak.label))


def _score(
    bins: NDArray[np.int64],
    positive: NDArray[np.bool_],
    fit: NDArray[np.bool_],
    test: NDArray[np.bool_],
) -> tuple[float, float]:
    """AUC on the test rows of bins (n,), and its standard error; 0.5 when a side is empty."""
    count = int(bins.max()) + 1
    total = np.bincount(bins[fit], minlength=count)
    share = (np.bincount(bins[fit & positive], minlength=count) + positive.mean()) / (total + 1)
    ours, others = share[bins[test & positive]], share[bins[test & ~positive]]
    if not len(ours) or not len(others):
        return 0.5, 1.0
    return two_sample.auc(ours, others), two_sample.auc_error(len(ours), len(others))


class Labels:
    """The gate of each axis against the plan, and of labels that the length of a text gives away."""

    name = "labels"
    asks = "are labels spread as planned, over the splits too, and not to be told by length alone?"
    measures = (
        Measure(
            "length", 0.9, upper=True, strict=False,
            meaning="a label can be told from the length of the text alone, as AUC",
        ),
        Measure(
            "splits", 0.5, upper=True,
            meaning="a split has no row of a label, or lacks more than this part of its share",
        ),
        Measure("shares", 0.1, upper=True, strict=False, meaning="an axis is not spread as planned"),
    )  # fmt: skip

    def __call__(
        self, evidence: findings.Evidence, limits: findings.Limits
    ) -> Iterator[findings.Finding]:
        context = evidence.context
        for at, axis in enumerate(context.axes if context.planned and evidence.rows.rows else ()):
            weights = Counter[str]()
            for key, rows in context.planned.items():
                weights[str(key[at])] += rows
            effect, p = off_plan(list(evidence.rows.column(axis).values), weights)
            advice = "values are not spread as planned: some are rejected more than others"
            yield limits.judge("labels.shares", axis, effect, advice, significant=p < drift.ALPHA)
        if len(context.splits) > 1 and evidence.rows.rows:
            yield from _of_splits(evidence, limits)
        for column in evidence.rows.of(CATEGORY) if evidence.texts else ():
            if leaked := leaks(
                column.values.tolist(), evidence.texts, evidence.rng(f"length {column.name}")
            ):
                yield limits.judge(
                    "labels.length",
                    column.name,
                    leaked[0].auc,
                    f"{leaked[0].label!r} can be read off the length of the text alone",
                    significant=leaked[0].p < drift.ALPHA,
                )


def _of_splits(evidence: findings.Evidence, limits: findings.Limits) -> Iterator[findings.Finding]:
    """A finding for each label column, over the groups of rows that are dealt as one."""
    context, rows = evidence.context, evidence.rows
    columns = [*map(rows.column, context.axes), *rows.of(CATEGORY)]
    if not context.planned:
        columns += filter(_numbered, rows.of(NUMBER))
    groups = [rows.column(name).values.tolist() for name in context.together]
    for name, column in {column.name: column for column in columns}.items():
        values = _names(column)
        if name in context.together or values == list(rows.splits):
            continue
        if not context.planned and _parted(values, rows.splits):
            advice = "no value stands in two splits: right for people or sources, wrong for labels"
            bound = limits.bound("labels.splits")
            yield findings.Finding("labels.splits", name, 1.0, bound, "warn", advice)
            continue
        if groups:
            dealt = dict.fromkeys(zip(values, rows.splits, *groups, strict=True))
            values, splits = [unit[0] for unit in dealt], [unit[1] for unit in dealt]
        else:
            splits = list(rows.splits)
        yield _of_column(name, shortfalls(values, splits, context.splits), limits)


def _numbered(column: Column) -> bool:
    """Whether a column of numbers may be one of labels: few whole ones."""
    distinct = np.unique(column.values[~np.isnan(column.values)])
    return len(distinct) <= BINS and bool((distinct == np.rint(distinct)).all())


def _parted(values: Sequence[object], splits: Sequence[str]) -> bool:
    """Whether each of a column's many values stands in one split alone, as where rows were dealt
    by it."""
    distinct = set(values)
    return len(distinct) > BINS and len(set(zip(values, splits, strict=True))) == len(distinct)


def _names(column: Column) -> list[str | None]:
    """The labels of a column, None where one is missing."""
    if not column.numeric:
        return list(column.values.tolist())
    return [None if np.isnan(cell) else f"{cell:.15g}" for cell in column.values]


def _of_column(name: str, lacks: Sequence[Shortfall], limits: findings.Limits) -> findings.Finding:
    gate, bound = "labels.splits", limits.bound("labels.splits")
    clear = [lack for lack in lacks if lack.missing or lack.p < CHANCE]
    if clear:
        worst = max(clear, key=lambda lack: (lack.lacking, lack.expected))
        return limits.judge(gate, name, worst.lacking, _said(worst))
    none = [lack for lack in lacks if not lack.rows and lack.expected >= 1]
    if none and bound < 1:
        return findings.Finding(gate, name, 1.0, bound, "warn", _said(none[0]))
    usual = [lack.lacking for lack in lacks if lack.expected >= EXPECTED]
    return limits.judge(gate, name, max([0.0, *usual]), "", significant=False)


def _said(lack: Shortfall) -> str:
    return (
        f"split {lack.split!r} has {lack.rows} rows of {lack.label!r}, "
        f"its share is {lack.expected:.3g}"
    )
