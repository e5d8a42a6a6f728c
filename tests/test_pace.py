"""The pace: what it lets go, what it learns from refusals, and that it holds nobody for ever."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from builder.engines.failures import seconds
from builder.errors import RequestError, TransportError
from builder.fill import retry
from builder.fill.online import WORKERS
from builder.fill.pace import Pace
from tests import clock
from tests.clock import Clock
from tests.provider import Provider
from tests.test_run import Site


def refusal(after: float | None = None) -> TransportError:
    return TransportError("too many requests", after=after, limited=True)


class Server:
    """Answers after `latency`; lets `rate` calls a second through where one is given, and refuses
    a `scattered` share of them at random."""

    def __init__(
        self, now: Clock, latency: float = 0.0, rate: float | None = None, scattered: float = 0.0
    ) -> None:
        self.now = now
        self.latency = latency
        self.rate = rate
        self.scattered = scattered
        self.flying = self.peak = self.refused = 0
        self.times: list[float] = []
        self._rng = random.Random(1)
        self._room = 1.0
        self._seen = now()

    async def call(self, pace: Pace) -> bool:
        """Whether it was answered."""
        try:
            await self.answer(pace)
        except TransportError:
            return False
        return True

    async def answer(self, pace: Pace) -> None:
        async with pace.admitted():
            now = self.now()
            self.times.append(now)
            self.flying += 1
            self.peak = max(self.peak, self.flying)
            try:
                self._let(now)
                await asyncio.sleep(self.latency * self._rng.uniform(0.8, 1.2))
            finally:
                self.flying -= 1

    def _let(self, now: float) -> None:
        self._room = min(2.0, self._room + (now - self._seen) * (self.rate or 0))
        self._seen = now
        if self.rate is not None and self._room < 1:
            self.refused += 1
            raise refusal(after=0.2)
        self._room -= 1
        if self._rng.random() < self.scattered:
            self.refused += 1
            raise refusal(after=1.0)


async def work(server: Server, pace: Pace, workers: int, calls: int) -> int:
    """So many calls by so many workers; how many were answered."""
    left = iter(range(calls))

    async def worker() -> int:
        return sum([await server.call(pace) for _ in left])

    return sum(await asyncio.gather(*(worker() for _ in range(workers))))


def test_the_ceiling_is_reached_by_doubling_and_never_passed() -> None:
    async def run(now: Clock) -> None:
        server, pace = Server(now, latency=0.02), Pace(40, clock=now)
        assert await work(server, pace, 100, 800) == 800
        assert server.peak == 40
        assert sum(moment < 0.015 for moment in server.times) == 8

    clock.run(run)


def test_a_told_rate_is_kept_from_the_first_call_on() -> None:
    async def run(now: Clock) -> None:
        pace = Pace(50, per_minute=60 * 50, clock=now)
        await work(Server(now), pace, 50, 51)
        assert now() == pytest.approx(1.0, abs=0.03)
        assert pace.limit_text() == "3,000 calls a minute, as told"

    clock.run(run)


def test_told_tokens_are_kept_and_what_was_not_used_is_given_back() -> None:
    async def run(now: Clock) -> None:
        pace = Pace(50, tokens_per_minute=60_000, clock=now)

        async def call() -> None:
            async with pace.admitted(400):
                await asyncio.sleep(0.1)
            pace.used(400, 100)

        await asyncio.gather(*(call() for _ in range(300)))
        assert now() == pytest.approx(30.0, rel=0.05)
        assert pace.limit_text() == "60,000 tokens a minute, as told"

    clock.run(run)


def test_a_cap_is_found_and_filled() -> None:
    async def run(now: Clock) -> None:
        server, pace = Server(now, latency=0.02, rate=50), Pace(256, clock=now)

        async def filled(duration: float) -> int:
            began, answered = now(), 0
            while now() - began < duration:
                answered += await work(server, pace, 100, 20)
            return answered

        await filled(5.0)  # finding it out costs some refusals
        server.refused = 0
        answered = await filled(60.0)
        assert answered > 0.85 * 50 * 60
        assert server.refused < 0.1 * answered
        assert "calls a second" in pace.limit_text()

    clock.run(run)


async def fill(server: Server, pace: Pace, rows: int, flight: int = 64) -> None:
    """So many calls, each made until it is answered, by as many workers as a run has."""
    left = iter(range(rows))

    async def once() -> None:
        await server.answer(pace)

    async def worker() -> None:
        for _ in left:
            await retry.with_retries(once)

    await asyncio.gather(*(worker() for _ in range(WORKERS * flight)))


@pytest.mark.parametrize("latency", [0.05, 0.5, 2.0])
def test_a_cap_is_filled_with_few_calls_refused(latency: float) -> None:
    async def run(now: Clock) -> None:
        server = Server(now, latency=latency, rate=20)
        await fill(server, Pace(64, clock=now), 1200)
        assert 1200 / now() >= 16
        assert len(server.times) <= 1.3 * 1200

    clock.run(run)


def test_slow_answers_keep_no_calls_back() -> None:
    async def run(now: Clock) -> None:
        server = Server(now, latency=20.0)
        await fill(server, Pace(256, clock=now), 256)
        assert server.peak == 256
        assert now() < 20 * 1.2 + 6

    clock.run(run)


@pytest.mark.parametrize("good", [0.0, 0.2])
def test_refused_requests_keep_their_places_until_one_is_answered_or_all_are_back(
    good: float,
) -> None:
    async def run(now: Clock) -> None:
        pace, times, rng = Pace(64, clock=now), list[float](), random.Random(5)

        async def call(number: int) -> None:
            with contextlib.suppress(RequestError):
                async with pace.admitted():
                    times.append(now())
                    await asyncio.sleep(0.01 if number else 0.5)
                    if not number or rng.random() >= good:
                        raise RequestError("too long")

        await asyncio.gather(*(call(number) for number in range(1000)))
        assert len(times) == 1000
        early = sum(moment < 0.5 for moment in times)
        assert early > 8 if good else early == 8

    clock.run(run)


class Slots:
    """Answers so many calls at a time, each in `seconds`; the others wait."""

    def __init__(self, now: Clock, slots: int, seconds: float) -> None:
        self.now, self.seconds = now, seconds
        self.room = asyncio.Semaphore(slots)
        self.flying = self.peak = 0
        self.slowest = 0.0

    async def call(self, pace: Pace) -> None:
        async with pace.admitted():
            began = self.now()
            self.flying += 1
            self.peak = max(self.peak, self.flying)
            async with self.room:
                await asyncio.sleep(self.seconds)
            self.flying -= 1
            self.slowest = max(self.slowest, self.now() - began)


@pytest.mark.parametrize(("slots", "seconds"), [(4, 2.0), (1, 1.0), (4, 40.0), (1, 5.0)])
def test_a_server_of_few_slots_is_filled_and_not_drowned(slots: int, seconds: float) -> None:
    async def run(now: Clock) -> None:
        server, pace = Slots(now, slots, seconds), Pace(64, eager=False, clock=now)
        await asyncio.gather(*(server.call(pace) for _ in range(100)))
        assert now() <= 1.1 * 100 / slots * seconds
        assert server.peak <= 16
        assert server.slowest <= 16 / slots * seconds + seconds

    clock.run(run)


@pytest.mark.parametrize(("slots", "seconds", "timeout"), [(4, 0.5, 2.0), (2, 1.0, 5.0)])
def test_calls_in_flight_grow_slowly_where_time_is_short(
    slots: int, seconds: float, timeout: float
) -> None:
    async def run(now: Clock) -> None:
        server = Slots(now, slots, seconds)
        pace = Pace(64, eager=False, timeout=timeout, clock=now)
        await asyncio.gather(*(server.call(pace) for _ in range(100)))
        assert server.slowest < timeout
        assert now() <= 1.1 * 100 / slots * seconds

    clock.run(run)


@pytest.mark.parametrize("slots", [64, 256])
def test_a_server_of_many_slots_is_found_out_while_it_brings_more(slots: int) -> None:
    async def run(now: Clock) -> None:
        server, pace = Slots(now, slots, 1.0), Pace(1024, eager=False, clock=now)
        await asyncio.gather(*(server.call(pace) for _ in range(50 * slots)))
        assert slots <= server.peak <= 4 * slots
        assert now() <= 1.2 * 50 + 8

    clock.run(run)


def test_replies_that_are_no_answers_ask_for_no_more_calls() -> None:
    async def run(now: Clock) -> None:
        pace, most, flying = Pace(64, eager=False, clock=now), 0, 0

        async def call() -> None:
            nonlocal most, flying
            async with pace.admitted() as admission:
                flying += 1
                most = max(most, flying)
                await asyncio.sleep(0.1)
                flying -= 1
                admission.fruitless = True

        await asyncio.gather(*(call() for _ in range(200)))
        assert most == 8

    clock.run(run)


def test_scattered_refusals_cost_their_own_calls_and_no_pace() -> None:
    async def filled(now: Clock, share: float) -> float:
        pace = Pace(64, clock=now)
        await fill(Server(now, latency=0.2, scattered=share), pace, 20_000)
        assert pace.limit_text() == ""
        return now()

    clean, scattered = (clock.run(partial(filled, share=share)) for share in (0.0, 0.05))
    assert clean / scattered > 0.9


def test_a_shut_door_pauses_all_for_as_long_as_it_asked() -> None:
    async def run(now: Clock) -> None:
        pace = Pace(64, clock=now)
        times: list[float] = []

        async def call() -> None:
            with contextlib.suppress(TransportError):
                async with pace.admitted():
                    times.append(now())
                    await asyncio.sleep(0.05)
                    raise refusal(after=1.0)

        tasks = [asyncio.create_task(call()) for _ in range(1000)]
        await asyncio.sleep(3.2)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        gaps = [b - a for a, b in itertools.pairwise(times)]
        assert sum(gap >= 0.9 for gap in gaps) >= 2
        assert len(times) < 120

    clock.run(run)


@pytest.mark.parametrize(
    "headers",
    [
        {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "400ms"},
        {"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "0.4"},
        {"anthropic-ratelimit-tokens-remaining": "0", "anthropic-ratelimit-tokens-reset": "0.4s"},
    ],
)
def test_a_limit_that_headers_say_is_used_up_pauses_all_until_its_reset(
    headers: dict[str, str],
) -> None:
    async def run(now: Clock) -> None:
        server, pace = Server(now), Pace(8, clock=now)
        pace.read(headers, 200)
        await server.call(pace)
        assert server.times == [pytest.approx(0.4)]

    clock.run(run)


def test_a_limit_with_room_left_pauses_nobody() -> None:
    async def run(now: Clock) -> None:
        server, pace = Server(now), Pace(8, clock=now)
        pace.read({"x-ratelimit-remaining-requests": "9", "x-ratelimit-reset-requests": "9s"}, 200)
        await server.call(pace)
        assert server.times == [0.0]

    clock.run(run)


def test_limits_that_headers_name_are_told() -> None:
    pace = Pace(8)
    pace.read({"x-ratelimit-limit-requests": "500", "x-ratelimit-limit-tokens": "30000"}, 200)
    assert (
        pace.limit_text() == "500 requests, as its headers say; 30,000 tokens, as its headers say"
    )


@pytest.mark.parametrize(
    ("headers", "rate"),
    [
        ({"limit": "120"}, 2.0),
        ({"limit": "20", "remaining": "19", "reset": "50s"}, 20 / 60),
        ({"limit": "20", "remaining": "19", "reset": "0.05s"}, 20.0),
        ({"limit": "0"}, None),
        ({"limit": "many"}, None),
    ],
)
@pytest.mark.parametrize("prefix", ["x-ratelimit", "x-ratelimit-api_key"])
def test_a_limit_that_headers_name_is_kept_at_once(
    headers: dict[str, str], rate: float | None, prefix: str
) -> None:
    async def run(now: Clock) -> None:
        pace = Pace(50, clock=now)
        pace.read({f"{prefix}-{name}-requests": text for name, text in headers.items()}, 200)
        await work(Server(now), pace, 50, 51)
        assert now() == pytest.approx(50 / rate if rate else 0.0, abs=0.6)

    clock.run(run)


def test_tokens_that_headers_name_are_kept_and_what_the_project_tells_goes_before() -> None:
    async def run(now: Clock, **told: Any) -> float:
        pace = Pace(4, clock=now, **told)
        pace.read({"x-ratelimit-limit-tokens": "600", "x-ratelimit-limit-requests": "600"}, 200)
        for _ in range(4):
            async with pace.admitted(10):
                pass
        return now()

    assert clock.run(run) == pytest.approx(3.0, abs=0.1)
    slow = partial(run, per_minute=30, tokens_per_minute=6000)
    assert clock.run(slow) == pytest.approx(6.0, abs=0.1)


def test_first_come_first_served_and_nobody_starves() -> None:
    async def run(now: Clock) -> None:
        pace = Pace(2, clock=now)
        order: list[int] = []

        async def call(number: int) -> None:
            async with pace.admitted():
                order.append(number)
                await asyncio.sleep(0.001)

        await asyncio.gather(*(call(number) for number in range(50)))
        assert order == list(range(50))

    clock.run(run)


def test_a_cancelled_caller_leaves_its_place_to_others() -> None:
    async def run(now: Clock) -> None:
        pace = Pace(1, clock=now)
        inside = asyncio.Event()

        async def long() -> None:
            async with pace.admitted():
                inside.set()
                await asyncio.sleep(0.1)

        first = asyncio.create_task(long())
        await inside.wait()
        second, third = asyncio.create_task(long()), asyncio.create_task(long())
        await asyncio.sleep(0)
        second.cancel()
        await asyncio.wait_for(third, 1)
        await first
        async with pace.admitted():
            pass

    clock.run(run)


def test_stopping_lets_all_go_at_once() -> None:
    async def run(now: Clock) -> None:
        pace = Pace(100, per_minute=60, clock=now)
        tasks = [asyncio.create_task(Server(now).call(pace)) for _ in range(50)]
        await asyncio.sleep(0.05)
        pace.stop()
        await asyncio.gather(*tasks)
        assert now() == 0.05

    clock.run(run)


@pytest.mark.parametrize(
    ("text", "wanted"), [("6m0s", 360.0), ("120ms", 0.12), ("7", 7.0), ("", None), ("-1", None)]
)
def test_resets_are_read_in_each_form(text: str, wanted: float | None) -> None:
    assert seconds(text) == wanted


@pytest.mark.slow
@pytest.mark.parametrize(
    "how", [{"rate": 20.0, "latency": 0.02}, {"faults": {"429-seconds": 0.05}}]
)
def test_a_run_against_a_server_that_refuses_never_undercuts_it(
    tmp_path: Path, how: dict[str, Any]
) -> None:
    with Provider(retry_after=1.0, **how) as provider:
        site = Site(tmp_path, provider)
        site.replace("scenarios/notes.yaml", "rows: 4 each", "rows: 240")
        site.replace("scenarios/notes.yaml", "integer: [5, 30]", "integer: [5, 3000000]")
        site.run("run", "--concurrency", "64")
        assert len(site.rows()) == 240
        assert provider.undercut == 0
