"""Endpoints that fail in every way, hostile answers, budgets and secrets, in short; `make soak`
has the long forms."""

from __future__ import annotations

from pathlib import Path

import pytest

from builder.fill import pool
from tests import faults, sites
from tests.provider import Provider

pytestmark = pytest.mark.slow


def test_failing_calls_of_every_kind_cost_a_call_each_and_no_row(tmp_path: Path) -> None:
    found = faults.transport(tmp_path, rows=250, limit=2.0)
    assert found.holds, found.figure


def test_an_outage_in_mid_run_costs_no_row(tmp_path: Path) -> None:
    found = faults.outage(tmp_path, rows=100, begin=0.3, end=2.0)
    assert found.holds, found.figure


@pytest.mark.parametrize("fault", ["500", "429-seconds", "hang", "reset", "drip", "prose"])
def test_an_endpoint_that_does_nothing_else_ends_the_run_resumable(
    tmp_path: Path, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "OUTAGE", 2.0)  # 45 s; the soak waits for them
    with Provider(faults={fault: 1.0}) as provider:
        at = sites.site(tmp_path, provider, rows="60", timeout=3.0)
        ran = sites.here(at, "run")
        assert ran.code == 75
        assert ran.error
        assert ran.clean
        provider.faults = {}
        at.settings(timeout=30.0)
        assert sites.here(at, "run").code in (0, 75 if fault == "prose" else 0)


def test_waiting_longer_than_anybody_would_is_left_to_the_next_run(tmp_path: Path) -> None:
    with Provider(faults={"429-seconds": 1.0}, retry_after=600.0) as provider:
        at = sites.site(tmp_path, provider)
        ran = sites.here(at, "run")
    assert ran.code == 75
    assert "asks to wait 600 s" in ran.error


def test_what_no_second_try_mends_stops_at_once_and_names_the_setting(tmp_path: Path) -> None:
    found = faults.final(tmp_path)
    assert found.holds, found.figure


def test_cut_off_and_refused_replies_are_logged_and_asked_again(tmp_path: Path) -> None:
    found = faults.no_answers(tmp_path)
    assert found.holds, found.figure


def test_endless_answers_and_compression_bombs_fill_no_memory(tmp_path: Path) -> None:
    found = faults.bodies(tmp_path, rows=8)
    assert found.holds, found.figure


def test_hostile_answers_end_as_rows_or_rejects(tmp_path: Path) -> None:
    found = faults.hostile(tmp_path)
    assert found.holds, found.figure


def test_a_key_that_the_server_repeats_is_written_nowhere(tmp_path: Path) -> None:
    found = faults.secrets(tmp_path)
    assert found.holds, found.figure


def test_caps_hold_whatever_usage_the_replies_tell(tmp_path: Path) -> None:
    found = faults.budgets(tmp_path)
    assert found.holds, found.figure


def test_open_files_and_memory_stay_flat(tmp_path: Path) -> None:
    found = faults.memory(tmp_path, rows=(100, 600))
    assert found.holds, found.figure


def test_a_large_plan_fits_into_little_memory(tmp_path: Path) -> None:
    found = faults.planned(tmp_path, rows=50_000)
    assert found.holds, found.figure


def test_broken_files_are_named_with_line_and_column(tmp_path: Path) -> None:
    found = faults.inputs(tmp_path)
    assert found.holds, found.figure
