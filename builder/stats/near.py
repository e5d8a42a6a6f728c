"""Near-duplicates by Jaccard similarity of character shingles, each one verified exactly.

`pairs` finds them in a whole corpus (MinHash bands, Broder 1997; recall .99 and more at its
threshold). `Index` answers one text at a time while a dataset fills, and misses none: texts as
near as t share one of the n - ceil(t n) + 1 rarest shingles of each (Bayardo et al. 2007).
"""

import functools
import math
from array import array
from collections.abc import Sequence
from typing import Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from builder.stats import shingles

K = TypeVar("K")
COUNT = 120  # MinHash values per text
CROWD = 64  # in a bucket of more texts than this, each is compared with the next ones only

SHARED = 6  # rare shingles that two near texts must share before they are compared in full


class Pairs(NamedTuple):
    """m pairs of texts, i < j, in ascending order."""

    i: NDArray[np.int64]  # (m,) index of the earlier text
    j: NDArray[np.int64]  # (m,) index of the later text
    similarity: NDArray[np.float64]  # (m,) Jaccard similarity, at least the threshold


class Match(NamedTuple, Generic[K]):
    """The nearest of the texts added so far."""

    key: K
    similarity: float


def bands(threshold: float) -> tuple[int, int]:
    """Bands and rows per band: the fewest candidates at a recall of .995 at the threshold.

    >>> bands(0.8)
    (20, 6)
    """
    sizes = (30, 24, 20, 15, 12, 10, 8, 6, 5, 4, 3, 2)
    recalls = ((rows, 1 - (1 - threshold**rows) ** (COUNT // rows)) for rows in sizes)
    rows = next((rows for rows, recall in recalls if recall >= 0.995), 1)
    return COUNT // rows, rows


def pairs(texts: Sequence[str], threshold: float) -> Pairs:
    """All pairs of texts that are at least this near, but for a share below .01.

    Texts that are equal after normalisation are paired with the first of them only, so the
    answer stays linear in the number of texts. Empty texts have no pair.
    """
    if not 0 < threshold <= 1:
        raise ValueError("a similarity lies above 0 and at most at 1")
    distinct: dict[str, int] = {}
    again: list[tuple[int, int]] = []
    for at, text in enumerate(map(shingles.normalise, texts)):
        first = distinct.setdefault(text, at) if text else at
        if first != at:
            again.append((first, at))
    firsts = np.fromiter(distinct.values(), dtype=np.int64, count=len(distinct))
    i, j, near = _verified(list(distinct), threshold) if threshold < 1 else _no_pairs()
    same = np.array(again, dtype=np.int64).reshape(-1, 2)
    left = np.concatenate((firsts[i], same[:, 0]))
    right = np.concatenate((firsts[j], same[:, 1]))
    similar = np.concatenate((near, np.ones(len(same))))
    order = np.lexsort((right, left))
    return Pairs(left[order], right[order], similar[order])


def share(texts: Sequence[str], threshold: float) -> float:
    """The share of texts that are this near to an earlier one; 0 when there are none."""
    return len(np.unique(pairs(texts, threshold).j)) / len(texts) if texts else 0.0


def _no_pairs() -> Pairs:
    none = np.empty(0, dtype=np.int64)
    return Pairs(none, none, np.empty(0))


def _verified(texts: list[str], threshold: float) -> Pairs:
    """Pairs of distinct normalised texts: candidates that share a band, then exact Jaccard."""
    signed = shingles.signatures(texts, COUNT)
    codes = np.unique(_candidates(signed, *bands(threshold)))
    n = max(1, len(texts))
    verified = [_no_pairs()]
    # An estimate from 120 values strays by four standard deviations in one pair of 30,000.
    least = threshold - 4 * np.sqrt(threshold * (1 - threshold) / COUNT)
    for start in range(0, len(codes), 1 << 16):
        i, j = np.divmod(codes[start : start + (1 << 16)], n)
        likely = (signed[i] == signed[j]).mean(axis=1) >= least
        verified.append(_exact(texts, i[likely], j[likely], threshold))
    return Pairs(*(np.concatenate(parts) for parts in zip(*verified, strict=True)))


def _candidates(signed: NDArray[np.uint32], many: int, rows: int) -> NDArray[np.int64]:
    """(m,) pairs i * n + j, i < j, that share all values of a band; repeats are left in."""
    n = len(signed)
    candidates = []
    rng = np.random.default_rng(20260102)
    factors = rng.integers(0, 2**63, size=rows, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
    for band in range(many):
        bucket = np.einsum("ij,j->i", signed[:, band * rows : (band + 1) * rows], factors)
        order = np.argsort(bucket, kind="stable")
        candidates.append(_neighbours(bucket[order], order, n))
    return np.concatenate(candidates)


def _neighbours(bucket: NDArray[np.uint64], order: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    """Pairs within runs of equal buckets, at most `CROWD` places apart."""
    neighbours = []
    start = np.arange(len(bucket))
    for step in range(1, CROWD + 1):
        start = start[start + step < len(bucket)]
        start = start[bucket[start] == bucket[start + step]]
        if not len(start):
            break
        # `order` is stable, so the earlier text comes first.
        neighbours.append(order[start] * n + order[start + step])
    return np.unique(np.concatenate(neighbours)) if neighbours else np.empty(0, dtype=np.int64)


def _exact(texts: list[str], i: NDArray[np.int64], j: NDArray[np.int64], threshold: float) -> Pairs:
    @functools.lru_cache(1 << 14)
    def hashes(at: int) -> NDArray[np.uint64]:
        return shingles.hashes(texts[at])

    candidates = zip(i.tolist(), j.tolist(), strict=True)
    similar = np.array([shingles.jaccard(hashes(a), hashes(b)) for a, b in candidates], np.float64)
    near = similar >= threshold
    return Pairs(i[near], j[near], similar[near])


class Index(Generic[K]):
    """Texts under keys, asked for the nearest one; exact, and deterministic.

    Memory is the texts themselves and some 16 bytes for each of their rarest shingles (a share
    of 1 - threshold of all, and six). Which are rare is counted anew whenever the index doubles.
    """

    def __init__(self, threshold: float) -> None:
        if not 0 < threshold <= 1:
            raise ValueError("similarity_below lies above 0 and at most at 1")
        self.threshold = threshold
        self._keys: list[K] = []
        self._texts: list[str] = []
        self._same: dict[str, int] = {}
        self._sizes = array("i")
        self._frequency = np.zeros(1 << 16, dtype=np.uint32)
        self._heads: NDArray[np.int32] = np.full(1 << 10, -1, dtype=np.int32)
        self._owners = array("i")
        self._next = array("i")
        self._doubling = 64

    def __len__(self) -> int:
        return len(self._keys)

    def nearest(self, text: str) -> Match[K] | None:
        """The nearest added text that is at least this near, the first of equals, or None."""
        plain = shingles.normalise(text)
        if not plain:
            return None
        if plain in self._same:
            return Match(self._keys[self._same[plain]], 1.0)
        if self.threshold == 1:
            return None
        hashes = shingles.hashes(plain)
        best, nearest = 0.0, -1
        for at in self._near(hashes):
            similar = shingles.jaccard(hashes, shingles.hashes(self._texts[at]))
            if similar >= self.threshold and similar > best:
                best, nearest = similar, at
        return Match(self._keys[nearest], best) if nearest >= 0 else None

    def add(self, key: K, text: str) -> None:
        """Holds the text under the key; an empty text is near to none and is not held."""
        plain = shingles.normalise(text)
        if not plain or plain in self._same:
            return
        self._same[plain] = len(self._keys)
        self._keys.append(key)
        if self.threshold == 1:
            return
        self._texts.append(plain)
        if len(self._texts) >= self._doubling:
            self._rebuild()
        else:
            self._post(len(self._texts) - 1, shingles.hashes(plain))

    def _needed(self, size: int) -> tuple[int, int]:
        """How many rare shingles a set of this size holds, and how many a near one must share."""
        least = math.ceil(self.threshold * size - 1e-9)
        shared = min(SHARED, least)
        return size - least + shared, shared

    def _rarest(self, hashes: NDArray[np.uint64]) -> NDArray[np.uint64]:
        often = self._frequency[hashes & np.uint64(len(self._frequency) - 1)]
        return hashes[np.argsort(often, kind="stable")[: self._needed(len(hashes))[0]]]

    def _near(self, hashes: NDArray[np.uint64]) -> list[int]:
        """Texts that share enough rare shingles and are not too short or long to be near."""
        least, most = len(hashes) * self.threshold - 1e-9, len(hashes) / self.threshold + 1e-9
        shared: dict[int, int] = {}
        for at in self._heads[self._buckets(self._rarest(hashes))].tolist():
            head = at
            while head >= 0:
                owner = self._owners[head]
                shared[owner] = shared.get(owner, 0) + 1
                head = self._next[head]
        needed = self._needed(len(hashes))[1]
        return [
            owner
            for owner, count in sorted(shared.items())
            if least <= (size := self._sizes[owner]) <= most
            and count >= min(needed, self._needed(size)[1])
        ]

    def _buckets(self, chosen: NDArray[np.uint64]) -> NDArray[np.uint64]:
        return (chosen >> np.uint64(20)) & np.uint64(len(self._heads) - 1)

    def _post(self, at: int, hashes: NDArray[np.uint64]) -> None:
        self._sizes.append(len(hashes))
        for bucket in self._buckets(self._rarest(hashes)).tolist():
            self._owners.append(at)
            self._next.append(int(self._heads[bucket]))
            self._heads[bucket] = len(self._owners) - 1

    def _rebuild(self) -> None:
        """Counts shingles over all texts, then posts each anew, the rarest first."""
        self._doubling *= 2
        self._frequency = np.zeros(1 << 20 if len(self._texts) > 1000 else 1 << 16, np.uint32)
        slots = np.uint64(len(self._frequency) - 1)
        posted = 0
        for text in self._texts:
            hashes = shingles.hashes(text)
            np.add.at(self._frequency, hashes & slots, 1)
            posted += self._needed(len(hashes))[0]
        self._heads = np.full(1 << max(10, (2 * posted).bit_length()), -1, dtype=np.int32)
        self._sizes, self._owners, self._next = array("i"), array("i"), array("i")
        for at, text in enumerate(self._texts):
            self._post(at, shingles.hashes(text))
