"""Trouble on the way is tried again: how often, after how long, and when no more."""

from __future__ import annotations

import itertools

import pytest

from builder.errors import ProviderError, TransportError
from builder.fill import retry
from tests import clock


class Line:
    """A line that fails with each of these errors before it answers."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.calls: list[float] = []
        self.heard: list[Exception] = []
        self.ended: BaseException | None = None

    def ask(self) -> list[float]:
        """The moments of the calls."""

        async def asking(now: clock.Clock) -> list[float]:
            async def call() -> str:
                self.calls.append(now())
                if self.errors:
                    raise self.errors.pop(0)
                return "answered"

            try:
                assert await retry.with_retries(call, failed=self.heard.append) == "answered"
            except (TransportError, ProviderError) as error:
                self.ended = error
            return self.calls

        return clock.run(asking)


def trouble(number: int = 1, **how: float | None) -> list[TransportError]:
    after, most = how.get("after"), how.get("at_most")
    return [
        TransportError(f"trouble {i}", after=after, at_most=None if most is None else int(most))
        for i in range(number)
    ]


def test_waits_double_to_thirty_seconds_and_half_of_each_is_luck() -> None:
    line = Line(*trouble(7))
    moments = line.ask()
    waits = [after - before for before, after in itertools.pairwise(moments)]
    longest = [0.6, 1.2, 2.4, 4.8, 9.6, 19.2, 30.0]
    assert len(waits) == 7
    for wait, most in zip(waits, longest, strict=True):
        assert most / 2 - 1e-6 <= wait <= most + 1e-6
    assert [str(error) for error in line.heard] == [f"trouble {i}" for i in range(7)]
    assert line.ended is None


def test_the_eighth_failure_is_the_last_and_each_is_heard_once() -> None:
    line = Line(*trouble(9))
    assert len(line.ask()) == 8
    assert str(line.ended) == "trouble 7"
    assert len(line.heard) == 8


@pytest.mark.parametrize(("most", "calls"), [(1, 1), (2, 2), (3, 3)])
def test_an_error_that_is_dear_to_repeat_bounds_the_calls(most: int, calls: int) -> None:
    line = Line(*trouble(9, at_most=most))
    assert len(line.ask()) == calls
    assert line.ended is not None
    later = Line(*trouble(1), *trouble(8, at_most=most))
    assert len(later.ask()) == max(calls, 2)
    assert later.ended is not None


def test_a_provider_is_given_what_it_asks_for_and_a_little_more() -> None:
    moments = Line(*trouble(2, after=50.0)).ask()
    for before, after in itertools.pairwise(moments):
        assert 50.05 - 1e-6 <= after - before <= 50.3 + 1e-6


def test_a_short_wait_that_is_asked_for_does_not_shorten_ours() -> None:
    moments = Line(*trouble(7, after=0.1)).ask()
    assert moments[7] - moments[6] >= 15.0


@pytest.mark.parametrize(("after", "calls"), [(300.0, 2), (300.1, 1)])
def test_whoever_asks_for_more_than_five_minutes_is_left_for_a_later_run(
    after: float, calls: int
) -> None:
    line = Line(*trouble(1, after=after))
    assert len(line.ask()) == calls
    assert (line.ended is None) == (calls == 2)
    later = Line(*trouble(1), *trouble(1, after=after))
    assert len(later.ask()) == calls + 1


def test_what_no_repeating_helps_ends_it_at_once() -> None:
    line = Line(ProviderError("no"))
    assert line.ask() == [0.0]
    assert line.heard == []
    later = Line(*trouble(1), ProviderError("no"), *trouble(1))
    assert len(later.ask()) == 2
    assert str(later.ended) == "no"
