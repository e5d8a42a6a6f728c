"""Texts as vectors in which like lies near like, routed by script.

Without extras: character 2- to 4-grams, TF-IDF, and the leading singular vectors of both sides
together (latent semantic analysis, Deerwester et al. 1990). With the extra `semantic`, texts
that are not CJK get MiniLM's sentence vectors instead; on Chinese that model is worse than
character n-grams, so Chinese never goes to it. The two kinds fill separate coordinates.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from builder import extras
from builder.stats import shingles

D = 64  # dimensions of the character space
SLOTS = 1 << 16  # hashed n-grams that are told apart
MOST = 2_000  # characters of a text that count
BLOCK = 8_192  # texts whose n-grams are counted together
FITTED = 4_000  # texts of each side that the singular vectors are made from
Vectors = NDArray[np.float32]
Embed = Callable[[Sequence[str]], Vectors]


def vectors(
    texts: Sequence[str], reference: Sequence[str] = (), *, semantic: Embed | None = None
) -> tuple[Vectors, Vectors]:
    """Unit vectors (n, d) of the texts and (m, d) of the reference, in one space.

    A text without characters is a vector of zeros. The same texts give the same vectors.
    """
    both = [shingles.normalise(text[:MOST]) for text in (*texts, *reference)]
    if not any(both):
        return np.zeros((len(texts), D), np.float32), np.zeros((len(reference), D), np.float32)
    lexical = np.array([semantic is None or shingles.is_cjk(text) for text in both], dtype=bool)
    blocks = []
    if lexical.any():
        blocks.append(_lexical(both, lexical, len(texts)))
    if semantic is not None and not lexical.all():
        chosen = np.flatnonzero(~lexical)
        sentences = semantic([both[at] for at in chosen])
        block = np.zeros((len(both), sentences.shape[1]), dtype=np.float32)
        block[chosen] = sentences
        blocks.append(block)
    whole = np.hstack(blocks)
    return whole[: len(texts)], whole[len(texts) :]


def columns(
    numbers: Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]],
    categories: Sequence[tuple[Sequence[str | None], Sequence[str | None]]],
) -> tuple[Vectors, Vectors]:
    """Rows as vectors: numbers in the reference's standard deviations, categories one-hot.

    Each pair is a column of the dataset (n,) and of the reference (m,). A missing number takes
    the reference's mean; two rows that differ in one category are 1 apart.
    """
    ours: list[NDArray[np.float64]] = []
    theirs: list[NDArray[np.float64]] = []
    for x, y in numbers:
        middle, spread = np.nanmean(y), np.nanstd(y) or 1.0
        for values, blocks in ((x, ours), (y, theirs)):
            blocks.append(np.clip(np.nan_to_num((values - middle) / spread), -1e6, 1e6)[:, None])
    for a, b in categories:
        known = sorted({str(v) for v in (*a, *b)})[:1000]
        at = {value: k for k, value in enumerate(known)}
        for side, blocks in ((a, ours), (b, theirs)):
            codes = [at.get(str(value), len(known)) for value in side]
            blocks.append(np.sqrt(0.5) * np.eye(len(known) + 1, len(known))[codes])
    return np.hstack(ours).astype(np.float32), np.hstack(theirs).astype(np.float32)


def plane(points: Vectors, reference: Vectors) -> tuple[Vectors, Vectors]:
    """Both sides (n, 2) and (m, 2) on the reference's first two principal axes, for drawing."""
    middle = reference.mean(axis=0)
    _, _, axes = np.linalg.svd(reference - middle, full_matrices=False)
    axes = axes[:2] * np.sign(axes[:2, np.abs(axes[:2]).argmax(axis=1)].diagonal())[:, None]
    return (points - middle) @ axes.T, (reference - middle) @ axes.T


def _lexical(texts: list[str], chosen: NDArray[np.bool_], split: int) -> Vectors:
    """(n, D) unit vectors of the chosen texts, zeros for the others; texts[:split] are ours.

    The n-grams of a block of texts are in memory at a time, beside those that the axes are from.
    """
    plain = [text if take else "" for text, take in zip(texts, chosen, strict=True)]
    sample = np.concatenate([_spaced(0, split, FITTED), _spaced(split, len(texts), FITTED)]).astype(
        np.int64
    )
    fitted = _counts([plain[at] for at in sample.tolist()])
    often = np.bincount(fitted.indices, minlength=SLOTS)
    slots = np.flatnonzero(often > 1) if (often > 1).any() else np.flatnonzero(often)
    weight = (np.log((1 + len(sample)) / (1 + often[slots])) + 1).astype(np.float32)

    def scaled(grams: Any) -> Any:
        """Weighted rows of length one."""
        rows = grams[:, slots].multiply(weight[None, :]).tocsr()
        squares = np.asarray(rows.multiply(rows).sum(axis=1)).ravel()
        rows.data /= np.repeat(np.sqrt(np.maximum(squares, 1e-12)), np.diff(rows.indptr))
        return rows

    axes = _singular(scaled(fitted), min(D, len(slots), len(sample)))
    points = np.zeros((len(texts), D), dtype=np.float32)
    for start in range(0, len(texts), BLOCK):
        block = slice(start, start + BLOCK)
        points[block, : axes.shape[1]] = scaled(_counts(plain[block])) @ axes
    lengths = np.linalg.norm(points, axis=1, keepdims=True)
    return np.where(lengths > 1e-9, points / np.maximum(lengths, 1e-9), 0).astype(np.float32)


def _spaced(start: int, stop: int, most: int) -> NDArray[np.float64]:
    return np.unique(np.linspace(start, stop - 1, min(most, stop - start)).round())


def _counts(texts: list[str]) -> Any:
    """(n, SLOTS) sparse 1 + log counts of hashed 2- to 4-grams."""
    with extras.importing("stats"):
        from scipy.sparse import csr_matrix, vstack

    parts = []
    for start in range(0, len(texts), 2048):
        block = texts[start : start + 2048]
        codes = []
        for n in (2, 3, 4):
            padded = [text.ljust(n, "\0") for text in block]
            sizes = np.fromiter((len(text) for text in padded), dtype=np.int64, count=len(padded))
            mixed = shingles.windows("".join(padded), n)
            owner = np.repeat(np.arange(len(block)), sizes)
            place = np.arange(len(owner)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
            inside = np.flatnonzero(place <= np.repeat(sizes, sizes) - n)
            inside = inside[np.repeat([bool(text) for text in block], sizes)[inside]]
            slot = (mixed[inside] >> np.uint64(24)).astype(np.int64) % SLOTS
            codes.append(owner[inside] * SLOTS + slot)
        text_slots, counts = np.unique(np.concatenate(codes), return_counts=True)
        values = (1 + np.log(counts)).astype(np.float32)
        parts.append(csr_matrix((values, np.divmod(text_slots, SLOTS)), shape=(len(block), SLOTS)))
    return vstack(parts, format="csr") if parts else csr_matrix((0, SLOTS), dtype=np.float32)


def _singular(matrix: Any, d: int) -> Vectors:
    """(columns, d) leading right singular vectors by random projection (Halko et al. 2011)."""
    rng = np.random.default_rng(20260103)
    basis = rng.standard_normal((matrix.shape[1], d + 8), dtype=np.float32)
    for _ in range(3):
        basis = _orthogonal(matrix.T @ _orthogonal(matrix @ basis))
    return basis[:, :d]


def _orthogonal(tall: Vectors) -> Vectors:
    """An orthonormal basis of the columns, the heaviest direction first.

    By the small Gram matrix: a QR of a tall matrix takes twenty times as long.
    """
    values, turns = np.linalg.eigh(tall.T.astype(np.float64) @ tall)
    order = np.argsort(-values)
    heaviest = order[values[order] > 1e-9 * max(values[order[0]], 1e-300)]
    basis = tall @ (turns[:, heaviest] / np.sqrt(values[heaviest])).astype(np.float32)
    signs = np.sign(basis[np.abs(basis).argmax(axis=0), np.arange(basis.shape[1])])
    return np.asarray(basis * signs)
