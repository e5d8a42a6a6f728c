"""Figures of the gates: speed, memory, recall, known answers, false alarms and power.

    python benchmarks/check.py [NAME …]

Each line is one figure with the limit that it must keep; the exit code counts broken limits.
"""

from __future__ import annotations

import importlib.util
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from builder import near, shingles
from builder.check import (
    coverage,
    diversity,
    drift,
    findings,
    frame,
    gates,
    pii,
    report,
    topup,
)

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


def answers() -> Iterator[Figure]:
    rng = np.random.default_rng(3)
    shift = drift.numbers("x", rng.normal(0, 1, 200_000), rng.normal(0.5, 1, 200_000)).effects
    for name, known, within in (
        ("ks", 0.1974, 0.004),
        ("wasserstein", 0.5, 0.01),
        ("kl", 0.125, 0.006),
        ("psi", 0.2377, 0.008),
    ):
        yield near_to(f"drift: N(0,1) to N(.5,1), {name}", shift[name], known, within)
    yield near_to("vendi: 50 equal", diversity.vendi(np.ones((50, 9))), 1, 1e-6)
    yield near_to("vendi: 50 orthogonal", diversity.vendi(np.eye(50)), 50, 1e-6)
    yield near_to("vendi: 7 clusters", diversity.vendi(np.repeat(np.eye(7), 30, 0)), 7, 1e-6)
    reference = rng.normal(size=(4000, 16))
    reference[2000:] += 8
    whole = rng.normal(size=(4000, 16))
    whole[2000:] += 8
    full = coverage.reach(whole, reference)
    half = coverage.reach(rng.normal(size=(4000, 16)), reference)
    yield near_to("coverage: one of two modes missing", half.coverage, 0.5, 0.03)
    yield (
        "coverage: precision then",
        half.precision,
        "stays",
        half.precision > full.precision - 0.05,
    )
    yield "coverage: both modes", full.coverage, ">= .9", full.coverage >= 0.9


def near_to(what: str, value: float, known: float, within: float) -> Figure:
    return what, value, f"{known:g} ± {within:g}", abs(value - known) <= within


def alarms(sets: int = 500) -> Iterator[Figure]:
    rng = np.random.default_rng(4)
    zero = dict.fromkeys(drift.LIMITS, 0.0)
    failed = sum(bool(drift.drifted(null_columns(rng, 500), zero)) for _ in range(sets)) / sets
    yield f"alarms: {sets} null datasets, 20 columns, 500 rows", failed, "<= .07", failed <= 0.07
    caught = 0
    for _ in range(200):
        shifts = null_columns(rng, 2000)
        shifts[0] = drift.numbers("moved", rng.normal(0.2, 1, 2000), rng.normal(size=2000))
        caught += any(shift.column == "moved" for shift, _, _ in drift.drifted(shifts))
    yield "power: mean shift of .2 sd, 2,000 rows", caught / 200, ">= .95", caught >= 190


def null_columns(rng: np.random.Generator, rows: int) -> list[drift.Shift]:
    """20 columns against a reference of the same distributions; 16 numbers, 4 categories."""
    return [
        *(drift.numbers(str(k), rng.normal(size=rows), rng.normal(size=rows)) for k in range(8)),
        *(
            drift.numbers(str(k), rng.lognormal(size=rows), rng.lognormal(size=rows))
            for k in range(8, 16)
        ),
        *(
            drift.categories(str(k), *(rng.choice(list("abcdef"), rows).tolist() for _ in range(2)))
            for k in range(16, 20)
        ),
    ]


def whole_check(n: int = 10_000) -> Iterator[Figure]:
    """Gates and report over rows with text, numbers and categories, beside as many of reference."""
    rng = np.random.default_rng(6)
    texts = words(rng, 2 * n)
    columns = {
        "text": texts,
        "amount": rng.lognormal(3, 1, 2 * n).tolist(),
        "days": rng.poisson(9, 2 * n).tolist(),
        "label": rng.choice(["praise", "blame", "question"], 2 * n).tolist(),
        "_scenario": rng.choice(["calm", "angry", "long"], 2 * n).tolist(),
    }
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / name for name in ("rows.jsonl", "reference.jsonl")]
        for path, part in zip(paths, (slice(n), slice(n, None)), strict=True):
            rows = zip(*(values[part] for values in columns.values()), strict=True)
            lines = (json.dumps(dict(zip(columns, row, strict=True))) for row in rows)
            path.write_text("\n".join(lines))
        start, wall = time.process_time(), time.perf_counter()
        evidence = findings.Evidence(*(frame.read(path) for path in paths), findings.Context())
        found = gates.judge(evidence, findings.limits_of())
        report.write(Path(folder), "bench", evidence, found)
        spent, lasted = time.process_time() - start, time.perf_counter() - wall
    yield (
        f"check: {n} rows and reference, {len(found)} findings, CPU s",
        spent,
        "<= 20",
        spent <= 20,
    )
    yield "check: wall s", lasted, "", True
    yield "check: peak MB", memory(), "<= 1024", memory() <= 1024
    yield "check: gates hold for a fair sample", gates.passed(found), "= 1", gates.passed(found)


TOPICS = (
    "parcel courier delayed warehouse tracking doorstep shipment address delivery window",
    "invoice charged twice refund bank statement currency receipt cashback balance",
)


def about(topic: int, n: int, rng: np.random.Generator) -> list[str]:
    common = [
        "i",
        "have",
        "been",
        "waiting",
        "since",
        "and",
        "nobody",
        "tells",
        "me",
        "what",
        "will",
        "happen",
        "with",
        "my",
        "order",
    ]
    known = TOPICS[topic].split()
    return [
        " ".join(rng.permutation([*rng.choice(known, 5), *rng.choice(common, 7)]).tolist())
        for _ in range(n)
    ]


def filled_up() -> Iterator[Figure]:
    """A model that follows the focus, on a reference of which the first run covers one mode."""
    rng = np.random.default_rng(7)
    reference = about(0, 300, rng) + about(1, 300, rng)
    rows = about(0, 300, rng)
    quoted = 0
    first = topup.propose(rows, reference, np.random.default_rng(0))
    proposal = first
    for turn in range(1, 4):
        weights = topup.shares(proposal.thin, 300)
        base = {"prompt": "p", "schema": "S"}
        text = topup.scenario(base, weights, proposal.thin, name="s", seed=1)
        quoted += sum(topup.quotes(line, reference) for line in text.splitlines())
        for one in proposal.thin:
            shared = [len(set(topic.split()) & set(one.terms)) for topic in TOPICS]
            rows = rows + about(int(np.argmax(shared)), round(300 * one.deficit / 0.5), rng)
        proposal = topup.propose(rows, reference, np.random.default_rng(turn))
        if proposal.coverage >= 0.9 * proposal.ceiling:
            break
    reached = proposal.coverage / proposal.ceiling
    yield near_to("topup: coverage before", first.coverage, 0.5, 0.08)
    yield f"topup: share of the ceiling after {turn} rounds", reached, ">= .9", reached >= 0.9
    yield "topup: lines that quote the reference", quoted, "= 0", quoted == 0


def memory() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


SECTIONS: dict[str, Callable[[], Iterator[Figure]]] = {
    "near": near_duplicates,
    "million": million,
    "index": index,
    "pii": personal_data,
    "answers": answers,
    "alarms": alarms,
    "check": whole_check,
    "topup": filled_up,
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
