"""How fast one model of one endpoint is asked: one pace, shared by all workers.

Calls in flight grow as TCP's do: doubled each round trip until the first trouble, one by one
after it, halved at most once in a window when most of the calls fail. A limit on the rate
cannot be met by calls in flight (20 calls a second of 50 ms are one at a time), so a window
with many 429s sets a rate instead: what the server let through, raised faster and faster
while it refuses nothing. Single 429s, as busy servers scatter them, change nothing.

What was let through is counted as calls begun less calls refused: a refusal comes at once and
an answer perhaps a minute later, so answers would tell of a rate long past.

Tokens a minute, where they are told, are kept likewise: a call takes those that it may need
when it begins, and gives back what it did not use.

Callers wait in one queue, first come, first served. One timer lets go whoever may go, so a
call costs the same however many wait.
"""

import asyncio
import math
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

from builder.engines.failures import seconds
from builder.errors import RequestError, TransportError
from builder.fill.gain import Gain
from builder.fill.meter import Meter

FIRST = 8  # Calls in flight to begin with.
WINDOW = 0.25  # Seconds that a window lasts at least; a second while there is a rate.
SAMPLE = 20  # Calls that a window has at least, unless it lasts a second.
# Refusals that end a window at once: they come faster than answers, and each is a call.
CROWD = 40
REFUSED = 0.3  # Share of a window's calls answered 429 that shows a limit.
ABOVE = 0.1  # The same once a rate is kept: less tells that it is about right.
# Share of a window's calls in other trouble that halves the calls in flight.
FAILED = 0.5
UNDER = 0.95  # The rate kept, as a share of what was let through.
# What a window without a limit adds to the rate, doubled with each further one.
RISE = 0.08
STEEPEST = 1.0
# Seconds after which calls in flight are doubled though none has ended, unless there was trouble:
# an answer may take half a minute, and a refusal comes at once.
GROWTH = 1.0
NEAR = 0.8  # Share of its time that a call may take when there are more.
LEAST = 1.2  # Growth that is worth a try.
# What is limited, and the headers that tell what is left of it, until when, and of how much.
HEADERS = tuple(
    (kind, *(name.format(word) for word in ("remaining", "reset", "limit")))
    for kind in ("requests", "tokens")
    for name in (
        f"x-ratelimit-{{}}-{kind}",
        f"anthropic-ratelimit-{kind}-{{}}",
        f"x-ratelimit-api_key-{{}}-{kind}",
        f"x-ratelimit-model_per_key-{{}}-{kind}",
    )
)
LONGEST = 120.0  # Seconds of the longest pause that a server may ask of all calls.


class Flight:
    """A call that was admitted; whoever makes it notes what it brought."""

    __slots__ = ("fruitless",)

    def __init__(self) -> None:
        self.fruitless = False  # Whether its reply was no answer: such replies ask for no more.


class Pace:
    """Admits calls to one model. One event loop; nothing here awaits but `admitted`."""

    def __init__(
        self,
        ceiling: int,
        *,
        per_minute: float | None = None,
        tokens_per_minute: float | None = None,
        eager: bool = True,
        timeout: float = math.inf,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`eager`: calls in flight are doubled each second though none has ended, as large providers
        take it; else only while that brings more answers a second. `timeout`: seconds that a call
        may take. `clock` tells the seconds that
        the event loop's timers go by.
        """
        self.clock = clock
        self._ceiling = max(1, ceiling)
        self._window = float(min(FIRST, self._ceiling))
        self._growing = True
        self._gain = None if eager else Gain()
        self._timeout = timeout
        self._proven = max(1.0, self._window / 2)  # Calls in flight that were worth it.
        # When calls in flight were last doubled for the time that had passed.
        self._grown = clock()
        self._flying = 0
        # Places of refused requests, which nobody takes before a call was answered or none is in
        # flight: else refusals, which come at once, would let hundreds go while the first are out.
        self._withheld: int | None = 0  # None once a call was answered.
        self._rate: float | None = per_minute / 60 if per_minute else None
        self._set_rate = per_minute
        self._set_tokens_rate = tokens_per_minute
        self._meter = Meter(tokens_per_minute) if tokens_per_minute else None
        self._next = 0.0  # When the rate lets the next call go.
        self._paused = 0.0  # Until when nobody goes.
        self._cuts = self._rises = 0
        self._flights: dict[Flight, float] = {}  # When each call in flight began.
        # Who waits for a turn, and the tokens that each may need.
        self._waiting: deque[tuple[asyncio.Future[None], float]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._stopped = False
        self._lowest: float | None = None
        # The limits that headers name, of requests and of tokens.
        self._named: dict[str, int] = {}
        self.last_success = clock()
        self.longest_silence = 0.0  # Seconds between two successes, at most.
        self.failures = 0  # Calls that failed since the last success.
        self._open(self.last_success)

    def _open(self, now: float) -> None:
        """Begins a window."""
        self._opened = now
        self._begun = self._replies = self._refused = self._failed = 0
        # Until when the 429s of the window asked to wait, and how long the slowest took to come.
        self._asked = self._slowest = 0.0
        self._held = False  # Whether the rate kept anybody waiting.

    @asynccontextmanager
    async def admitted(self, tokens: float = 0.0) -> AsyncIterator[Flight]:
        """Waits for a turn, then counts what happens inside: a reply, or the error it raises.

        `tokens` is what the call may need; `used` corrects it once that is known.
        """
        if self._waiting or self._wait(self.clock()) > 0:
            await self._queue(tokens)
        else:
            self._go(tokens)
        cuts, call, began = self._cuts, Flight(), self.clock()
        self._flights[call] = began
        try:
            yield call
        except TransportError as error:
            del self._flights[call]
            self._note(error, cuts, began)
            raise
        except RequestError:
            if self._withheld is not None:
                self._withheld += 1
            raise
        else:
            del self._flights[call]
            self._note(None, cuts, began, fruitless=call.fruitless)
        finally:
            self._flights.pop(call, None)
            self._flying -= 1
            if self._withheld and not self._flying:
                self._withheld = 0
            self._release()

    @property
    def waiting(self) -> int:
        """Calls that wait for a turn."""
        return len(self._waiting)

    @property
    def room(self) -> int:
        """Calls that may be in flight."""
        return int(self._window)

    def used(self, expected: float, tokens: float) -> None:
        """A call that was expected to need so many tokens has used these."""
        if self._meter is not None:
            self._meter.take(tokens - expected, self.clock())
            self._release()

    def stop(self) -> None:
        """Lets everybody go who waits: the run is over and they are to find out."""
        self._stopped = True
        self._release()

    async def _queue(self, tokens: float) -> None:
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append((turn, tokens))
        self._release()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._flying -= 1
                self._release()
            raise

    def _release(self) -> None:
        """Lets go whoever may; sets the timer for the next one where time alone is missing."""
        now = self.clock()
        self._grow(now)
        while self._waiting:
            turn, tokens = self._waiting[0]
            if turn.done():  # its task was cancelled
                self._waiting.popleft()
                continue
            wait = 0.0 if self._stopped else self._wait(now)
            if wait > 0:
                if wait != float("inf"):
                    self._set_timer(wait)
                return
            self._go(tokens)
            self._waiting.popleft()
            turn.set_result(None)

    def _set_timer(self, wait: float) -> None:
        loop = asyncio.get_running_loop()
        if self._timer is not None:
            if self._timer.when() <= loop.time() + wait:
                return  # it looks again when it rings
            self._timer.cancel()
        self._timer = loop.call_later(wait, self._ring)

    def _ring(self) -> None:
        self._timer = None
        self._release()

    def _wait(self, now: float) -> float:
        """Seconds until the next call may go: 0 for now, infinite until another one ends."""
        if self._flying + (self._withheld or 0) >= int(self._window):
            may_grow = self._growing and self._gain is None and self._window < self._ceiling
            return self._grown + GROWTH - now if may_grow else float("inf")
        if self._paused > now:
            return self._paused - now
        if self._rate is not None and self._next > now:
            self._held = True
            return self._next - now
        return max(0.0, self._meter.wait(now)) if self._meter is not None else 0.0

    def _grow(self, now: float) -> None:
        """Doubles the calls in flight where they alone have held the next one back for long."""
        if self._flying < int(self._window):
            self._grown = now
        elif self._growing and self._gain is None and now >= self._grown + GROWTH:
            self._window, self._grown = min(2 * self._window, self._ceiling), now

    def _go(self, tokens: float) -> None:
        """Counts a call that begins."""
        if self._meter is not None:
            self._meter.take(tokens, self.clock())
        self._flying += 1
        if not self._begun:
            self._opened = self.clock()
        self._begun += 1
        if self._rate is not None:
            # Timers are a little late: what they lost is made up, a few calls at most.
            late = max(1.0 / self._rate, 0.02)
            self._next = max(self._next, self.clock() - late) + 1.0 / self._rate

    def _note(
        self, error: TransportError | None, cuts: int, began: float, *, fruitless: bool = False
    ) -> None:
        now = self.clock()
        self._replies += 1
        if error is None:
            self.longest_silence = max(self.longest_silence, now - self.last_success)
            self.last_success = now
            self.failures, self._withheld = 0, None
            full = self._flying >= int(self._window) and self._window < self._ceiling
            if full and not fruitless:
                self._widen(began, now)
        else:
            self.failures += 1
            # What began before the last cut tells of the rate before it.
            if error.limited and cuts == self._cuts:
                self._refused += 1
                self._slowest = max(self._slowest, now - began)
            self._failed += not error.limited
            if error.limited and error.after:
                self._asked = max(self._asked, now + error.after)
        elapsed = now - self._opened
        if self._rate is None:
            enough = elapsed >= (WINDOW if self._begun >= SAMPLE else 1.0)
        else:
            enough = elapsed >= (1.0 if self._begun >= SAMPLE / 2 else 5.0)
        crowd = self._refused >= CROWD and self._refused >= REFUSED * self._begun
        if enough or crowd:
            self._close(now, elapsed)

    def _widen(self, began: float, now: float) -> None:
        """An answer came while as many calls were in flight as may be: perhaps there is room for more."""
        if self._gain is None or not self._growing:
            step = 1.0 if self._growing else 1.0 / self._window
            most = self._ceiling if self._gain is None else self._proven
            self._window = max(self._window, min(self._window + step, most))
            return
        gained = self._gain.note(int(self._window), began, now)
        if gained is None:
            return
        # A server that is full answers each call later by as much as there are more.
        step = min(2.0, NEAR * self._timeout / max(self._gain.slowest, 1e-9))
        if gained:
            self._proven = self._window
        self._growing = gained and step > LEAST
        self._window = min(self._proven * (step if self._growing else 1.0), self._ceiling)
        self._gain.begin(now)

    @property
    def _found(self) -> bool:
        """Whether the rate was found out, and may be another by now."""
        return self._set_rate is None and "requests" not in self._named

    def _close(self, now: float, elapsed: float) -> None:
        """Judges a window and begins the next: one cut in each at most."""
        if self._failed >= max(1.0, FAILED * self._replies):
            self._window = max(1.0, self._window / 2)
            self._growing = False
        share, least = (REFUSED, 4) if self._rate is None else (ABOVE, 2)
        if self._refused >= max(least, share * self._begun):
            self._cut(now, elapsed)
        elif self._rate is not None and self._found and not self._refused:
            self._rise(elapsed)
        self._open(now)

    def _let_through(self, now: float) -> int:
        """Calls of the window that no refusal will answer any more: those in flight count once
        they are older than refusals get."""
        young = sum(now - began <= self._slowest for began in self._flights.values())
        return max(self._begun - self._refused - young, 0)

    def _cut(self, now: float, elapsed: float) -> None:
        """Learns from a window with many refusals: all wait, or a rate is kept from now on."""
        passed = self._let_through(now)
        if self._rate is None or not passed:
            self._paused = max(self._paused, min(self._asked, now + LONGEST))
        if passed:
            self._keep(passed / max(elapsed, WINDOW))
        else:
            # A shut door does not tell how much will go through it: that is found out anew.
            self._window, self._growing = max(1.0, self._window / 2), True
        self._cuts += 1
        # What a crowd showed in an instant is a floor, left soon.
        self._rises = 4 if elapsed < WINDOW else 0

    def _keep(self, let_through: float) -> None:
        if self._set_rate is None:
            least = 0.2 if self._rate is None else self._rate / 2
            rate = max(UNDER * let_through, least)
            self._rate = self._lowest = min(self._rate or rate, rate)

    def _rise(self, elapsed: float) -> None:
        """A rate that nothing is refused at rises; one that holds nobody back is given up."""
        assert self._rate is not None
        if not self._held and self._rate > 2 * self._begun / elapsed:
            self._rate, self._lowest = None, None
            return
        if self._held:
            self._rate *= 1 + min(RISE * 2**self._rises, STEEPEST)
            self._rises += 1

    def read(self, headers: Mapping[str, str], status: int) -> None:
        """Takes what a response's headers say: a limit that is used up pauses all until its reset."""
        for kind, *names in HEADERS:
            remaining, reset, limit = map(headers.get, names)
            if limit and limit.isdigit():
                self._name(kind, int(limit), remaining or "", reset or "")
            if status != 429:  # whose Retry-After comes with the error
                self._left(remaining, reset)

    def _name(self, kind: str, limit: int, remaining: str, reset: str) -> None:
        """Keeps a limit that headers name, where the project tells none."""
        if not limit or self._named.get(kind) == limit:
            return
        self._named[kind] = limit
        wait, used = seconds(reset), limit - int(remaining) if remaining.isdigit() else 0
        # Most limits are those of a minute; one of a second is whole again within a second.
        period = min(max(wait * limit / used, 1.0), 60.0) if wait and used > 0 else 60.0
        if kind == "requests" and self._set_rate is None:
            self._rate = limit / period
        elif kind == "tokens" and self._set_tokens_rate is None:
            self._meter = Meter(60 * limit / period)

    def _left(self, left: str | None, reset: str | None) -> None:
        if left is None or not left.isdigit() or int(left) > 0:
            return
        wait = seconds(reset or "")
        if wait is not None:
            self._paused = max(self._paused, self.clock() + min(wait, LONGEST))

    def limit_text(self) -> str:
        """The limit that showed, in words; empty when none did."""
        rates = [(self._set_rate, "calls"), (self._set_tokens_rate, "tokens")]
        limits = [f"{rate:,.10g} {what} a minute, as told" for rate, what in rates if rate]
        if self._lowest is not None and self._rate is not None:
            limits.append(f"about {self._lowest:.3g} calls a second, as its refusals show")
        limits += [f"{limit:,} {kind}, as its headers say" for kind, limit in self._named.items()]
        return "; ".join(limits)
