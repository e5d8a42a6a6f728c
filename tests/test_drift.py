"""Shifts of one column from its reference: what is counted together, and what is tested."""

from __future__ import annotations

import numpy as np
import pytest

from builder.quality import drift
from builder.stats import association


def test_rare_values_are_taken_together_in_as_many_groups_as_keep_ten_on_each_side() -> None:
    ours, theirs = [f"a{i}" for i in range(105)], [f"b{i}" for i in range(105)]
    shift = drift.categories("c", ours, theirs)
    assert (shift.n, shift.reference) == (105, 105)
    assert shift.effects == pytest.approx({"js": 0.006873211868391783, "psi": 0.0, "cramer": 0.0})
    one = drift.categories("c", ours[:15], theirs[:15])
    assert one.effects["js"] == pytest.approx(0.0, abs=1e-9)


def test_missing_numbers_are_left_out_and_two_on_each_side_are_needed() -> None:
    few = drift.numbers("n", np.array([1.0, np.nan]), np.array([1.0, 2.0, 3.0]))
    assert (few.n, few.reference, few.effects, few.p) == (1, 3, {}, {})
    enough = drift.numbers("n", np.array([1.0, 2.0, np.nan]), np.array([1.0, 2.0]))
    assert (enough.n, enough.reference) == (2, 2)
    assert enough.effects["mean_shift"] == 0.0


def test_values_that_nothing_has_change_no_association() -> None:
    counts = np.array([[30.0, 5.0], [8.0, 40.0]])
    wider = np.array([[30.0, 0.0, 5.0], [8.0, 0.0, 40.0], [0.0, 0.0, 0.0]])
    assert association.cramer(wider) == pytest.approx(association.cramer(counts))
    assert association.cramer(np.array([[3.0, 4.0]])) == 0.0
    assert association.cramer(np.eye(2) * 50) == pytest.approx(1.0, abs=0.02)
