"""Whether numbers, categories and texts are spread as in the reference: effect sizes and p-values.

With a million rows every shift is significant, and among twenty columns one is by chance. So
what counts as drift is an effect above its limit whose p-value, corrected over all tests that
were made (Holm 1979), is below alpha as well.
"""

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from builder.project.expect import Measure
from builder.quality.findings import LEAST_POINTS, Evidence, Finding, Limits, names_of
from builder.stats import association, distances, two_sample
from builder.table import frame, tables

ALPHA = 0.05
LEAST = 30  # present values that a column needs on each side
FEW = 12  # a number column of at most so many distinct values is compared as categories


@dataclass(frozen=True, slots=True)
class Shift:
    """How far one column has moved from its reference."""

    column: str
    n: int  # present values compared
    reference: int  # present values of the reference
    # mean_shift (sd of the reference), ks, wasserstein (in sd), kl and js (nats), psi; for a
    # category js, psi and cramer.
    effects: Mapping[str, float]
    p: Mapping[str, float]  # uncorrected p-values by effect, of those that are tested


def numbers(column: str, values: distances.Floats, reference: distances.Floats) -> Shift:
    """The shift of a number column (n,) from its reference (m,); NaN is left out.

    The p-values are Welch's (1947) for mean_shift, Kolmogorov and Smirnov's for ks, chi-square
    over the reference's deciles for psi and over up to 100 of its quantiles for js.
    """
    x, y = values[~np.isnan(values)], reference[~np.isnan(reference)]
    if min(len(x), len(y)) < 2:
        return Shift(column, len(x), len(y), {}, {})
    deciles = _binned(x, y, distances.BINS)
    # Divergences need bins as fine as the data carry; ten would miss a tenth of them.
    quantiles = _binned(x, y, min(100, max(distances.BINS, min(len(x), len(y)) // 100)))
    ks = distances.ks(x, y)
    effects = {
        "mean_shift": abs(distances.mean_shift(x, y)),
        "ks": ks,
        "wasserstein": distances.wasserstein(x, y) / distances.unit(x, y),
        "kl": distances.kl(*quantiles),
        "js": distances.js(*quantiles),
        "psi": distances.psi(*deciles),
    }
    p = {
        "mean_shift": distances.welch(x, y),
        "ks": distances.ks_p(ks, len(x), len(y)),
        "js": distances.chi_square(*quantiles),
        "psi": distances.chi_square(*deciles),
    }
    return Shift(column, len(x), len(y), effects, p)


def categories(column: str, values: Sequence[object], reference: Sequence[object]) -> Shift:
    """The shift of a category column from its reference; None is left out, rare values are grouped."""
    x, y = ([str(v) for v in side if v is not None] for side in (values, reference))
    a, b = _counted(x, y)
    if min(len(x), len(y)) < 2 or len(a) < 1:
        return Shift(column, len(x), len(y), {}, {})
    effects = {
        "js": distances.js(a, b),
        "psi": distances.psi(a, b),
        "cramer": association.cramer(np.stack((a, b))),
    }
    return Shift(
        column, len(x), len(y), effects, dict.fromkeys(effects, distances.chi_square(a, b))
    )


def drifted(
    shifts: Sequence[Shift], limits: Mapping[str, float], alpha: float = ALPHA
) -> list[tuple[Shift, str, float]]:
    """The effects above their limit whose corrected p-value is below alpha, worst first by p.

    The correction is over every test of every column that has at least `LEAST` values a side and
    an effect that has a limit.
    """
    tests = [
        (shift, effect, p)
        for shift in shifts
        if min(shift.n, shift.reference) >= LEAST
        for effect, p in shift.p.items()
        if effect in limits
    ]
    corrected = distances.holm([p for _, _, p in tests])
    beyond = [
        (shift, effect, float(p))
        for (shift, effect, _), p in zip(tests, corrected, strict=True)
        if p < alpha and shift.effects[effect] > limits[effect]
    ]
    return sorted(beyond, key=lambda test: (test[2], -test[0].effects[test[1]]))


def _binned(x: distances.Floats, y: distances.Floats, bins: int) -> list[distances.Floats]:
    edges = distances.quantile_edges(y, bins)
    return [distances.histogram(side, edges) for side in (x, y)]


def _counted(x: list[str], y: list[str]) -> tuple[distances.Floats, distances.Floats]:
    """Counts of each value; those expected less than five times on a side are taken together.

    Into as many groups as keep ten on each side, by a digest of the value: one group for all would
    hide that none of a thousand values is shared.
    """
    names, codes = np.unique(np.array(x + y, dtype=object).astype(str), return_inverse=True)
    a = np.bincount(codes[: len(x)], minlength=len(names)).astype(np.float64)
    b = np.bincount(codes[len(x) :], minlength=len(names)).astype(np.float64)
    least = (a + b) * (min(len(x), len(y)) / max(1, len(x) + len(y)))
    rare = least < 5
    if rare.sum() > 1:
        many = min(100, max(1, int(least[rare].sum() // 10)))
        coded = (name.encode("utf-8", "surrogatepass") for name in names[rare].tolist())
        group = np.array([zlib.crc32(name) % many for name in coded])
        grouped = (np.append(v[~rare], np.bincount(group, v[rare], many)) for v in (a, b))
        a, b = (np.asarray(v, dtype=np.float64) for v in grouped)
    return a, b


class Drift:
    """The gate of every shared column against the reference's, and of the texts as a whole."""

    name = "drift"
    asks = "are numbers and categories spread as in the reference?"
    measures = (
        Measure(
            "mean_shift", 0.1, upper=True, most=None,
            meaning="the mean moved, in standard deviations of the reference",
        ),
        Measure(
            "ks", 0.1, upper=True,
            meaning="the two distribution functions are further apart (Kolmogorov and Smirnov)",
        ),
        Measure("js", 0.1, upper=True, meaning="Jensen-Shannon divergence, in nats"),
        Measure(
            "psi", 0.2, upper=True, most=None,
            meaning="population stability index, less what chance gives",
        ),
        Measure("cramer", 0.1, upper=True, meaning="the shares of a category moved (Cramér's V)"),
        Measure(
            "classifier", 0.9, upper=True, strict=False,
            meaning="a classifier tells the texts from the reference's, as AUC",
        ),
    )  # fmt: skip

    def __call__(self, evidence: Evidence, limits: Limits) -> Iterator[Finding]:
        if evidence.reference is None:
            return
        yield from self._columns(evidence, evidence.reference, limits)
        if evidence.texts and evidence.reference_texts:
            yield _texts(evidence, limits)

    def _columns(
        self, evidence: Evidence, reference: frame.Frame, limits: Limits
    ) -> Iterator[Finding]:
        """Findings about each shared column; one fails only beyond its limit and beyond chance."""
        shifts = [
            _shift(evidence.rows.columns[name], reference.columns[name]) for name in evidence.shared
        ]
        bounds = {measure.name: limits.bound(f"drift.{measure.name}") for measure in self.measures}
        beyond = {(shift.column, effect): p for shift, effect, p in drifted(shifts, bounds)}
        for shift in shifts:
            if min(shift.n, shift.reference) < LEAST:
                yield Finding.too_few(
                    "drift.ks",
                    shift.column,
                    f"{shift.n} values, {shift.reference} of reference; {LEAST} are needed",
                )
                continue
            for effect, value in shift.effects.items():
                if effect not in shift.p:
                    yield Finding(f"drift.{effect}", shift.column, value, None, "pass")
                    continue
                p = beyond.get((shift.column, effect))
                yield limits.judge(
                    f"drift.{effect}",
                    shift.column,
                    value,
                    f"differs from the reference beyond chance (p = {p or 0:.2g}, corrected)",
                    significant=p is not None,
                )


def _texts(evidence: Evidence, limits: Limits) -> Finding:
    ours, theirs = evidence.vectors
    if min(len(ours), len(theirs)) < LEAST_POINTS:
        return Finding.too_few(
            "drift.classifier", "text", f"{LEAST_POINTS} texts a side are needed"
        )
    result = two_sample.ridge(ours, theirs, evidence.rng("classifier"))
    return limits.judge(
        "drift.classifier",
        "text",
        result.auc,
        "a classifier tells these texts from the reference's: give examples of its style",
        significant=result.p < ALPHA,
    )


def _shift(ours: tables.Column, theirs: tables.Column) -> Shift:
    """The effects of one column; numbers of few distinct values are categories with a mean."""
    if not (ours.numeric and theirs.numeric):
        return categories(ours.name, names_of(ours), names_of(theirs))
    shift = numbers(ours.name, ours.values, theirs.values)
    distinct = np.unique(np.concatenate((ours.values, theirs.values)))
    if (~np.isnan(distinct)).sum() > FEW or not shift.effects:
        return shift
    # Distances between distributions assume few ties; the mean does not.
    counted = categories(ours.name, names_of(ours), names_of(theirs))
    return replace(
        counted,
        effects={"mean_shift": shift.effects["mean_shift"], **counted.effects},
        p={"mean_shift": shift.p["mean_shift"], **counted.p},
    )
