"""When an endpoint counts as gone: after how long, how many failures, and what it asks for."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time

import pytest

from builder import Fake
from builder.engines import tokens
from builder.engines.protocol import Endpoint
from builder.errors import BuilderError, TransportError
from builder.fill.pace import Pace
from builder.fill.pool import LONGEST_PROBE, PROBE, TROUBLES, Backend, OutageError, Place, wait
from builder.fill.stopping import StoppedError, StopSignal
from builder.records import Call, Completion, Key, Message, Request, Usage
from tests import clock

CALL = Call(Request("mine:a", (Message("user", "x"),), {"max_tokens": 9}), Key(bytes(16), 0, 0))


def ask(
    error: TransportError | None,
    *,
    silent: float = 0.0,
    failures: int = 0,
    wave: int = 1,
    succeeded: bool = False,
) -> BuilderError | Completion | None:
    """What a backend raises when a call fails so once more; None where it would try again."""

    async def asking() -> BuilderError | Completion | None:
        stop = StopSignal()
        heard: list[TransportError] = []

        def failed(error: TransportError) -> None:
            heard.append(error)
            stop.stop()  # the wait before the next call ends at once

        backend = Backend(
            Endpoint("mine"), [Place(Fake([error]), Pace(1))], None, asyncio.Semaphore(1), wave=wave
        )
        backend.succeeded = succeeded
        backend.places[0].pace.last_success = time.monotonic() - silent
        backend.places[0].pace.failures = failures
        try:
            return await backend.ask(CALL, stop=stop, failed=failed)
        except StoppedError:
            assert heard == [error]
            return None
        except BuilderError as raised:
            return raised

    return asyncio.run(asking())


def trouble(**how: bool | float) -> TransportError:
    return TransportError("cut", hint="look there", **how)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("silent", "failures", "gone"),
    [(46.0, 7, True), (46.0, 6, False), (44.0, 20, False)],
)
def test_forty_five_seconds_of_eight_failures_without_a_success_are_an_outage(
    silent: float, failures: int, gone: bool
) -> None:
    raised = ask(trouble(), silent=silent, failures=failures, succeeded=True)
    assert isinstance(raised, OutageError) == gone
    if gone:
        assert str(raised).startswith("mine has not answered for 46 s: cut")
        assert isinstance(raised, OutageError)
        assert raised.hint == "look there"


@pytest.mark.parametrize(("wave", "gone"), [(2, True), (3, False), (20, False)])
def test_of_calls_that_ran_out_of_time_all_in_flight_are_enough(wave: int, gone: bool) -> None:
    raised = ask(trouble(late=True), silent=46.0, failures=1, wave=wave)
    assert isinstance(raised, OutageError) == gone
    assert ask(trouble(), silent=46.0, failures=1, wave=wave) is None


@pytest.mark.parametrize(
    ("silent", "succeeded", "gone"),
    [(2.1, False, True), (1.0, False, False), (2.1, True, False)],
)
def test_nobody_waits_for_what_does_not_listen_on_this_machine(
    silent: float, succeeded: bool, gone: bool
) -> None:
    raised = ask(trouble(absent=True), silent=silent, succeeded=succeeded)
    assert isinstance(raised, OutageError) == gone
    assert not gone or str(raised).startswith("cut")
    assert ask(trouble(), silent=silent, succeeded=succeeded) is None


@pytest.mark.parametrize(
    ("after", "silent", "succeeded", "gone"),
    [
        (301.0, 0.0, True, True),
        (299.0, 0.0, True, False),
        (60.0, 19.0, False, False),
        (60.0, 21.0, False, True),
        (60.0, 21.0, True, False),
        (0.0, 44.0, False, False),
    ],
)
def test_whoever_asks_to_wait_for_too_long_is_left_for_a_later_run(
    after: float, silent: float, succeeded: bool, gone: bool
) -> None:
    raised = ask(trouble(after=after), silent=silent, succeeded=succeeded)
    assert isinstance(raised, OutageError) == gone
    assert not gone or str(raised).startswith(f"mine asks to wait {after:.0f} s: cut")


def test_a_success_begins_the_count_anew() -> None:
    async def asking() -> tuple[bool, int, int, int]:
        backend = Backend(
            Endpoint("mine"), [Place(Fake(), Pace(4))], None, asyncio.Semaphore(4), wave=9
        )
        calls = [backend.ask(CALL, stop=StopSignal(), failed=lambda error: None) for _ in range(3)]
        await asyncio.gather(*calls)
        return backend.succeeded, backend.wave, backend.flying, backend.places[0].pace.failures

    assert asyncio.run(asking()) == (True, 1, 0, 0)


@pytest.mark.parametrize(
    ("usage", "waited"), [(Usage(), None), (Usage(0, 0), None), (Usage(3, 2), 5), (Usage(3), 3)]
)
def test_tokens_that_a_call_did_not_use_are_given_back_where_it_tells_them(
    usage: Usage, waited: int | None
) -> None:
    async def asking(now: clock.Clock) -> list[float]:
        reply = Completion(CALL.key, "x", "mine:a", usage=usage)
        pace = Pace(1, tokens_per_minute=60, clock=now)
        engine = Fake([reply, reply, reply])
        backend = Backend(Endpoint("mine"), [Place(engine, pace)], None, asyncio.Semaphore(1))
        moments = []
        for _ in range(3):
            await backend.ask(CALL, stop=StopSignal(), failed=lambda error: None)
            moments.append(now())
        return [after - before for before, after in itertools.pairwise(moments)]

    expected = waited or tokens.typical(CALL)
    assert clock.run(asking) == pytest.approx([expected, expected])


def test_lone_surrogates_are_replaced_and_nothing_else() -> None:
    broken = Completion(CALL.key, "a\ud800b", "mine:a")
    whole = Completion(CALL.key, "née 甲", "mine:a")
    replies = [broken, whole]

    async def asking() -> list[str]:
        backend = Backend(
            Endpoint("mine"), [Place(Fake(replies), Pace(4))], None, asyncio.Semaphore(4)
        )
        return [
            (await backend.ask(CALL, stop=StopSignal(), failed=lambda error: None)).text
            for _ in replies
        ]

    assert asyncio.run(asking()) == ["a?b", "née 甲"]


def test_a_run_that_is_told_to_stop_asks_no_more() -> None:
    async def asking() -> None:
        stop = StopSignal()
        stop.stop()
        backend = Backend(Endpoint("mine"), [Place(Fake(), Pace(4))], None, asyncio.Semaphore(4))
        await backend.ask(CALL, stop=stop, failed=lambda error: None)

    with pytest.raises(StoppedError):
        asyncio.run(asking())


def test_a_server_with_a_slow_and_steady_rhythm_is_not_gone() -> None:
    for rhythm, gone in ((10.0, True), (20.0, False)):
        backend = Backend(Endpoint("mine"), [Place(Fake(), Pace(1))], None, asyncio.Semaphore(1))
        pace = backend.places[0].pace
        pace.last_success, pace.failures = time.monotonic() - 50.0, 9
        pace.longest_silence = rhythm
        with contextlib.ExitStack() as stack:
            if gone:
                stack.enter_context(pytest.raises(OutageError))
            backend._outage(trouble())


def reply() -> Completion:
    return Completion(CALL.key, "x", "mine:a", usage=Usage(1, 1))


def test_calls_go_to_the_least_busy_of_several_places() -> None:
    async def asking() -> list[int]:
        places = [Place(Fake(), Pace(8)) for _ in range(3)]
        places[1].flying = 5
        backend = Backend(Endpoint("mine"), places, None, asyncio.Semaphore(8))
        taken = []
        for _ in range(4):
            place = backend._place()
            place.flying += 1
            taken.append(places.index(place))
        return taken

    assert asyncio.run(asking()) == [0, 2, 0, 2]


def test_a_place_that_brings_nothing_is_left_out_and_tried_again_later() -> None:
    place, now = Place(Fake(), Pace(8)), 100.0
    for _ in range(TROUBLES):
        assert not place.ejections
        place.note_trouble(trouble(), now)
    assert (place.ejections, place.probe_at) == (1, now + PROBE)
    for _ in range(8):
        place.note_trouble(trouble(), now)  # what was in flight tells nothing new
    assert (place.ejections, place.probe_at) == (1, now + PROBE)
    for _ in range(8):
        place.probing = True
        place.note_trouble(trouble(), now)
    assert place.probe_at == now + LONGEST_PROBE
    place.note_success()
    assert (place.ejections, place.troubles) == (0, 0)
    for _ in range(9):
        place.note_trouble(trouble(limited=True), now)
    assert not place.ejections


def test_a_call_that_fails_at_one_place_is_answered_by_another() -> None:
    async def asking() -> tuple[int, int]:
        dead = Place(Fake(lambda call: trouble(free=True)), Pace(8))
        alive = Place(Fake(lambda call: reply()), Pace(8))
        backend = Backend(Endpoint("mine"), [dead, alive], None, asyncio.Semaphore(8))
        for _ in range(6):
            await backend.ask(CALL, stop=StopSignal(), failed=lambda error: None)
        return dead.ejections, alive.pace.failures

    assert asyncio.run(asking()) == (1, 0)


def test_a_server_that_starts_is_waited_for_and_no_longer_than_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("builder.fill.pool.LOOK", 0.01)

    class Starting(Fake):
        looks = 0

        async def ready(self) -> bool:
            self.looks += 1
            return self.looks > 2

    async def waiting(seconds: float) -> tuple[int, int]:
        late, there = Starting(), Starting()
        there.looks = 9
        backends = [
            Backend(Endpoint("mine"), [Place(late, Pace(1))], None, asyncio.Semaphore(1)),
            Backend(
                Endpoint("mine"),
                [Place(late, Pace(1)), Place(there, Pace(1))],
                None,
                asyncio.Semaphore(1),
            ),
        ]
        await wait(backends, seconds, StopSignal())
        return late.looks, there.looks

    assert asyncio.run(waiting(5.0)) == (3, 10)
    assert asyncio.run(waiting(0.0)) == (0, 9)
