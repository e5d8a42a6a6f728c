"""How varied texts are: distinct n-grams, compression, Vendi score.

Distinct-n falls as texts are added, so it is measured on subsamples of one fixed size and can
be compared between datasets. Words are runs of letters and digits; a CJK text counts by
characters, since it has no spaces.
"""

import re
import zlib
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from builder.stats import shingles

SAMPLE = 100  # texts per subsample of distinct-n
ROUNDS = 10
_WORD = re.compile(r"\w+|[^\w\s]")


def tokens(text: str) -> list[str]:
    """Words and marks of a normalised text, or characters where it is CJK.

    >>> tokens("Late, again")
    ['late', ',', 'again']
    >>> tokens("又 迟到")
    ['又', '迟', '到']
    """
    plain = shingles.normalise(text)
    return list(plain.replace(" ", "")) if shingles.is_cjk(plain) else _WORD.findall(plain)


def distinct(
    texts: Sequence[str], n: int, rng: np.random.Generator, *, size: int = SAMPLE
) -> float:
    """Different n-grams over all n-grams (Li et al. 2016), the mean over subsamples of `size`.

    NaN when there are fewer than `size` texts with an n-gram.
    """
    chosen = (
        [rng.choice(len(texts), size, replace=False) for _ in range(ROUNDS)]
        if len(texts) >= size
        else []
    )
    grams = {at: list(ngrams(tokens(texts[at]), n)) for at in {*np.ravel(chosen).tolist()}}
    shares = []
    for rows in chosen:
        seen = [gram for at in rows for gram in grams[int(at)]]
        shares.append(len(set(seen)) / len(seen) if seen else np.nan)
    return float(np.mean(shares)) if shares else float("nan")


def ngrams(words: Sequence[str], n: int) -> Iterable[tuple[str, ...]]:
    """The runs of n words, repeats included."""
    return zip(*(words[k:] for k in range(n)), strict=False)


def compression(texts: Sequence[str], rng: np.random.Generator, *, limit: int = 1 << 20) -> float:
    """Bytes over compressed bytes of texts in random order (Shaib et al. 2024); 1 when empty.

    About 2 to 3 for varied prose; higher means that texts repeat one another. At most `limit`
    bytes are read; zlib looks back 32 KiB only, so the order matters and is drawn.
    """
    parts, total = [], 0
    for at in rng.permutation(len(texts)):
        part = texts[at].encode("utf-8", "replace")
        parts.append(part)
        total += len(part) + 1
        if total >= limit:
            break
    data = b"\n".join(parts)
    return len(data) / len(zlib.compress(data, 6)) if data else 1.0


def vendi(vectors: NDArray[np.floating]) -> float:
    """Effective number of different rows of vectors (n, d): from 1 to n.

    The exponential of the entropy of the eigenvalues of the cosine kernel over n (Friedman and
    Dieng 2023), by way of the d x d matrix that has the same ones. A row of zeros is left out.
    """
    lengths = np.linalg.norm(vectors, axis=1)
    unit = np.asarray(vectors[lengths > 0] / lengths[lengths > 0, None], dtype=np.float64)
    if not len(unit):
        return 0.0
    square = unit @ unit.T if len(unit) < unit.shape[1] else unit.T @ unit
    values = np.linalg.eigvalsh(square / len(unit))
    values = values[values > 1e-12]
    return float(np.exp(-np.sum(values * np.log(values))))
