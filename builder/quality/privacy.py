"""Whether a row is copied from the reference, or gives a person away.

Copies, long verbatim runs, rows too close; personal data by shape is in `pii`. None of these is a
proof of privacy; each finds one way in which reference rows leak.
"""

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from builder.quality import coverage, drift, pii
from builder.quality.findings import LEAST_POINTS, Evidence, Finding, Limits, names_of
from builder.stats import distances, features, near, neighbours, shingles
from builder.table import frame

RUN, RUN_CJK = 50, 20  # characters of a verbatim run that counts
_BASE = 0x9E3779B97F4A7C15
_CHUNK = 1 << 22  # characters of the reference hashed at once


class Copy(NamedTuple):
    """A text of the dataset that is, or nearly is, one of the reference."""

    row: int
    reference: int
    similarity: float  # 1 for equal after normalisation


class Run(NamedTuple):
    """The longest stretch of a text all of whose windows occur in the reference."""

    row: int
    start: int
    length: int
    text: str  # the stretch, normalised


class Closeness(NamedTuple):
    """How rows lie to the reference, as a share, with what chance alone gives."""

    share: float
    expected: float
    p: float  # one-sided: rows are no closer than expected


def copies(texts: Sequence[str], reference: Sequence[str], threshold: float = 0.8) -> list[Copy]:
    """The texts that are at least this near to a reference text, each with one of the nearest."""
    both = [*reference, *texts]
    split = len(reference)
    copied: dict[int, Copy] = {}
    equal: dict[int, list[int]] = {}
    for i, j, similar in zip(*(part.tolist() for part in near.pairs(both, threshold)), strict=True):
        if i < split <= j and similar > copied.get(j, Copy(0, 0, 0.0)).similarity:
            copied[j] = Copy(j - split, i, similar)
        elif i >= split and similar == 1:
            equal.setdefault(i, []).append(j)
    # Equal texts are paired with the first of them only: they share what it was found near to.
    for first, others in equal.items():
        if first in copied:
            for j in others:
                copied.setdefault(j, copied[first]._replace(row=j - split))
    return [copied[j] for j in sorted(copied)]


def copied_rows(
    rows: Sequence[tuple[Any, ...]], reference: Sequence[tuple[Any, ...]]
) -> tuple[list[int], float]:
    """Rows that equal a reference row in every column, and how many of them chance explains.

    Tables of few distinct values repeat themselves: the share of reference rows with a twin
    elsewhere in the reference is what an honest dataset reaches too, and so is
    the share that would meet one if each column were drawn by itself; the larger one counts.
    """
    counts = Counter(reference)
    copied = [at for at, row in enumerate(rows) if row in counts]
    if not copied:
        return [], 0.0
    twins = sum(many for many in counts.values() if many > 1)
    alone = 1.0
    for ours, theirs in zip(zip(*rows, strict=True), zip(*reference, strict=True), strict=True):
        mine, known = Counter(ours), Counter(theirs)
        alone *= sum(many * known[cell] for cell, many in mine.items()) / len(ours) / len(theirs)
    return copied, len(rows) * max(twins / len(reference), 1 - (1 - alone) ** len(reference))


def runs(
    texts: Sequence[str],
    reference: Sequence[str],
    *,
    characters: int = RUN,
    characters_cjk: int = RUN_CJK,
) -> list[Run]:
    """For each text with one, its longest verbatim run of at least so many characters.

    A run is a stretch each of whose windows of that many characters occurs in some reference
    text; time and memory are linear in the characters of both sides.
    """
    ours, theirs = ([shingles.normalise(text) for text in side] for side in (texts, reference))
    script = [shingles.is_cjk(text) for text in ours]
    longest: list[Run] = []
    for cjk, size in ((False, characters), (True, characters_cjk)):
        chosen = [at for at, text in enumerate(ours) if script[at] == cjk and len(text) >= size]
        longest += _runs(chosen, ours, [text for text in theirs if len(text) >= size], size)
    return sorted(longest)


def closest_share(
    vectors: NDArray[np.floating], used: NDArray[np.floating], held_out: NDArray[np.floating]
) -> Closeness:
    """The share of rows nearer to the reference half that was used than to the one held out.

    One half is expected of a dataset that generalises, 1 of one that copies. The halves are
    cut to one size; ties count half.
    """
    size = min(len(used), len(held_out))
    a, b = (neighbours.nearest(vectors, side[:size]) for side in (used, held_out))
    share = float((a < b).mean() + (np.abs(a - b) <= 1e-12).mean() / 2)
    return Closeness(share, 0.5, _above(share, 0.5, len(vectors)))


def too_close(
    vectors: NDArray[np.floating], reference: NDArray[np.floating], quantile: float = 0.05
) -> Closeness:
    """The share of rows nearer to a reference row than all but 5 % of its own rows are.

    That is, than the quantile of the distances between reference rows and their nearest others.
    Where more than 5 % of reference rows have a twin, the rows that have one count instead, as
    far as they are more than among the reference. Used where nothing was held out.
    """
    among, nearest = neighbours.nearest(reference), neighbours.nearest(vectors, reference)
    if (bound := float(np.quantile(among, quantile))) > 0:
        share = float((nearest < bound).mean())
        return Closeness(share, quantile, _above(share, quantile, len(vectors)))
    twins, share = float((among <= 0).mean()), float((nearest <= 0).mean())
    return Closeness(
        quantile + max(0.0, share - twins), quantile, _above(share, twins, len(vectors))
    )


def _above(share: float, expected: float, n: int) -> float:
    """p-value of at least this share of n where `expected` is true."""
    return distances.binomial(round(share * n), n, expected)


def _runs(chosen: list[int], ours: list[str], theirs: list[str], size: int) -> list[Run]:
    if not chosen or not theirs:
        return []
    known = np.concatenate([_rolled([ours[at]], size) for at in chosen])
    distinct, place = np.unique(known, return_inverse=True)
    seen = np.zeros(len(distinct), dtype=bool)
    ends = itertools.accumulate(map(len, theirs))
    blocks = itertools.groupby(zip(theirs, ends, strict=True), key=lambda pair: pair[1] // _CHUNK)
    for _, block in blocks:
        hashed = _rolled([text for text, _ in block], size)
        at = np.minimum(np.searchsorted(distinct, hashed), len(distinct) - 1)
        seen[at[distinct[at] == hashed]] = True
    hit = seen[place]
    longest, start = [], 0
    for row in chosen:
        many = len(ours[row]) - size + 1
        first, length = _longest(hit[start : start + many])
        if length:
            stop = first + length + size - 1
            longest.append(Run(row, first, stop - first, ours[row][first:stop]))
        start += many
    return longest


def _longest(hit: NDArray[np.bool_]) -> tuple[int, int]:
    """Start and length of the longest stretch of True; 0, 0 when there is none."""
    if not hit.any():
        return 0, 0
    edges = np.flatnonzero(np.diff(np.concatenate(([0], hit.astype(np.int8), [0]))))
    starts, lengths = edges[::2], np.diff(edges)[::2]
    best = int(lengths.argmax())
    return int(starts[best]), int(lengths[best])


def _rolled(texts: list[str], size: int) -> NDArray[np.uint64]:
    """A hash of every window of `size` characters that lies inside one text.

    Prefix sums of c[i] * base**i modulo 2**64, each window's difference divided by base**i.
    """
    codes = shingles.codes_of("".join(texts)).astype(np.uint64)
    # Mixed first: sums of plain code points in powers of one base collide on purpose-made text.
    codes = (codes + np.uint64(1)) * np.uint64(0xD6E8FEB86659FD93)
    codes ^= codes >> np.uint64(32)
    codes *= np.uint64(0xC2B2AE3D27D4EB4F)
    sums = np.concatenate(([np.uint64(0)], np.cumsum(codes * _powers(_BASE, len(codes)))))
    rolled = (sums[size:] - sums[:-size]) * _powers(pow(_BASE, -1, 2**64), len(codes) - size + 1)
    if len(texts) > 1:
        ends = np.cumsum([len(text) for text in texts])
        starts = np.arange(len(rolled))
        rolled = rolled[starts + size <= ends[np.searchsorted(ends, starts, side="right")]]
    return np.asarray(rolled)


def _powers(base: int, n: int) -> NDArray[np.uint64]:
    powers = np.full(n, base, dtype=np.uint64)
    powers[:1] = 1
    return np.cumprod(powers, dtype=np.uint64)


def findings(evidence: Evidence, limits: Limits) -> Iterator[Finding]:
    """The findings of the gate, in the order of its measures."""
    yield from _copied_texts(evidence, limits)
    yield from _copied_rows(evidence, limits)
    yield from _personal_data(evidence, limits)


def _copied_texts(evidence: Evidence, limits: Limits) -> Iterator[Finding]:
    reference = evidence.reference
    theirs = [] if reference is None or reference.released else evidence.reference_texts
    known = [*theirs, *evidence.context.examples]
    if not evidence.texts or not known:
        return
    copied = copies(evidence.texts, known, evidence.context.similarity)
    yield limits.judge(
        "privacy.copied_texts",
        "",
        len(copied),
        f"row {copied[0].row + 1} is nearly a reference text" if copied else "",
    )
    repeated = runs(evidence.texts, known)
    longest = max(repeated, key=lambda run: run.length, default=None)
    yield limits.judge(
        "privacy.verbatim",
        "",
        len(repeated),
        f"row {longest.row + 1} repeats {longest.length} characters word for word"
        if longest
        else "",
    )


def _copied_rows(evidence: Evidence, limits: Limits) -> Iterator[Finding]:
    reference, names = evidence.reference, evidence.shared
    if reference is None or reference.released:
        return
    if not any(evidence.rows.columns[name].numeric for name in names):
        return
    ours, theirs = (
        list(zip(*(names_of(side.columns[name]) for name in names), strict=True))
        for side in (evidence.rows, reference)
    )
    copied, chance = copied_rows(ours, theirs)
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
    rng, held_out = evidence.rng("closest"), evidence.context.held_out
    ours, theirs = evidence.columns(held_out)
    ours, used = (_sample(side, rng) for side in (ours, theirs[: reference.rows]))
    if min(len(ours), len(used)) < LEAST_POINTS:
        return
    if held_out is not None:
        closeness = closest_share(ours, used, _sample(theirs[reference.rows :], rng))
        name, advice = "privacy.closest", "rows lie nearer to what they were made from"
    else:
        closeness = too_close(ours, used)
        name, advice = "privacy.too_close", "rows lie nearer to reference rows than those do"
    yield limits.judge(
        name,
        ", ".join(evidence.shared),
        closeness.share,
        f"{advice}: draw from a fit",
        significant=closeness.p < drift.ALPHA,
    )


def _personal_data(evidence: Evidence, limits: Limits) -> Iterator[Finding]:
    columns = [column.values for column in evidence.rows.columns.values() if not column.numeric]
    if not evidence.rows.rows or not columns:
        return
    # Strings of every kind: a number hides in an id as well as in a text.
    strings = ["\n".join(str(cell) for cell in row if cell) for row in zip(*columns, strict=True)]
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
    return points[rng.permutation(len(points))[: coverage.MOST]]
