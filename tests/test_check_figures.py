"""Known answers of the measures: drift, diversity, coverage, features, privacy, labels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from builder.quality import (
    coverage,
    drift,
    labels,
    privacy,
)
from builder.stats import diversity, features, shingles, two_sample

LIMITS = {"mean_shift": 0.1, "ks": 0.1, "js": 0.1, "psi": 0.2, "cramer": 0.1}


def sentences(n: int, seed: int, letters: str = "abcdefghijklmnop", words: int = 14) -> list[str]:
    rng = np.random.default_rng(seed)
    known = ["".join(rng.choice(list(letters), rng.integers(2, 9))) for _ in range(3000)]
    return [" ".join(rng.choice(known, words)) for _ in range(n)]


@pytest.mark.slow
def test_a_shifted_normal_has_its_known_distances() -> None:
    rng = np.random.default_rng(0)
    shift = drift.numbers("x", rng.normal(0, 1, 200_000), rng.normal(0.5, 1, 200_000))
    assert shift.effects["ks"] == pytest.approx(0.1974, abs=0.004)
    assert shift.effects["wasserstein"] == pytest.approx(0.5, abs=0.01)
    assert shift.effects["mean_shift"] == pytest.approx(0.5, abs=0.01)
    assert shift.effects["kl"] == pytest.approx(0.125, abs=0.006)
    assert shift.effects["psi"] == pytest.approx(0.2377, abs=0.008)
    assert max(shift.p.values()) < 1e-9


@pytest.mark.slow
def test_null_columns_raise_few_false_alarms() -> None:
    rng = np.random.default_rng(1)
    none = dict.fromkeys(LIMITS, 0.0)
    failed = [
        bool(
            drift.drifted(
                [
                    drift.numbers(str(k), rng.normal(size=500), rng.normal(size=500))
                    for k in range(20)
                ],
                none,
            )
        )
        for _ in range(60)
    ]
    assert np.mean(failed) <= 0.15


@pytest.mark.slow
def test_a_shift_of_a_fifth_of_a_deviation_is_caught() -> None:
    rng = np.random.default_rng(2)
    caught = 0
    for _ in range(40):
        shifts = [
            drift.numbers(str(k), rng.normal(0.2 if k == 0 else 0, 1, 2000), rng.normal(size=2000))
            for k in range(20)
        ]
        caught += any(shift.column == "0" for shift, _, _ in drift.drifted(shifts, LIMITS))
    assert caught >= 38


@pytest.mark.slow
def test_a_tiny_shift_of_many_rows_is_significant_but_no_drift() -> None:
    rng = np.random.default_rng(3)
    shift = drift.numbers("x", rng.normal(0.02, 1, 300_000), rng.normal(size=300_000))
    assert shift.p["mean_shift"] < 0.001
    assert drift.drifted([shift], LIMITS) == []


def test_psi_of_small_samples_of_one_distribution_is_near_zero() -> None:
    rng = np.random.default_rng(4)
    found = [
        drift.numbers("x", rng.normal(size=50), rng.normal(size=50)).effects["psi"]
        for _ in range(200)
    ]
    assert np.mean(found) < 0.12


@pytest.mark.slow
def test_many_rare_categories_drift_when_none_is_shared_and_by_chance_only_by_chance() -> None:
    ours, theirs = ([f"{side}{k % 150}" for k in range(400)] for side in ("here ", "there "))
    shift = drift.categories("city", ours, theirs)
    assert shift.effects["cramer"] > 0.2
    assert shift.p["cramer"] < 1e-6
    weight = 1 / np.arange(1, 301)
    rng = np.random.default_rng(5)
    p = []
    for _ in range(400):
        a, b = (rng.choice(300, n, p=weight / weight.sum()).astype(str) for n in (400, 700))
        p.append(drift.categories("city", a.tolist(), b.tolist()).p["cramer"])
    assert 0.02 < np.mean(np.array(p) < 0.05) < 0.08


def test_categories_drift_by_share_and_a_constant_column_never() -> None:
    moved = drift.categories("c", ["a"] * 700 + ["b"] * 300, ["a"] * 500 + ["b"] * 500)
    assert drift.drifted([moved], LIMITS)[0][1] in {"cramer", "js", "psi"}
    assert drift.drifted([drift.categories("c", ["a"] * 99, ["a"] * 99)], LIMITS) == []
    constant = drift.numbers("x", np.ones(100), np.ones(100))
    assert drift.drifted([constant], LIMITS) == []
    assert drift.drifted([drift.numbers("x", np.ones(100), np.full(100, 2.0))], LIMITS)


def test_too_few_values_are_no_drift() -> None:
    assert drift.drifted([drift.numbers("x", np.zeros(5), np.ones(500))], LIMITS) == []


def test_vendi_counts_what_differs() -> None:
    assert diversity.vendi(np.ones((50, 8))) == pytest.approx(1)
    assert diversity.vendi(np.eye(50)) == pytest.approx(50)
    assert diversity.vendi(np.repeat(np.eye(7), 30, axis=0)) == pytest.approx(7)


@pytest.mark.slow
def test_distinct_n_does_not_fall_with_the_number_of_texts() -> None:
    texts = sentences(4000, 5)
    few, many = (diversity.distinct(texts[:n], 2, np.random.default_rng(0)) for n in (400, 4000))
    assert few == pytest.approx(many, abs=0.02)
    assert np.isnan(diversity.distinct(texts[:99], 2, np.random.default_rng(0)))
    assert diversity.distinct(["same words"] * 200, 2, np.random.default_rng(0)) < 0.011


def test_repeated_texts_compress() -> None:
    rng = np.random.default_rng(0)
    assert diversity.compression(sentences(500, 6), rng) < 4
    assert diversity.compression(["the very same answer, again and again"] * 500, rng) > 20


def test_coverage_falls_with_a_missing_mode_and_precision_stays() -> None:
    rng = np.random.default_rng(7)
    reference = rng.normal(size=(2000, 16))
    reference[1000:] += 8
    half = coverage.reach(rng.normal(size=(2000, 16)), reference)
    assert half.coverage == pytest.approx(0.5, abs=0.03)
    assert half.precision > 0.8
    assert not half.covered[1000:].any()
    assert coverage.halves(reference, reference, rng)[1] > 0.94


def test_combinations_lack_what_was_not_filled() -> None:
    planned = {("a", "x"): 2, ("b", "x"): 1}
    rows = [{"k": "a", "l": "x"}, {"k": "b", "l": "x"}]
    share, lacking = coverage.combinations(rows, planned, ["k", "l"])
    assert (share, lacking) == (0.5, {("a", "x"): 1})


@pytest.mark.slow
@pytest.mark.parametrize("letters", ["abcdefghijklmnop", "退款发货到破损客服延迟与描述不符"])
def test_vectors_bring_like_texts_together(letters: str) -> None:
    kinds = [sentences(100, seed, letters[: 8 * (1 + seed)], words=20) for seed in (0, 1)]
    ours, theirs = features.vectors(kinds[0][:50] + kinds[1][:50], kinds[0][50:] + kinds[1][50:])
    near = (ours @ theirs.T).argmax(axis=1)
    assert ((near < 50) == (np.arange(100) < 50)).mean() > 0.9
    assert np.linalg.norm(ours, axis=1) == pytest.approx(1, abs=1e-4)


def test_empty_texts_are_vectors_of_zeros() -> None:
    ours, theirs = features.vectors(["", "some words of a text"], [""])
    assert not ours[0].any()
    assert not theirs.any()
    assert ours[1].any()


def test_chinese_never_goes_to_the_sentence_model() -> None:
    seen: list[str] = []

    def model(texts: Sequence[str]) -> features.Vectors:
        seen.extend(texts)
        return np.ones((len(seen), 3), dtype=np.float32)

    ours, _ = features.vectors(["退款什么时候到账", "where is my refund"], [], semantic=model)
    assert seen == ["where is my refund"]
    assert not ours[0, -3:].any()


def test_verbatim_runs_are_as_long_as_what_was_copied() -> None:
    reference = sentences(300, 8)
    texts = sentences(50, 9)
    texts[7] = texts[7][:20] + "#" + reference[11][5:67] + "#" + texts[7][20:]
    texts.append("他说:" + "这个订单已经拖延了三个星期还没有任何人联系我处理" + "吧")
    found = privacy.runs(
        texts, [*reference, "今天这个订单已经拖延了三个星期还没有任何人联系我处理,请回复"]
    )
    assert [run.row for run in found] == [7, 50]
    assert found[0].text == shingles.normalise(reference[11][5:67])
    assert found[1].length == 24
    short = privacy.runs(["abcdefghij klm"], ["xx abcdefghij y"], characters=10)
    assert short[0].length == 11


def test_a_run_one_short_of_the_limit_is_none() -> None:
    body = "".join(np.random.default_rng(0).choice(list("abcdefghij"), 50))
    assert len(privacy.runs(["#" + body + "#"], ["-" + body + "-"])) == 1
    assert privacy.runs(["#" + body[:49] + "#"], ["-" + body[:49] + "-"]) == []


def test_copies_are_found_with_their_repeats() -> None:
    reference = sentences(100, 10)
    texts = [*sentences(20, 11), reference[3].upper(), reference[4] + " x", reference[3]]
    found = privacy.copies(texts, reference)
    assert [(c.row, c.reference) for c in found] == [(20, 3), (21, 4), (22, 3)]
    assert found[0].similarity == 1


def test_rows_drawn_afresh_are_not_too_close_and_copies_are() -> None:
    rng = np.random.default_rng(12)
    reference = rng.normal(size=(1000, 4))
    fresh = privacy.too_close(rng.normal(size=(1000, 4)), reference)
    copied = privacy.too_close(reference[rng.integers(0, 1000, 1000)], reference)
    assert fresh.share < 0.1
    assert copied.share == 1
    apart = privacy.closest_share(rng.normal(size=(800, 4)), reference[:500], reference[500:])
    leaked = privacy.closest_share(reference[:500], reference[:500], reference[500:])
    assert apart.share == pytest.approx(0.5, abs=0.06)
    assert leaked.share == 1
    assert leaked.p < 1e-9


def test_twins_of_a_coarse_table_are_explained_by_chance() -> None:
    rng = np.random.default_rng(13)
    reference = [tuple(row) for row in rng.integers(0, 3, (500, 3)).tolist()]
    rows = [tuple(row) for row in rng.integers(0, 3, (500, 3)).tolist()]
    copied, chance = privacy.copied_rows(rows, reference)
    assert len(copied) == 500
    assert chance == pytest.approx(500, abs=5)


def test_a_label_told_by_length_is_found_also_in_the_middle() -> None:
    rng = np.random.default_rng(14)
    sizes = {"short": 20, "middle": 60, "long": 120}
    names = rng.choice(list(sizes), 900).tolist()
    texts = ["x" * int(sizes[name] + rng.integers(-9, 9)) for name in names]
    assert [leak.auc > 0.95 for leak in labels.leaks(names, texts, rng)] == [True] * 3
    shuffled = rng.permutation(names).tolist()
    assert all(leak.auc < 0.65 and leak.p > 0.001 for leak in labels.leaks(shuffled, texts, rng))
    assert labels.lengths(names, texts)["middle"].median == pytest.approx(60, abs=3)


def test_shares_off_the_plan_are_measured() -> None:
    assert labels.shares(["a", "b", "a", "a"]) == {"a": 0.75, "b": 0.25}
    assert labels.off_plan(["a"] * 500 + ["b"] * 500, {"a": 1, "b": 1}) == (0.0, 1.0)
    effect, p = labels.off_plan(["a"] * 700 + ["b"] * 300, {"a": 1, "b": 1})
    assert effect > 0.3
    assert p < 1e-9


def test_a_classifier_tells_what_differs_and_nothing_else() -> None:
    rng = np.random.default_rng(15)
    alike = two_sample.ridge(rng.normal(size=(900, 20)), rng.normal(size=(900, 20)), rng)
    apart = two_sample.ridge(rng.normal(0.5, 1, (900, 20)), rng.normal(size=(900, 20)), rng)
    assert alike.auc == pytest.approx(0.5, abs=0.06)
    assert apart.auc > 0.85
    assert apart.p < 1e-9


def test_rows_that_repeat_as_often_as_the_reference_does_are_not_too_close() -> None:
    rng = np.random.default_rng(8)
    used, fresh = (rng.integers(0, 12, size=(900, 2)).astype(np.float64) for _ in range(2))
    fair = privacy.too_close(fresh, used)
    assert fair.share == pytest.approx(fair.expected, abs=0.05)
    single = rng.normal(size=(500, 2))
    copied = privacy.too_close(np.vstack((single, used[:500])), np.vstack((single, used[:500])))
    assert copied.share > 0.5
    assert copied.p < 1e-6
