"""The pace: what it lets go, what it learns from refusals, and that it holds nobody for ever."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from builder.errors import TransportError
from builder.run.pace import Pace, seconds
from tests.provider import Provider
from tests.test_run import Site

pytestmark = pytest.mark.slow


def refusal(after: float | None = None) -> TransportError:
    return TransportError("too many requests", after=after, limited=True)


class Server:
    """Answers after `latency`; lets `rate` calls a second through where one is given."""

    def __init__(self, latency: float = 0.0, rate: float | None = None) -> None:
        self.latency = latency
        self.rate = rate
        self.flying = self.peak = self.refused = 0
        self.times: list[float] = []
        self._room = 1.0
        self._seen = time.monotonic()

    async def call(self, pace: Pace) -> bool:
        try:
            async with pace.admitted():
                now = time.monotonic()
                self.times.append(now)
                self.flying += 1
                self.peak = max(self.peak, self.flying)
                try:
                    self._room = min(2.0, self._room + (now - self._seen) * (self.rate or 0))
                    self._seen = now
                    if self.rate is not None and self._room < 1:
                        raise refusal(after=0.2)
                    self._room -= 1
                    await asyncio.sleep(self.latency)
                finally:
                    self.flying -= 1
        except TransportError:
            self.refused += 1
            return False
        return True


async def work(server: Server, pace: Pace, workers: int, calls: int) -> int:
    """So many calls by so many workers; how many were answered."""
    left = iter(range(calls))

    async def worker() -> int:
        return sum([await server.call(pace) for _ in left])

    return sum(await asyncio.gather(*(worker() for _ in range(workers))))


def timed(run: Callable[[], Coroutine[Any, Any, Any]]) -> float:
    async def whole() -> float:
        began = time.monotonic()
        await run()
        return time.monotonic() - began

    return asyncio.run(whole())


def test_the_ceiling_is_reached_by_doubling_and_never_passed() -> None:
    server, pace = Server(latency=0.02), Pace(40)
    assert asyncio.run(work(server, pace, 100, 800)) == 800
    assert server.peak == 40
    begun_at_once = sum(moment - server.times[0] < 0.015 for moment in server.times)
    assert begun_at_once == 8


def test_a_told_rate_is_kept_from_the_first_call_on() -> None:
    server, pace = Server(), Pace(50, per_minute=60 * 50)
    took = timed(lambda: work(server, pace, 50, 51))
    assert 0.9 < took < 1.6
    assert pace.found() == "3000 calls a minute, as told"


def test_a_cap_is_found_and_filled() -> None:
    server, pace = Server(latency=0.02, rate=50), Pace(256)

    async def run(duration: float) -> tuple[int, float]:
        began, answered = time.monotonic(), 0
        while time.monotonic() - began < duration:
            answered += await work(server, pace, 100, 20)
        return answered, time.monotonic() - began

    async def both() -> None:
        await run(5.0)  # finding it out costs some refusals
        server.refused = 0
        answered, took = await run(4.0)
        assert answered / took > 0.8 * 50
        assert server.refused < 0.2 * answered

    asyncio.run(both())
    assert "calls a second" in pace.found()


def test_scattered_refusals_change_nothing() -> None:
    pace = Pace(64)

    async def call(number: int) -> None:
        try:
            async with pace.admitted():
                await asyncio.sleep(0.01)
                if number % 20 == 0:
                    raise refusal(after=30.0)
        except TransportError:
            pass

    async def run() -> None:
        await asyncio.gather(*(call(number) for number in range(3000)))

    assert timed(run) < 3
    assert pace.found() == ""


def test_a_shut_door_pauses_all_for_as_long_as_it_asked() -> None:
    pace = Pace(64)
    times: list[float] = []

    async def call() -> None:
        with contextlib.suppress(TransportError):
            async with pace.admitted():
                times.append(time.monotonic())
                await asyncio.sleep(0.05)
                raise refusal(after=1.0)

    async def run() -> None:
        tasks = [asyncio.create_task(call()) for _ in range(1000)]
        await asyncio.sleep(3.2)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(run())
    gaps = [b - a for a, b in itertools.pairwise(times)]
    assert sum(gap >= 0.7 for gap in gaps) >= 2
    assert len(times) < 120


def test_a_limit_that_headers_say_is_used_up_pauses_all_until_its_reset() -> None:
    for headers in (
        {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "400ms"},
        {"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "0.4"},
        {"anthropic-ratelimit-tokens-remaining": "0", "anthropic-ratelimit-tokens-reset": "0.4s"},
    ):
        server, pace = Server(), Pace(8)

        async def run(pace: Pace = pace, server: Server = server, told: Any = headers) -> None:
            pace.read(told, 200)
            await server.call(pace)

        assert 0.35 < timed(run) < 0.8
    pace = Pace(8)
    pace.read({"x-ratelimit-remaining-requests": "9", "x-ratelimit-reset-requests": "9s"}, 200)
    assert timed(lambda: Server().call(pace)) < 0.2


def test_first_come_first_served_and_nobody_starves() -> None:
    pace = Pace(2)
    order: list[int] = []

    async def call(number: int) -> None:
        async with pace.admitted():
            order.append(number)
            await asyncio.sleep(0.001)

    async def run() -> None:
        await asyncio.gather(*(call(number) for number in range(50)))

    asyncio.run(run())
    assert order == list(range(50))


def test_a_cancelled_caller_leaves_its_place_to_others() -> None:
    pace = Pace(1)

    async def run() -> None:
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

    asyncio.run(run())


def test_waiting_costs_the_same_however_many_wait() -> None:
    def cpu(waiting: int) -> float:
        pace = Pace(10_000, per_minute=60 * 400)
        began = time.process_time()
        asyncio.run(work(Server(), pace, waiting, 400))
        return time.process_time() - began

    cpu(10)
    assert cpu(2000) < 4 * cpu(50) + 0.1


def test_stopping_lets_all_go_at_once() -> None:
    pace = Pace(100, per_minute=60)

    async def run() -> None:
        tasks = [asyncio.create_task(Server().call(pace)) for _ in range(50)]
        await asyncio.sleep(0.05)
        pace.stop()
        await asyncio.wait_for(asyncio.gather(*tasks), 1)

    assert timed(run) < 1


@pytest.mark.parametrize(
    ("text", "wanted"), [("6m0s", 360.0), ("120ms", 0.12), ("7", 7.0), ("", None), ("-1", None)]
)
def test_resets_are_read_in_each_form(text: str, wanted: float | None) -> None:
    assert seconds(text) == wanted


@pytest.mark.slow
def test_a_run_fills_a_capped_server_without_undercutting_it(tmp_path: Path) -> None:
    with Provider(rate=20, latency=0.02, retry_after=1.0) as provider:
        site = Site(tmp_path, provider)
        site.replace("scenarios/notes.yaml", "rows: 4 each", "rows: 240")
        site.replace("scenarios/notes.yaml", "integer: [5, 30]", "integer: [5, 3000000]")
        site.run("run", "--concurrency", "64")
        span = provider.times[-1] - provider.times[0]
        assert len(site.rows()) == 240
        assert provider.undercut == 0
        assert 240 / span >= 15
        assert provider.calls <= 1.3 * 240


@pytest.mark.slow
def test_scattered_429s_cost_little_more_than_their_own_calls(tmp_path: Path) -> None:
    spans = []
    for number, faults in enumerate([{}, {"429-seconds": 0.05}]):
        folder = tmp_path / str(number)
        folder.mkdir()
        with Provider(faults=faults, latency=0.2, retry_after=1.0) as provider:
            site = Site(folder, provider)
            site.replace("scenarios/notes.yaml", "rows: 4 each", "rows: 3000")
            site.replace("scenarios/notes.yaml", "integer: [5, 30]", "integer: [5, 3000000]")
            site.run("run", "--concurrency", "64")
            assert provider.undercut == 0
            assert (
                json.loads((site.root / "outputs/note/manifest.json").read_text())["rows"] == 3000
            )
            spans.append(provider.times[-1] - provider.times[0])
    # The last refused call waits for its turn alone; see docs/performance.md for longer runs.
    assert spans[0] / (spans[1] - 1.3) > 0.85
