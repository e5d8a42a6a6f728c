"""Figures of the gates: speed, memory, recall, known answers, false alarms and power.

    python benchmarks/check.py [NAME …]

Each line is one figure with the limit that it must keep; the exit code counts broken limits.
"""

from __future__ import annotations

import importlib.util
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import numpy as np

from builder.check import near, pii, shingles

Figure = tuple[str, float, str, bool]


def words(rng: np.random.Generator, n: int, vocabulary: int = 20_000) -> list[str]:
    """n short texts of about 110 characters over a vocabulary with Zipf's frequencies."""
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    known = ["".join(rng.choice(letters, size=rng.integers(2, 10))) for _ in range(vocabulary)]
    weight = 1 / np.arange(1, vocabulary + 1)
    weight /= weight.sum()
    sizes = rng.integers(12, 24, size=n)
    drawn = iter(rng.choice(vocabulary, size=int(sizes.sum()), p=weight).tolist())
    return [" ".join(known[next(drawn)] for _ in range(size)) for size in sizes.tolist()]


def planted(n: int, share: float = 0.12) -> tuple[list[str], list[tuple[int, int]]]:
    """n texts, a share of them copies with one or two words replaced; which is whose copy."""
    rng = np.random.default_rng(1)
    many = int(n * share)
    texts = words(rng, n - many)
    origins = rng.choice(len(texts), size=many, replace=False).tolist()
    pairs = [(origin, n - many + k) for k, origin in enumerate(origins)]
    for origin in origins:
        parts = texts[origin].split()
        for at in rng.choice(len(parts), size=int(rng.integers(1, 3)), replace=False).tolist():
            parts[at] = "".join(rng.permutation(list(parts[at] + "x")))
        texts.append(" ".join(parts))
    return texts, pairs


def near_duplicates(n: int = 100_000) -> Iterator[Figure]:
    texts, copies = planted(n)
    expected = {(a, b) for a, b in copies if set_similarity(texts[a], texts[b]) >= 0.8}
    before = memory()
    start = time.process_time()
    found = near.pairs(texts, 0.8)
    spent = time.process_time() - start
    got = set(zip(found.i.tolist(), found.j.tolist(), strict=True))
    recall = len(expected & got) / len(expected)
    wrong = sum(
        set_similarity(shingles.normalise(texts[a]), shingles.normalise(texts[b])) < 0.8
        for a, b in got
    )
    yield f"near: {len(expected)} planted pairs, recall", recall, ">= .99", recall >= 0.99
    yield "near: returned pairs under .8 (sets of strings)", wrong, "= 0", wrong == 0
    yield f"near: {n} texts, CPU s", spent, "<= 8", spent <= 8 * max(1, n / 100_000)
    grown = memory()
    yield "near: peak MB", grown, "<= 600", grown <= 600 or n > 100_000
    yield "near: of which before", before, "", True
    if not importlib.util.find_spec("datasketch"):
        return
    datasketch = importlib.import_module("datasketch")
    start = time.process_time()
    lsh = datasketch.MinHashLSH(threshold=0.8, num_perm=120)
    theirs = set()
    cut = [{p[k : k + 5] for k in range(len(p) - 4)} for p in map(shingles.normalise, texts)]
    hashed = datasketch.MinHash.bulk([[s.encode() for s in t] for t in cut], num_perm=120)
    for at, minhash in enumerate(hashed):
        theirs |= {(other, at) for other in lsh.query(minhash)}
        lsh.insert(at, minhash)
    lasted = time.process_time() - start
    other = len(expected & theirs) / len(expected)
    yield "near: datasketch, recall", other, "<= ours", other <= recall
    yield "near: datasketch, CPU s", lasted, "> ours", lasted > spent


def set_similarity(a: str, b: str, n: int = 5) -> float:
    """Jaccard similarity over sets of strings, for texts without CJK."""
    left, right = ({t[k : k + n] for k in range(len(t) - n + 1)} for t in (a, b))
    return len(left & right) / len(left | right)


def million() -> Iterator[Figure]:
    texts, _ = planted(1_000_000)
    start = time.process_time()
    found = near.pairs(texts, 0.8)
    spent = time.process_time() - start
    yield f"million: {len(found.i)} pairs, CPU s", spent, "", True
    yield "million: peak MB", memory(), "<= 4096", memory() <= 4096


def index(n: int = 20_000) -> Iterator[Figure]:
    texts, _ = planted(n)
    held: near.Index[int] = near.Index(0.8)
    start = time.process_time()
    refused = 0
    for at, text in enumerate(texts):
        if held.nearest(text):
            refused += 1
        else:
            held.add(at, text)
    spent = (time.process_time() - start) / n * 1e6
    yield f"index: {refused} of {n} refused, CPU µs a row", spent, "<= 500", spent <= 500
    yield "index: peak MB", memory(), "", True


def personal_data(n: int = 10_000) -> Iterator[Figure]:
    rng = np.random.default_rng(2)
    texts = [
        f"{text} order {rng.integers(10**9)}, card 4111 1111 1111 1111, mail a{k}@mail.com"
        for k, text in enumerate(words(rng, n))
    ]
    start = time.process_time()
    found = pii.scan(texts)
    rate = n / (time.process_time() - start)
    right = set(found) == {"card", "email"} and len(found["card"]) == n
    yield "pii: texts a CPU second, each with three numbers", rate, ">= 2000", rate >= 2000
    yield "pii: cards and addresses found in all, nothing else", right, "= 1", right


def memory() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


SECTIONS: dict[str, Callable[[], Iterator[Figure]]] = {
    "near": near_duplicates,
    "million": million,
    "index": index,
    "pii": personal_data,
}


def main(names: list[str]) -> int:
    """Each section in a process of its own, so that peaks of memory are its own."""
    if len(names) == 1:
        broken = 0
        for what, value, limit, kept in SECTIONS[names[0]]():
            print(f"{'ok  ' if kept else 'FAIL'} {what:<58} {value:>12.4f}  {limit}", flush=True)
            broken += not kept
        return broken
    return sum(subprocess.call([sys.executable, __file__, name]) for name in names or SECTIONS)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
