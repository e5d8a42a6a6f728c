"""Texts as sets of character shingles: no tokenizer, so every script is served.

A text is normalised (NFKC, casefold, white space collapsed) and cut into all its runs of 5
characters, or of 3 when a third or more of it is Chinese, Japanese or Korean. A text shorter
than one run is a single shingle; an empty one has none. Shingles are compared as 64-bit hashes.
"""

import re
import unicodedata
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

# A pattern, compiled where first used: a plan rarely asks.
CJK = (
    "[\u1100-\u11ff\u2e80-\u2fdf\u3040-\u30ff\u3130-\u318f\u31a0-\u31bf\u31f0-\u31ff\u3400-\u4dbf"
    "\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff]"
)
WIDE, NARROW = 5, 3
_FACTORS = np.array(
    [
        0x9E3779B97F4A7C15,
        0xC2B2AE3D27D4EB4F,
        0x165667B19E3779F9,
        0xD6E8FEB86659FD93,
        0xA0761D6478BD642F,
    ],
    dtype=np.uint64,
)
_BLOCK = 512  # texts hashed at once: their shingles stay in the processor's cache


def normalise(text: str) -> str:
    """The text as it is compared: NFKC, casefold, white space collapsed.

    >>> normalise("Ｈello \\n WORLD")
    'hello world'
    """
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    return " ".join(text.casefold().split())


def is_cjk(text: str) -> bool:
    """Whether a third or more of the characters, white space aside, are CJK."""
    if text.isascii():
        return False
    dense = "".join(text.split())
    return 3 * len(re.findall(CJK, dense)) >= len(dense) > 0


def width(text: str) -> int:
    """Characters in one shingle of this text."""
    return NARROW if is_cjk(text) else WIDE


def hashes(text: str) -> NDArray[np.uint64]:
    """(m,) the distinct shingles of a normalised text, ascending; m = 0 when it is empty."""
    if not text:
        return np.empty(0, dtype=np.uint64)
    n = width(text)
    return np.unique(windows(text.ljust(n, "\0"), n))


def jaccard(a: NDArray[np.uint64], b: NDArray[np.uint64]) -> float:
    """Shared over all shingles of two ascending sets; 0 when both are empty."""
    if not len(a) or not len(b):
        return 0.0
    at = np.searchsorted(b, a)
    at[at == len(b)] = 0
    shared = int(np.count_nonzero(b[at] == a))
    return shared / (len(a) + len(b) - shared)


def signatures(texts: Sequence[str], count: int = 120) -> NDArray[np.uint32]:
    """(n, count) MinHash values of normalised, non-empty texts (Broder 1997).

    The share of equal values in two rows estimates the Jaccard similarity of the two texts.
    """
    rng = np.random.default_rng(20260101)
    factors = rng.integers(0, 2**32, size=count, dtype=np.uint32) | np.uint32(1)
    offsets = rng.integers(0, 2**32, size=count, dtype=np.uint32)
    signed = np.empty((len(texts), count), dtype=np.uint32)
    widths = np.fromiter((width(text) for text in texts), dtype=np.int64, count=len(texts))
    lengths = np.fromiter((len(text) for text in texts), dtype=np.int64, count=len(texts))
    for n in (NARROW, WIDE):
        chosen = np.flatnonzero(widths == n)
        chosen = chosen[np.argsort(lengths[chosen], kind="stable")]
        for rows in _blocks(chosen, lengths):
            signed[rows] = _signed([texts[i] for i in rows], n, factors, offsets)
    return signed


def _blocks(rows: NDArray[np.int64], lengths: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Runs of rows, ascending in length, of about as many characters as 512 short texts."""
    blocks, start = [], 0
    while start < len(rows):
        size = max(1, min(_BLOCK, 60 * _BLOCK // max(1, int(lengths[rows[start]]))))
        blocks.append(rows[start : start + size])
        start += size
    return blocks


def _signed(
    texts: list[str], n: int, factors: NDArray[np.uint32], offsets: NDArray[np.uint32]
) -> NDArray[np.uint32]:
    """(b, count) values of b texts of similar length; short ones repeat their last shingle."""
    padded = [text.ljust(n, "\0") for text in texts]
    sizes = np.fromiter((len(text) for text in padded), dtype=np.int64, count=len(padded))
    starts = np.concatenate(([0], np.cumsum(sizes)[:-1]))
    flat = (windows("".join(padded), n) >> np.uint64(32)).astype(np.uint32)
    steps = np.arange(int(sizes.max()) - n + 1)[:, None]
    grid = flat[starts + np.minimum(steps, sizes - n)]
    buffer = np.empty_like(grid)
    signed = np.empty((len(texts), len(factors)), dtype=np.uint32)
    for k, (factor, offset) in enumerate(zip(factors, offsets, strict=True)):
        np.multiply(grid, factor, out=buffer)
        np.add(buffer, offset, out=buffer)
        signed[:, k] = np.minimum.reduce(buffer, axis=0)
    return signed


def windows(text: str, n: int) -> NDArray[np.uint64]:
    """(len(text) - n + 1,) a mixed hash of every run of n characters, n at most 5."""
    codes = codes_of(text)
    many = max(0, len(codes) - n + 1)
    mixed = np.full(many, n, dtype=np.uint64)
    for k in range(n):
        mixed += codes[k : k + many] * _FACTORS[k]
    mixed ^= mixed >> np.uint64(31)
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    mixed ^= mixed >> np.uint64(29)
    return mixed


def codes_of(text: str) -> NDArray[np.uint32]:
    """(len(text),) the code points."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
