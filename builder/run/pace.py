"""How fast one model of one endpoint is asked: one pace, shared by all workers.

Calls in flight grow as TCP's do: doubled each round trip until the first trouble, one by one
after it, halved at most once in a window when a good part of the calls fail. A limit on the
rate cannot be met by calls in flight (20 calls a second of 50 ms are one at a time), so a
window with many 429s sets a rate instead: what the server did accept, raised by a tenth each
second until it refuses again. Single 429s, as busy servers scatter them, change nothing.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

from builder.errors import TransportError

FIRST = 8
"""Calls in flight to begin with."""
WINDOW = 0.25
"""Seconds that a window lasts at least."""
SAMPLE = 20
"""Replies that a window has at least, unless it lasts a second."""
REFUSED = 0.2
"""Share of a window's calls answered 429 that shows a limit."""
FAILED = 0.5
"""Share of a window's calls in other trouble that halves the calls in flight."""
MEMORY = 3.0
"""Seconds over which the accepted rate is measured."""
RISE = 1.1
"""Factor by which a found rate is raised each second."""
LONGEST = 120.0
"""Seconds of the longest pause that a server may ask of all calls."""


Sleep = Callable[[float], Awaitable[None]]


class Pace:
    """Admits calls to one model."""

    def __init__(self, ceiling: int, *, per_minute: float | None = None) -> None:
        self._ceiling = max(1, ceiling)
        self._window = float(min(FIRST, self._ceiling))
        self._growing = True
        self._flying = 0
        self._rate: float | None = per_minute / 60 if per_minute else None
        self._told = per_minute
        self._next = 0.0
        self._paused = 0.0
        self._raised = 0.0
        self._accepted: deque[float] = deque()
        self._began = time.monotonic()
        self._opened = self._began
        self._replies = self._refused = self._failed = 0
        self._lowest: float | None = None
        self.last_success = self._began
        self.failures = 0
        """Calls that failed since the last success."""
        # Guards the counts above: callers wait here for room.
        self._room = asyncio.Condition()

    @asynccontextmanager
    async def admitted(self, sleep: Sleep = asyncio.sleep) -> AsyncIterator[None]:
        """Waits for room, then counts what happens inside: a reply, or the error it raises.

        `sleep` may raise to end the waiting.
        """
        await self._admit(sleep)
        try:
            yield
        except TransportError as error:
            self._note(error)
            raise
        else:
            self._note(None)
        finally:
            self._flying -= 1
            async with self._room:
                self._room.notify()

    async def _admit(self, sleep: Sleep) -> None:
        async with self._room:
            while self._flying >= int(self._window):
                await self._room.wait()
            self._flying += 1
        try:
            while (wait := self._wait()) > 0:
                await sleep(wait)
        except BaseException:
            self._flying -= 1
            raise

    def _wait(self) -> float:
        """Seconds until this caller may go; 0 books its place."""
        now = time.monotonic()
        if self._paused > now:
            return self._paused - now
        if self._rate is None:
            return 0.0
        self._rise(now)
        if self._next > now:
            return self._next - now
        self._next = max(self._next, now - 1.0 / self._rate) + 1.0 / self._rate
        return 0.0

    def _rise(self, now: float) -> None:
        """A found rate rises with time, and falls away when it no longer holds anything back."""
        if self._rate is None or self._told is not None or now - self._raised < 1.0:
            return
        self._raised = now
        self._rate *= RISE
        if self._rate > 4 * max(self._accepted_rate(now), 1.0) or self._rate > 10_000:
            self._rate = None

    def _note(self, error: TransportError | None) -> None:
        now = time.monotonic()
        self._replies += 1
        if error is None:
            self._accepted.append(now)
            self.last_success = now
            self.failures = 0
            if self._window < self._ceiling:
                self._window += 1.0 if self._growing else 1.0 / self._window
        else:
            self.failures += 1
            self._refused += error.limited
            self._failed += not error.limited
        elapsed = now - self._opened
        if elapsed >= WINDOW and (self._replies >= SAMPLE or elapsed >= 1.0):
            self._close(now, error)

    def _close(self, now: float, error: TransportError | None) -> None:
        """Judges a window and begins the next."""
        if self._refused and self._refused >= REFUSED * self._replies:
            self._limit(now, error)
        if self._failed and self._failed >= FAILED * self._replies:
            self._window = max(1.0, self._window / 2)
            self._growing = False
        self._opened = now
        self._replies = self._refused = self._failed = 0

    def _limit(self, now: float, error: TransportError | None) -> None:
        accepted = max(self._accepted_rate(now), 0.2)
        self._rate = min(self._rate or accepted, accepted) if self._told is None else self._rate
        self._lowest = accepted
        self._raised = now
        self._growing = False
        if error is not None and error.after:
            self._paused = max(self._paused, now + min(error.after, LONGEST))

    def _accepted_rate(self, now: float) -> float:
        while self._accepted and self._accepted[0] < now - MEMORY:
            self._accepted.popleft()
        return len(self._accepted) / max(min(MEMORY, now - self._began), WINDOW)

    def read(self, headers: Mapping[str, str], status: int) -> None:
        """Takes what a response's headers say: a limit that is used up pauses all until its reset."""
        if status == 429:
            return  # its Retry-After comes with the error
        for prefix in ("x-ratelimit-remaining-", "anthropic-ratelimit-"):
            for kind in ("requests", "tokens"):
                name = f"{prefix}{kind}" if prefix.startswith("x-") else f"{prefix}{kind}-remaining"
                left = headers.get(name)
                if left is None or not left.isdigit() or int(left) > 0:
                    continue
                reset = (
                    headers.get(f"x-ratelimit-reset-{kind}")
                    if prefix.startswith("x-")
                    else headers.get(f"anthropic-ratelimit-{kind}-reset")
                )
                wait = seconds(reset or "")
                if wait is not None:
                    self._paused = max(self._paused, time.monotonic() + min(wait, LONGEST))

    def found(self) -> str:
        """The limit that showed, in words; empty when none did."""
        if self._told is not None:
            return f"{self._told:g} calls a minute, as told"
        if self._lowest is None:
            return ""
        return f"about {self._lowest:.3g} calls a second"


def seconds(text: str) -> float | None:
    """Seconds from now of a reset: `1s`, `6m0s`, `120ms`, plain seconds, or an ISO time.

    >>> seconds("1m30s"), seconds("120ms"), seconds("soon")
    (90.0, 0.12, None)
    """
    text = text.strip()
    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)", text)
    if parts and "".join(a + b for a, b in parts) == text:
        units = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
        return sum(float(amount) * units[unit] for amount, unit in parts)
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    if re.match(r"\d{4}-\d\d-\d\dT", text):
        from datetime import UTC, datetime

        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            return None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return max(0.0, (moment - datetime.now(UTC)).total_seconds())
    return None
