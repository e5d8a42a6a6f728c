"""What the gates measure with, on samples small enough to count: drift, labels, privacy, coverage, pii."""

from __future__ import annotations

import datetime
import math

import numpy as np
import pytest

from builder.quality import checksums, coverage, drift, labels, pii, privacy

LIMITS = {"mean_shift": 0.1, "cramer": 0.1}


def shift(column: str, p: float, effect: float, n: int = drift.LEAST) -> drift.Shift:
    return drift.Shift(column, n, n, {"mean_shift": effect}, {"mean_shift": p})


def test_drift_is_an_effect_above_its_limit_and_beyond_chance() -> None:
    both, chance, small = shift("a", 0.001, 0.5), shift("b", 0.05, 0.5), shift("c", 0.001, 0.1)
    assert drift.drifted([both, chance, small], LIMITS) == [(both, "mean_shift", 0.003)]
    assert drift.drifted([both], {"mean_shift": 0.5}) == []
    assert drift.drifted([both], {"ks": 0.0}) == []
    assert drift.drifted([shift("a", 0.001, 0.5, n=drift.LEAST - 1)], LIMITS) == []


def test_what_drifts_stands_in_the_order_of_chance_and_then_of_size() -> None:
    shifts = [shift("a", 0.001, 0.2), shift("b", 1e-9, 0.2), shift("c", 0.001, 0.9)]
    assert [s.column for s, _, _ in drift.drifted(shifts, LIMITS)] == ["b", "c", "a"]


def test_shifts_count_what_is_there() -> None:
    pytest.importorskip("scipy")
    numbers = drift.numbers("x", np.array([1.0, np.nan, 3]), np.array([1.0, 3, 5, np.nan]))
    assert (numbers.n, numbers.reference) == (2, 3)
    assert numbers.effects["mean_shift"] == pytest.approx(0.5)
    assert numbers.effects["wasserstein"] == pytest.approx(0.5)
    assert drift.numbers("x", np.array([1.0]), np.array([1.0, 2])).effects == {}
    texts = drift.categories("c", ["a", None, "a", "b"], ["b", "a", "b", None])
    assert (texts.n, texts.reference, set(texts.p)) == (3, 3, {"js", "psi", "cramer"})
    assert drift.categories("c", ["a"], ["a", "b"]).effects == {}


def test_shares_off_the_plan_are_those_that_chance_does_not_give() -> None:
    pytest.importorskip("scipy")
    assert labels.off_plan(["a"] * 30 + ["b"] * 10, {"a": 3, "b": 1}) == (0.0, 1.0)
    effect, p = labels.off_plan(["a"] * 30 + ["b"] * 10, {"a": 1, "b": 1})
    assert effect == pytest.approx(math.sqrt(9 / 40))
    assert p == pytest.approx(0.001565, rel=1e-3)
    assert labels.off_plan(["a", "c"], {"a": 1, "b": 1}) == (1.0, 0.0)
    assert labels.off_plan(["a"], {"a": 1}) == (0.0, 1.0)


def test_a_label_needs_twenty_rows_on_each_side_to_leak() -> None:
    pytest.importorskip("scipy")
    rng = np.random.default_rng(0)
    names = ["short"] * 20 + ["long"] * 20
    texts = ["x"] * 20 + ["x" * 90] * 20
    assert [leak.auc for leak in labels.leaks(names, texts, rng)] == [1, 1]
    assert labels.leaks(names[1:], texts[1:], rng) == []
    assert labels.leaks([None], ["x"], rng) == []
    assert labels.lengths(["a", "a", None], ["x", "xxx", "y"]) == {"a": (1, 1.5, 2, 2.5, 3)}


def test_rows_equal_by_chance_are_counted() -> None:
    reference = [("a", "1"), ("b", "2"), ("c", "3"), ("d", "4")]
    assert privacy.copied_rows([("a", "1"), ("a", "2")], reference)[0] == [0]
    assert privacy.copied_rows([("x", "y")], reference) == ([], 0.0)
    assert privacy.copied_rows([("a", "1")], [("a", "1"), ("a", "1")]) == ([0], 1.0)


def test_copies_share_what_the_first_of_them_was_near_to() -> None:
    text = "the parcel came three weeks late and the box was wet"
    copied = privacy.copies([text, "another text altogether", text.upper()], ["-", text], 0.8)
    assert [(copy.row, copy.reference, copy.similarity) for copy in copied] == [
        (0, 1, 1),
        (2, 1, 1),
    ]


def test_rows_on_the_reference_are_all_too_close() -> None:
    pytest.importorskip("scipy")
    rng = np.random.default_rng(1)
    points = rng.normal(size=(60, 2))
    closest = privacy.closest_share(points[:20], points[:30], points[30:])
    assert (closest.share, closest.expected) == (1, 0.5)
    assert closest.p == pytest.approx(0.5**20)
    assert privacy.too_close(points, points).share == 1
    assert privacy.too_close(points + 50, points) == (0, 0.05, 1)


def test_coverage_counts_the_points_that_have_a_neighbour() -> None:
    line = np.arange(8, dtype=np.float64)[:, None]
    whole = coverage.reach(line, line, k=1)
    assert (whole.coverage, whole.precision, whole.recall) == (1, 1, 1)
    assert whole.density == pytest.approx(22 / 8)
    half = coverage.reach(line[:4], line, k=1)
    assert half.covered.tolist() == [True] * 5 + [False] * 3
    with pytest.raises(ValueError, match="more points"):
        coverage.reach(line[:1], line, k=1)


@pytest.mark.parametrize(
    ("test", "valid", "invalid"),
    [
        (checksums.card, ["4111 1111 1111 1111", "378282246310005"], ["4111 1111 1111 1112", "9111111111111111", "411111111111111"]),
        (checksums.iban, ["DE89 3704 0044 0532 0130 00", "gb29nwbk60161331926819"], ["DE88 3704 0044 0532 0130 00", "XX89370400440532013000"]),
        (checksums.chinese_id, ["11010519491231002X"], ["110105194912310021", "99010519491231002X", "11010519491331002X"]),
        (checksums.ssn, ["536-90-4399"], ["666-90-4399", "900-90-4399", "536-00-4399", "536-90-0000", "078-05-1120"]),
        (checksums.email, ["ann.b@mail.com"], [".ann@mail.com", "a..b@mail.com", "ann@-mail.com", "a" * 65 + "@mail.com"]),
        (checksums.reserved_email, ["a@example.org", "a@mail.test"], ["a@example.de"]),
        (checksums.abroad, ["+44 20 7946 0958", "+86 138 0013 8000", "+1 212 634 5678"], ["+44 1", "+1 112 634 5678"]),
        (checksums.north_american, ["(212) 634-5678"], ["(211) 634-5678", "(212) 611-5678", "555-634-5678"]),
        (checksums.fictional, ["212-555-0123"], ["212-555-0223", "800-555-0123"]),
        (checksums.ipv4, ["8.8.8.255"], ["8.8.8.256", "8.8.08.8"]),
        (checksums.ipv6, ["2001:db8::1"], ["::1", "1:2:3"]),
        (checksums.not_global, ["10.0.0.1"], ["8.8.8.8"]),
    ],
)  # fmt: skip
def test_a_number_stands_by_its_checksum(
    test: object, valid: list[str], invalid: list[str]
) -> None:
    assert callable(test)
    assert [value for value in valid if not test(value)] == []
    assert [value for value in invalid if test(value)] == []


def test_a_chinese_number_is_of_a_day_that_was() -> None:
    digits = "110105" + datetime.date(1999, 2, 28).strftime("%Y%m%d") + "001"
    total = sum(int(d) * (2 ** (17 - k) % 11) for k, d in enumerate(digits))
    assert checksums.chinese_id(digits + "10X98765432"[total % 11])


def test_texts_are_counted_once_for_a_kind_and_masked_after_two_characters() -> None:
    texts = ["ann@mail.com and bob@mail.com", "nothing", "see a@example.com"]
    assert pii.scan(texts) == {"email": [0], "placeholder": [2]}
    assert pii.mask("to ann@mail.com.") == "to an••••••••••."
