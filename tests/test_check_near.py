from __future__ import annotations

import random
from functools import cache
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builder.stats import near, shingles


@cache
def sets(text: str) -> frozenset[str]:
    plain = shingles.normalise(text)
    n = shingles.width(plain)
    return frozenset(plain[k : k + n] for k in range(max(1, len(plain) - n + 1)) if plain)


def similarity(a: str, b: str) -> float:
    left, right = sets(a), sets(b)
    return len(left & right) / len(left | right) if left and right else 0.0


def corpus(n: int, seed: int = 0, letters: str = "abcdefgh") -> list[str]:
    """Short texts over few words, so that many are near to one another."""
    rng = random.Random(seed)
    known = ["".join(rng.choices(letters, k=rng.randint(2, 7))) for _ in range(60)]
    texts = [" ".join(rng.choices(known, k=rng.randint(0, 15))) for _ in range(n // 2)]
    for text in rng.choices(texts, k=n - len(texts)):
        parts = text.split()
        if parts:
            parts[rng.randrange(len(parts))] = rng.choice(known)
        texts.append(" ".join(parts))
    return texts


def test_normalising_folds_width_case_and_space() -> None:
    assert shingles.normalise("  Ｆｕｌｌ\tWIDTH\n ①  ") == "full width 1"


def test_a_third_of_cjk_makes_shingles_of_three() -> None:
    assert shingles.width("退款ab ab") == 3
    assert shingles.width("退款abcde") == 5
    assert shingles.width("plain") == 5


@pytest.mark.slow
@given(st.text(max_size=40), st.text(max_size=40))
def test_hashed_similarity_is_that_of_the_sets(a: str, b: str) -> None:
    hashed = shingles.jaccard(*(shingles.hashes(shingles.normalise(t)) for t in (a, b)))
    if not any("\0" in shingles.normalise(t) for t in (a, b)):
        assert hashed == pytest.approx(similarity(a, b))


@pytest.mark.slow
@pytest.mark.parametrize("threshold", [0.5, 0.8, 0.9])
@pytest.mark.parametrize("letters", ["abcdefgh", "退款发货到破损客服"])
def test_pairs_find_what_brute_force_finds(threshold: float, letters: str) -> None:
    texts = corpus(400, letters=letters)
    found = near.pairs(texts, threshold)
    got = {(int(i), int(j)): s for i, j, s in zip(*found, strict=True)}
    firsts: dict[str, int] = {}
    for at, text in enumerate(map(shingles.normalise, texts)):
        firsts.setdefault(text, at)
    true = {
        (i, j)
        for i, j in combinations(sorted(firsts.values()), 2)
        if similarity(texts[i], texts[j]) >= threshold
    }
    equal = {
        (firsts[plain], at)
        for at, plain in enumerate(map(shingles.normalise, texts))
        if plain and firsts[plain] != at
    }
    assert set(got) <= true | equal
    assert len(set(got) & true) >= 0.99 * len(true)
    assert equal <= set(got)
    assert all(s == pytest.approx(similarity(texts[i], texts[j])) for (i, j), s in got.items())


def test_equal_texts_pair_with_the_first_only() -> None:
    found = near.pairs(["Same  text here"] * 1000, 0.8)
    assert set(found.i.tolist()) == {0}
    assert len(found.j) == 999
    assert near.share(["Same  text here"] * 1000, 0.8) == 0.999


def test_empty_texts_are_near_to_nothing() -> None:
    assert not len(near.pairs(["", " ", "\n"], 0.5).i)
    held: near.Index[int] = near.Index(0.5)
    held.add(0, " ")
    assert held.nearest("") is None
    assert len(held) == 0


@pytest.mark.slow
@pytest.mark.parametrize("threshold", [0.3, 0.7, 0.8, 0.95])
@pytest.mark.parametrize("letters", ["abcdefgh", "退款发货到破损客服"])
def test_the_index_answers_as_brute_force(threshold: float, letters: str) -> None:
    held: near.Index[int] = near.Index(threshold)
    kept: list[int] = []
    texts = corpus(300, seed=3, letters=letters)
    for at, text in enumerate(texts):
        best = max((similarity(text, texts[k]) for k in kept), default=0.0)
        match = held.nearest(text)
        if best >= threshold:
            assert match is not None
            assert match.similarity == pytest.approx(best)
            assert similarity(text, texts[match.key]) == pytest.approx(best)
        else:
            assert match is None
        if at % 3:
            held.add(at, text)
            kept.append(at)


@pytest.mark.slow
@settings(max_examples=50)
@given(st.lists(st.text("ab 退", max_size=12), max_size=30), st.sampled_from([0.2, 0.5, 0.75]))
def test_the_index_misses_no_short_text(texts: list[str], threshold: float) -> None:
    held: near.Index[int] = near.Index(threshold)
    for at, text in enumerate(texts):
        best = max((similarity(text, other) for other in texts[:at]), default=0.0)
        match = held.nearest(text)
        assert (match is not None) == (best >= threshold)
        held.add(at, text)


def test_a_threshold_of_one_refuses_equal_texts_only() -> None:
    held: near.Index[str] = near.Index(1.0)
    held.add("a", "One, two, three, four")
    assert held.nearest("one, two, three,  FOUR") == near.Match("a", 1.0)
    assert held.nearest("one, two, three, fours") is None


def test_lone_surrogates_are_texts_too() -> None:
    held: near.Index[int] = near.Index(0.5)
    held.add(0, "broken \ud800 text of some length")
    assert held.nearest("broken \ud800 text of some length!") is not None


def test_equal_texts_are_near_to_the_first_only() -> None:
    index: near.Index[str] = near.Index(0.5)
    for key, text in (("a", "one two three"), ("b", "One  two three")):
        index.add(key, text)
    assert len(index) == 1
    assert index.nearest("one two three") == near.Match("a", 1.0)


@pytest.mark.parametrize("threshold", [0.05, 0.3, 0.5, 0.75, 0.8, 0.9, 0.95, 0.98, 0.989, 0.995])
def test_bands_leave_no_value_of_a_signature_out(threshold: float) -> None:
    number, rows = near.bands(threshold)
    assert number * rows == near.COUNT
