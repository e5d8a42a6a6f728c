"""Whether a row is copied from the reference, or gives a person away."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from builder.project.expect import Measure
from builder.quality import coverage, drift, privacy
from builder.quality.findings import LEAST_POINTS, Evidence, Finding, Limits, names_of
from builder.stats import features
from builder.table import frame


class Privacy:
    """The gate of copies, of rows too close to the reference, and of personal data."""

    name = "privacy"
    asks = "is a row copied from the reference, or does one give a person away?"
    measures = (
        Measure(
            "copied_rows", 0, upper=True, most=None,
            meaning="rows equal reference rows, beyond what the reference repeats itself",
        ),
        Measure(
            "copied_texts", 0, upper=True, most=None,
            meaning="texts that equal a reference text or are as near as 0.8 to it",
        ),
        Measure(
            "verbatim", 0, upper=True, most=None,
            meaning="texts that share 50 characters in a row with the reference (20 for Chinese)",
        ),
        Measure(
            "closest", 0.6, upper=True,
            meaning="rows lie nearer to what they were made from than to rows held out",
        ),
        Measure(
            "too_close", 0.15, upper=True,
            meaning="rows lie nearer to a reference row than 95 % of reference rows do (nothing held out)",
        ),
        Measure("pii", 0, upper=True, most=None, meaning="personal data or keys, see below"),
        Measure(
            "placeholders", 0, upper=True, strict=False, most=None,
            meaning="addresses and numbers reserved for examples, such as `example.com`",
        ),
    )  # fmt: skip

    def __call__(self, evidence: Evidence, limits: Limits) -> Iterator[Finding]:
        yield from _copied_texts(evidence, limits)
        yield from _copied_rows(evidence, limits)
        yield from _personal_data(evidence, limits)


def _copied_texts(evidence: Evidence, limits: Limits) -> Iterator[Finding]:
    """Findings about texts that the reference or a few-shot example holds, whole or in part."""
    reference = evidence.reference
    theirs = [] if reference is None or reference.released else evidence.reference_texts
    known = [*theirs, *evidence.context.examples]
    if not evidence.texts or not known:
        return
    copies = privacy.copies(evidence.texts, known, evidence.context.similarity)
    yield limits.judge(
        "privacy.copied_texts",
        "",
        len(copies),
        f"row {copies[0].row + 1} is nearly a reference text" if copies else "",
    )
    runs = privacy.runs(evidence.texts, known)
    longest = max(runs, key=lambda run: run.length, default=None)
    yield limits.judge(
        "privacy.verbatim",
        "",
        len(runs),
        f"row {longest.row + 1} repeats {longest.length} characters word for word"
        if longest
        else "",
    )


def _copied_rows(evidence: Evidence, limits: Limits) -> Iterator[Finding]:
    """Findings about rows that equal reference rows, or lie too near to them."""
    reference, names = evidence.reference, evidence.shared
    if reference is None or reference.released:
        return
    if not any(evidence.rows.columns[name].numeric for name in names):
        return
    ours, theirs = (_tuples(side, names) for side in (evidence.rows, reference))
    copied, chance = privacy.copied_rows(ours, theirs)
    excess = max(0.0, len(copied) - 1.1 * chance - 3 * chance**0.5) if len(names) > 1 else 0.0
    yield limits.judge(
        "privacy.copied_rows",
        ", ".join(names),
        round(excess),
        f"{len(copied)} rows equal a reference row, {chance:.0f} by chance: a bootstrap copies",
    )
    if len(names) > 1:
        yield from _too_near(evidence, limits, reference)


def _too_near(evidence: Evidence, limits: Limits, reference: frame.Frame) -> Iterator[Finding]:
    """A finding about distances to the reference: against rows held out, where there are any."""
    rng, held_out = evidence.rng("closest"), evidence.context.held_out
    ours, theirs = evidence.columns(held_out)
    ours, used = (_sample(side, rng) for side in (ours, theirs[: reference.rows]))
    if min(len(ours), len(used)) < LEAST_POINTS:
        return
    if held_out is not None:
        closeness = privacy.closest_share(ours, used, _sample(theirs[reference.rows :], rng))
        name, advice = "privacy.closest", "rows lie nearer to what they were made from"
    else:
        closeness = privacy.too_close(ours, used)
        name, advice = "privacy.too_close", "rows lie nearer to reference rows than those do"
    yield limits.judge(
        name,
        ", ".join(evidence.shared),
        closeness.share,
        f"{advice}: draw from a fit",
        significant=closeness.p < drift.ALPHA,
    )


def _personal_data(evidence: Evidence, limits: Limits) -> Iterator[Finding]:
    """Findings about personal data and placeholders in any column of strings."""
    from builder.quality import pii  # its patterns take long to compile, and a plan needs none

    strings = _strings(evidence.rows)
    if not strings:
        return
    rows_by_kind = pii.scan(strings)
    placeholders = rows_by_kind.pop("placeholder", [])
    kinds = ", ".join(
        f"{kind} in {len(rows)} (row {rows[0] + 1})" for kind, rows in rows_by_kind.items()
    )
    yield limits.judge(
        "privacy.pii",
        "",
        len(set[int]().union(*rows_by_kind.values())),
        f"{kinds}: mask them, or forbid them in the prompt",
    )
    yield limits.judge(
        "privacy.placeholders",
        "",
        len(placeholders),
        "addresses and numbers reserved for examples; harmless if they are meant",
    )


def _sample(points: features.Vectors, rng: np.random.Generator) -> features.Vectors:
    """At most `coverage.MOST` of the points (n, d)."""
    return points[rng.permutation(len(points))[: coverage.MOST]]


def _tuples(side: frame.Frame, names: list[str]) -> list[tuple[str | None, ...]]:
    return list(zip(*(names_of(side.columns[name]) for name in names), strict=True))


def _strings(rows: frame.Frame) -> list[str]:
    """Each row's strings of every kind: a number hides in an id as well as in a text."""
    columns = [column.values for column in rows.columns.values() if not column.numeric]
    return ["\n".join(str(cell) for cell in row if cell) for row in zip(*columns, strict=True)]
