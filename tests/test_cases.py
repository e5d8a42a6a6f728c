"""Cases in columns: taken, addressed, and numbered where their requests are equal."""

from __future__ import annotations

import numpy as np

from builder.plan.cases import Cases, number_repeats
from builder.records import Key


def cases(letters: str) -> Cases:
    """A case for each letter; equal letters ask the same."""
    n = len(letters)
    digests = np.frombuffer(b"".join(letter.encode() * 16 for letter in letters), dtype="V16")
    index = np.arange(n, dtype=np.int64)
    unset = np.zeros(n, np.int32)
    return Cases(index, index.astype(np.int32), digests, unset, index.astype(np.int32) + 5)


def test_equal_requests_are_numbered_in_the_order_in_which_they_stand() -> None:
    (first, second) = number_repeats([cases("aba"), cases("bca")], [])
    assert first.repeats.tolist() == [0, 0, 1]
    assert second.repeats.tolist() == [1, 0, 2]
    assert first.index.tolist() == [0, 1, 2]


def test_those_before_are_counted_and_not_given_back() -> None:
    (fresh,) = number_repeats([cases("ab")], [cases("aa"), cases("c")])
    assert fresh.repeats.tolist() == [2, 0]


def test_nothing_is_numbered_where_nothing_is_new() -> None:
    empty = cases("")
    assert number_repeats([empty], [cases("a")]) == [empty]
    assert number_repeats([], []) == []


def test_the_keys_of_a_stretch_are_those_of_the_first_try() -> None:
    (numbered,) = number_repeats([cases("aba")], [])
    assert numbered.keys(1, 3) == [Key(b"b" * 16, 0, 0), Key(b"a" * 16, 1, 0)]
    assert numbered.keys(0, 0) == []


def test_cases_are_taken_by_number_and_by_mask() -> None:
    all_three = cases("abc")
    assert len(all_three) == 3
    some = all_three.take(np.array([2, 0]))
    assert (some.index.tolist(), some.sizes.tolist()) == ([2, 0], [7, 5])
    masked = all_three.take(np.array([False, True, False]))
    assert (len(masked), masked.digests.tobytes()) == (1, b"b" * 16)
