"""Which regions of a reference a dataset leaves thin, and the scenario that would fill them.

The reference is cut into clusters; a cluster whose texts have no row near them gets a value of
the axis `focus`: its distinguishing terms, each one found in several reference texts, never a
run of their words. People read and commit the scenario; nothing is asked of a model here.
"""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from builder.quality import coverage, pii
from builder.stats import diversity, features, neighbours, shingles

FOCUS = "focus"  # the axis of a top-up
TERMS = 6
# Reference texts that must hold a term: one that only a single text holds may name somebody.
LEAST_TEXTS = 3
# A focus holds no run of so many words, or CJK characters, of a reference text.
RUN_WORDS, RUN_CJK = 5, 6
THIN = 0.1  # a cluster is thin when more than this share of it lacks a row that could be had
GAIN = 0.01  # coverage that two rounds must gain for another one to be worth its cost


@dataclass(frozen=True, slots=True)
class Thin:
    """One cluster of the reference that has too few rows."""

    terms: tuple[str, ...]  # what distinguishes it from the rest, the most telling first
    share: float  # of the reference
    covered: float  # the share of its texts that have a row near them
    deficit: float  # its uncovered share of the whole reference

    @property
    def focus(self) -> str:
        """The value of the axis."""
        return ("、" if any(map(shingles.is_cjk, self.terms)) else ", ").join(self.terms)


@dataclass(frozen=True, slots=True)
class Proposal:
    """The coverage of a dataset over its reference, and the clusters that are thin."""

    coverage: float
    ceiling: float
    thin: tuple[Thin, ...]  # by deficit, the largest first


def propose(
    texts: Sequence[str],
    reference: Sequence[str],
    rng: np.random.Generator,
    *,
    clusters: int = 0,
    semantic: features.Embed | None = None,
) -> Proposal:
    """The proposal of what to add: the thin clusters of the reference (at most `clusters`, by default one for 50 texts).

    One half of the reference is looked for in the dataset; the ceiling is what as many texts of
    the other half as the dataset has rows cover of it. Needs more than ten texts of the dataset
    and twenty of the reference, or ValueError.
    """
    ours, theirs = features.vectors(texts, reference, semantic=semantic)
    order = rng.permutation(len(theirs))[: 2 * coverage.MOST]
    points, known = theirs[order], [reference[at] for at in order]
    half = len(points) // 2
    ours = ours[rng.permutation(len(ours))[: coverage.MOST]]
    if min(len(ours), half) <= 2 * coverage.K:
        raise ValueError(f"{len(ours)} texts and {len(points)} of reference are too few")
    reach = coverage.reach(ours, points[:half])
    ceiling = coverage.reach(points[half:][: len(ours)], points[:half]).coverage
    count = clusters or max(2, min(12, len(points) // 50))
    owner = neighbours.clusters(points, count, rng)
    thin = []
    for cluster in range(count):
        members = owner == cluster
        if not members[:half].any():
            continue
        share = float(members.mean())
        covered = float(reach.covered[members[:half]].mean())
        deficit = share * max(0.0, ceiling - covered)
        terms = distinguishing(known, members) if deficit > THIN * share else ()
        if terms:
            thin.append(Thin(terms, share, covered, deficit))
    thin.sort(key=lambda region: (-region.deficit, region.terms))
    # Those of one focus are one value of the axis: the larger deficit stands.
    distinct = {region.focus: region for region in reversed(thin)}
    return Proposal(reach.coverage, ceiling, tuple(distinct.values())[::-1])


def wanted(proposal: Proposal, rows: int) -> int:
    """Rows that would fill the deficits of a dataset of so many rows, at most as many again."""
    lacking = sum(region.deficit for region in proposal.thin)
    return max(len(proposal.thin), round(rows * min(1.0, lacking / max(1 - lacking, 0.01))))


def finished(history: Sequence[float], ceiling: float) -> str:
    """Why no further round is worth it, or the empty string; `history` is coverage by round."""
    if history and history[-1] >= ceiling:
        return f"coverage {history[-1]:.2f} has reached its ceiling {ceiling:.2f}"
    if len(history) > 2 and history[-1] - history[-3] < GAIN:
        return f"two rounds gained {max(0.0, history[-1] - history[-3]):.3f}, under {GAIN}"
    return ""


def shares(
    thin: Sequence[Thin], rows: int, before: Mapping[str, int] | None = None
) -> dict[str, int]:
    """Rows of each focus: this round's by deficit, over those of the rounds before."""
    total = sum(region.deficit for region in thin) or 1.0
    weights = Counter(before or {})
    for region in thin:
        weights[region.focus] += max(1, round(rows * region.deficit / total))
    return dict(weights)


def scenario(
    base: Mapping[str, Any],
    weights: Mapping[str, int],
    thin: Sequence[Thin],
    *,
    name: str,
    seed: int,
) -> str:
    """The text of `scenarios/NAME_topup.yaml`: the base scenario with an axis `focus`.

    `base` is the scenario as plain values; the weight of a focus is the rows that it gets.
    """
    regions = {region.focus: region for region in thin}
    lines = [
        "# Each focus is a cluster's telling terms; its weight is the rows that it gets.",
        "# `builder topup` writes this file again as long as nobody changes it.",
    ]
    fixed = {"rows": sum(weights.values()), "seed": seed}
    for word, value in {**base, **fixed, "vary": base.get("vary") or {}}.items():
        if word == "vary":
            lines += ["vary:", "  focus:"]
            for focus, weight in weights.items():
                region = regions.get(focus)
                note = (
                    f"{region.share:.0%} of the reference, {region.covered:.0%} of it covered"
                    if region
                    else "a round before"
                )
                lines.append(f"    {_plain(focus)}: {weight}  # {note}")
            lines += [f"  {_word(axis)}: {_plain(v)}" for axis, v in value.items() if axis != FOCUS]
        elif isinstance(value, Mapping) and value:
            lines += [f"{_word(word)}:", *(f"  {_word(k)}: {_plain(v)}" for k, v in value.items())]
        elif isinstance(value, list) and value:
            lines += [f"{_word(word)}:", *(f"  - {_plain(v)}" for v in value)]
        else:
            lines.append(f"{_word(word)}: {_plain(value)}")
    body = "\n".join(lines) + "\n"
    return f"# More rows of {name} where its reference is thinly covered: read it, commit it. {_sign(body)}\n{body}"


def untouched(text: str) -> bool:
    """Whether a file is as `scenario` wrote it."""
    head, _, body = text.partition("\n")
    return head.startswith("# More rows of ") and head.endswith(_sign(body))


def prompt(base: str, source: str) -> str:
    """The text of `prompts/NAME_topup.j2`: the base prompt, whose source is given, and the focus."""
    line = (
        "这一条要写的内容,围绕以下词语所指的情形:{{ focus }}。自然地写,不必逐一写出这些词。"
        if shingles.is_cjk(source)
        else "Write about what these words point to: {{ focus }}. Use them only where they come naturally."
    )
    included = f'{{% include "{base}.j2" %}}'
    if re.search(r"\{%-?\s*(system|user|assistant)\s*-?%\}", source):
        return f"{included}\n\n{{% user %}}\n{line}\n{{% enduser %}}\n"
    return f"{included}\n\n{line}\n"


def _sign(body: str) -> str:
    return hashlib.blake2b(body.encode(), digest_size=6).hexdigest()


def distinguishing(texts: Sequence[str], members: NDArray[np.bool_]) -> tuple[str, ...]:
    """The terms that tell the texts of one cluster from the others, at most six.

    By the z-score of log-odds of holding the term (Monroe et al. 2008, documents counted).
    """
    inside: Counter[str] = Counter()
    outside: Counter[str] = Counter()
    for text, member in zip(texts, members.tolist(), strict=True):
        (inside if member else outside).update(_terms(text))
    n, m = int(members.sum()), int((~members).sum())
    scored = []
    for term, many in inside.items():
        if many < LEAST_TEXTS:
            continue
        other = outside[term]
        odds = np.log((many + 0.5) / (n - many + 0.5)) - np.log((other + 0.5) / (m - other + 0.5))
        error = np.sqrt(1 / (many + 0.5) + 1 / (other + 0.5))
        if odds > 0:
            scored.append((-odds / error, term))
    chosen: list[str] = []
    for _, term in sorted(scored):
        if len(chosen) == TERMS:
            break
        if any(term in other or other in term for other in chosen) or pii.find(term):
            continue
        if not quotes(", ".join([*chosen, term]), texts):
            chosen.append(term)
    return tuple(chosen)


def quotes(text: str, reference: Sequence[str]) -> bool:
    """Whether a text holds a run of five words, or six CJK characters, of a reference text."""
    runs = _runs(text)
    return bool(runs) and any(not runs.isdisjoint(_runs(other)) for other in reference)


def _runs(text: str) -> set[tuple[str, ...]]:
    """Runs of words, marks left out, and runs of CJK characters."""
    plain = shingles.normalise(text)
    words = re.findall(r"\w+", plain)
    dense = re.findall(shingles.CJK, plain)
    return {
        *diversity.ngrams(words, RUN_WORDS),
        *(diversity.ngrams(dense, RUN_CJK) if len(dense) >= RUN_CJK else ()),
    }


def _terms(text: str) -> set[str]:
    """Words of three letters and more, and pairs of CJK characters; nothing with a digit."""
    plain = shingles.normalise(text)
    terms = {word for word in re.findall(r"[^\W\d_]{3,24}", plain) if not shingles.is_cjk(word)}
    for run in re.findall(f"(?:{shingles.CJK})+", plain):
        terms.update(run[k : k + 2] for k in range(len(run) - 1))
    return terms


def _word(name: object) -> str:
    """A word of the file, quoted where YAML might read it as something else."""
    text = str(name)
    return text if re.fullmatch(r"[^\W\d]\w*", text) else json.dumps(text, ensure_ascii=False)


def _plain(value: object) -> str:
    """A value in flow style; JSON is YAML."""
    return json.dumps(value, ensure_ascii=False, default=str)
