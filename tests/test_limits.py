"""A limit of time: it rings in what runs too long, and nothing else notices it."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable

import pytest

from builder import limits


def spin(alarm: Callable[[float], None]) -> None:
    alarm(0.01)
    while True:
        pass


def test_what_runs_too_long_is_ended() -> None:
    with limits.alarm() as alarm, pytest.raises(limits.TooLongError):
        spin(alarm)


def test_each_limit_begins_anew_and_none_is_left_behind() -> None:
    before = signal.getsignal(signal.SIGALRM)
    with limits.alarm() as alarm:
        alarm(5)
        alarm(0.2)
        assert 0 < signal.getitimer(signal.ITIMER_REAL)[0] <= 0.2
        alarm(0)
        assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
        alarm(5)
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    assert signal.getsignal(signal.SIGALRM) is before


def test_a_limit_rings_again_for_who_swallows_it() -> None:
    rung = 0
    with limits.alarm() as alarm:
        alarm(0.1)
        while rung < 2:
            try:
                while True:
                    pass
            except limits.TooLongError:
                rung += 1
        alarm(0)
    assert rung == 2


def test_a_lifted_limit_rings_no_more() -> None:
    with limits.alarm() as alarm:
        alarm(0.05)
        alarm(0)
        time.sleep(0.1)
        alarm(0.05)
    time.sleep(0.1)


def test_a_limit_that_was_lifted_does_not_ring() -> None:
    with limits.alarm() as alarm:
        alarm(0)
        signal.raise_signal(signal.SIGALRM)


def test_another_thread_has_no_limit() -> None:
    ended: list[bool] = []

    def limited() -> None:
        with limits.alarm() as alarm:
            alarm(0.001)
            ended.append(signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0))

    thread = threading.Thread(target=limited)
    thread.start()
    thread.join()
    assert ended == [True]
