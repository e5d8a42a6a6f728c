"""How rows are shared among combinations, and the uniform numbers behind every draw.

All of it is counter-based: a number follows from what it is for (seed, axis values,
occurrence, purpose), never from how many were drawn before. The 64-bit words that stand for
seed and axis values are BLAKE2b digests; they are added, so that the order of axes is no
matter, and finished by the SplitMix64 mixer (Steele, Lea & Flood 2014).
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from builder.project import axes, expressions
from builder.project.words import Rows
from builder.records import canonical

CHUNK = 1 << 19
MAX_ROWS = 10**7  # Rows of the largest plan of a scenario: 36 bytes each.

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_OCCURRENCE = np.uint64(0xD1B54A32D192ED03)
_REDRAW = np.uint64(0x8CB92BA72F3D8DD7)


@dataclass(frozen=True, slots=True)
class Shared:
    """The planned cases in plan order."""

    index: NDArray[np.int64]  # (n,) combination numbers of the grid
    occurrence: NDArray[np.int32]  # (n,) which case of its combination
    kept: int  # combinations that `keep` left of the grid


def word(*parts: object) -> np.uint64:
    """64 bits that stand for these parts."""
    return np.uint64(int(hashlib.blake2b(canonical(parts), digest_size=8).hexdigest(), 16))


def mix(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The SplitMix64 finaliser, elementwise."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def unit(x: NDArray[np.uint64]) -> NDArray[np.float64]:
    """Words to numbers in the open interval (0, 1)."""
    return ((x >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53


class Source(NamedTuple):
    """The uniform numbers of one scenario: its seed and the words of its axis values."""

    grid: axes.Grid
    seed_word: np.uint64
    block_words: tuple[NDArray[np.uint64], ...]
    # (units,) words of the rows of a source that are crossed with the grid, before its axes.
    unit_words: NDArray[np.uint64] | None = None

    @property
    def size(self) -> int:
        """The number of combinations, those with rows of a source among them."""
        return self.grid.size * (1 if self.unit_words is None else len(self.unit_words))

    def combination_words(self, index: NDArray[np.int64]) -> NDArray[np.uint64]:
        """(n,) words of combinations (n,)."""
        total = np.full(index.shape, self.seed_word, dtype=np.uint64)
        if self.unit_words is not None:
            units, index = np.divmod(index, self.grid.size)
            total += self.unit_words[units]
        for words, digit in zip(self.block_words, self.grid.digits(index), strict=True):
            total += words[digit]
        return mix(total)

    def uniforms(
        self,
        index: NDArray[np.int64],
        occurrence: NDArray[np.int32],
        purpose: str,
        width: int,
        redraw: NDArray[np.int64] | int = 0,
    ) -> NDArray[np.float64]:
        """(n, width) numbers in (0, 1) for these cases; `purpose` keeps draws independent."""
        base = mix(self.combination_words(index) ^ word("purpose", purpose))
        base = mix(base + occurrence.astype(np.uint64) * _OCCURRENCE)
        base = mix(base + np.asarray(redraw, dtype=np.uint64) * _REDRAW)
        steps = (np.arange(1, width + 1, dtype=np.uint64)) * _GOLDEN
        return unit(mix(base[:, None] + steps[None, :]))


def source(grid: axes.Grid, seed: int) -> Source:
    """The numbers that follow from a seed over a grid."""
    words = []
    for block in grid.blocks:
        total = np.zeros(len(block.choices), dtype=np.uint64)
        for position, name in enumerate(block.names):
            tags = [(type(choice[position]).__name__, choice[position]) for choice in block.choices]
            known = {tag: word("axis", name, tag[1]) for tag in dict.fromkeys(tags)}
            total += np.array([known[tag] for tag in tags], dtype=np.uint64)
        words.append(total)
    return Source(grid, word("seed", seed), tuple(words))


class Mask(NamedTuple):
    """Which combinations `keep` leaves: a truth table over the blocks that it reads."""

    grid: axes.Grid
    # Pairs of block numbers and an array with one dimension for each of them.
    tables: tuple[tuple[tuple[int, ...], NDArray[np.bool_]], ...]

    def __call__(self, index: NDArray[np.int64]) -> NDArray[np.bool_]:
        digits = self.grid.digits(index % self.grid.size)
        is_kept = np.ones(index.shape, dtype=bool)
        for blocks, table in self.tables:
            is_kept &= table[tuple(digits[block] for block in blocks)]
        return is_kept


def share(source: Source, rows: Rows, mask: Mask | None = None) -> Shared:
    """The cases of a scenario: occurrence k of combination c has priority (k + u(c)) / w(c),
    and the plan is the N smallest, so every share is fair on average and one axis may be
    edited without moving the cases of other combinations.
    """
    if rows.each is not None:
        return _each(source, rows.each, mask)
    assert rows.total is not None
    if not rows.least:
        return _smallest(source, rows.total, mask, first=0)
    floor = _each(source, rows.least, mask)
    if (left := rows.total - len(floor.index)) <= 0:
        return floor
    others = _smallest(source, left, mask, first=rows.least)
    return Shared(
        np.concatenate([floor.index, others.index]),
        np.concatenate([floor.occurrence, others.occurrence]),
        floor.kept,
    )


def lacking(
    source: Source, rules: Sequence[expressions.Expression], given: Mapping[str, Any]
) -> Counter[str]:
    """How many combinations rules leave out for a missing attribute, by the attributes they read."""
    counts = Counter[str]()
    for rule in rules:
        left_out = mask(source.grid, [rule], given, _lacks) if rule.attributes else None
        if left_out is not None and any(table.any() for _, table in left_out.tables):
            names = ", ".join(sorted(".".join(pair) for pair in rule.attributes))
            counts[names] += kept(source, left_out)
    return counts


def _lacks(rule: expressions.Expression, names: Mapping[str, Any]) -> bool:
    return bool(rule.lacks(names)) and not rule.holds(names)


def mask(
    grid: axes.Grid,
    rules: Sequence[expressions.Expression],
    given: Mapping[str, Any],
    test: Callable[
        [expressions.Expression, Mapping[str, Any]], bool
    ] = expressions.Expression.holds,
) -> Mask | None:
    """The truth tables of rules over axes (and what is given) alone; None where there is no rule."""
    tables = []
    for rule in rules:
        blocks = tuple(i for i, block in enumerate(grid.blocks) if rule.names & set(block.names))
        shape = tuple(len(grid.blocks[i].choices) for i in blocks)
        table = np.empty(shape, dtype=bool)
        for position in np.ndindex(*shape):
            names = dict(given)
            for block, choice in zip(blocks, position, strict=True):
                chosen = grid.blocks[block]
                names.update(zip(chosen.names, chosen.choices[choice], strict=True))
            table[position] = test(rule, names)
        tables.append((blocks, table))
    return Mask(grid, tuple(tables)) if tables else None


def kept(source: Source, mask: Mask | None) -> int:
    """How many combinations `keep` leaves of the grid."""
    if mask is None:
        return source.size
    return sum(len(index) for index, *_ in _chunks(source, mask))


def _chunks(
    source: Source, mask: Mask | None
) -> Iterator[
    tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64], NDArray[np.uint64]]
]:
    """Kept combinations in chunks: numbers, u(c), weights, words."""
    size = source.size
    for start in range(0, size, CHUNK):
        index = np.arange(start, min(start + CHUNK, size), dtype=np.int64)
        if mask is not None:
            index = index[mask(index)]
        if not len(index):
            continue
        words = source.combination_words(index)
        weights = np.ones(index.shape)
        digits = source.grid.digits(index % source.grid.size)
        for block, digit in zip(source.grid.blocks, digits, strict=True):
            weights *= block.weights[digit]
        yield index, unit(mix(words ^ word("spread"))), weights, words


def _each(source: Source, each: int, mask: Mask | None) -> Shared:
    parts = [(index, u, words) for index, u, _, words in _chunks(source, mask)]
    if not parts:
        return _no_cases()
    index, u, words = map(np.concatenate, zip(*parts, strict=True))
    occurrence = np.repeat(np.arange(each, dtype=np.int32), len(index))
    order = np.lexsort((words, u))
    if source.unit_words is not None:  # rows of a source in their own order
        order = order[np.argsort(index[order] // source.grid.size, kind="stable")]
    return Shared(np.tile(index[order], each), occurrence, len(index))


def _smallest(source: Source, total: int, mask: Mask | None, *, first: int) -> Shared:
    weight_sum, combinations = 0.0, 0
    for index, _, weights, _ in _chunks(source, mask):
        weight_sum += float(weights.sum())
        combinations += len(index)
    if not combinations:
        return _no_cases()
    slack = 6.0 * np.sqrt(min(total, combinations)) + 6.0
    while True:
        priority, words, index, occurrence = _below(source, mask, (total + slack) / weight_sum)
        if len(priority) > total:
            break
        slack *= 2.0
    order = np.lexsort((words, priority))[:total]
    return Shared(index[order], (occurrence[order] + first).astype(np.int32), combinations)


def _below(
    source: Source, mask: Mask | None, limit: float
) -> tuple[NDArray[np.float64], NDArray[np.uint64], NDArray[np.int64], NDArray[np.int64]]:
    """Priorities, words, combinations and occurrences of all cases of priority up to `limit`."""
    parts = []
    for index, u, weights, words in _chunks(source, mask):
        counts = np.maximum(np.floor(limit * weights - u) + 1, 0).astype(np.int64)
        repeated = np.repeat(np.arange(len(index)), counts)
        starts = np.cumsum(counts) - counts
        occurrence = np.arange(len(repeated), dtype=np.int64) - starts[repeated]
        priority = (occurrence + u[repeated]) / weights[repeated]
        parts.append((priority, words[repeated], index[repeated], occurrence))
    priority, words, index, occurrence = map(np.concatenate, zip(*parts, strict=True))
    return priority, words, index, occurrence


def _no_cases() -> Shared:
    return Shared(np.empty(0, np.int64), np.empty(0, np.int32), 0)
