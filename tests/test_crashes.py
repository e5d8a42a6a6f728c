"""Kills, signals, locks, full disks and damaged files, in short; `make soak` has the long forms."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import crashes

pytestmark = pytest.mark.slow


def test_after_kills_at_random_points_the_rows_are_those_of_an_undisturbed_run(
    tmp_path: Path,
) -> None:
    found = crashes.kills(tmp_path, kills=5, rows=200)
    assert found.holds, found.figure


def test_a_kill_repeats_the_calls_in_flight_and_hardly_any_other(tmp_path: Path) -> None:
    found = crashes.repeats(tmp_path, kills=5, rate=50, flying=8, least=1)
    assert found.holds, found.figure


def test_a_terminal_that_is_closed_ends_a_run_in_order(tmp_path: Path) -> None:
    found = crashes.hangup(tmp_path)
    assert found.holds, found.figure


def test_nothing_is_asked_or_written_where_nothing_changed(tmp_path: Path) -> None:
    found = crashes.idle(tmp_path, rows=200)
    assert found.holds, found.figure


def test_the_first_signal_keeps_every_answer_and_the_second_leaves_at_once(tmp_path: Path) -> None:
    found = crashes.signals(tmp_path)
    assert found.holds, found.figure


def test_a_second_run_on_one_output_ends_at_once_and_the_lock_dies_with_its_process(
    tmp_path: Path,
) -> None:
    found = crashes.lock(tmp_path)
    assert found.holds, found.figure


def test_a_full_disk_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    found = crashes.full_disk(tmp_path, rows=300, sizes=(4, 60))
    assert found.holds, found.figure


def test_folders_that_cannot_be_written_or_go_away_are_named(tmp_path: Path) -> None:
    found = crashes.folders(tmp_path)
    assert found.holds, found.figure


def test_damaged_state_is_mended_or_named_and_never_silent(tmp_path: Path) -> None:
    found = crashes.damage(tmp_path, flips=3)
    assert found.holds, found.figure
