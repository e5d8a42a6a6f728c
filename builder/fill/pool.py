"""A lane: one model, the engine that answers for it, its pace and its share of the budget."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass

from builder.engines import prices, registry, tokens
from builder.engines.protocol import Endpoint, Engine
from builder.errors import ProviderError, TransportError
from builder.fill import budget, retry
from builder.fill.budget import Purse
from builder.fill.pace import Pace
from builder.plan import requests
from builder.plan.plans import Plan
from builder.project.settings import Budget
from builder.records import Call, Completion, Request, Usage

OUTAGE = 45.0
"""Seconds without any success, calls failing all the while, after which a run stops."""
FAILURES = 8
"""Calls that must have failed in a row besides; of calls that ran out of time, all in flight."""
ABSENT = 2.0
"""Seconds without any success at an address of this machine where nothing listens: nobody needs
to wait for what is to be started first. The fourth call comes 2 to 4 seconds after the first."""
END = 80.0
"""Seconds that a run waits for an endpoint's first success, waits that it asks for included."""


class Outage(ProviderError):
    """The endpoint is not there: waiting for the calls in flight is of no use either."""


class Stopped(Exception):
    """The run was told to stop; whoever waits gives up."""


class Halt:
    """Whether a run is to stop, for those who wait in it."""

    def __init__(self) -> None:
        self._told = asyncio.Event()

    def stop(self) -> None:
        self._told.set()

    def check(self) -> None:
        """Raises Stopped once the run is to stop."""
        if self._told.is_set():
            raise Stopped

    async def wait(self) -> None:
        """Returns when the run is to stop."""
        await self._told.wait()

    async def sleep(self, seconds: float) -> None:
        """Waits so long, or raises Stopped as soon as the run is to stop."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._told.wait(), seconds)
        self.check()


@dataclass(slots=True)
class Lane:
    """Asks one model."""

    endpoint: Endpoint
    engine: Engine
    pace: Pace
    purse: Purse | None
    flight: asyncio.Semaphore
    """Room for the calls of all lanes together."""
    flying: int = 0
    wave: int = 1
    """Most calls in flight since the last success."""
    succeeded: bool = False
    _typical: float = 0.0
    """Tokens of a call, as those so far had them."""

    async def ask(
        self,
        call: Call,
        *,
        halt: Halt,
        failed: Callable[[TransportError], None],
    ) -> Completion:
        """The reply, after as many attempts as transport trouble takes.

        Raises TransportError when they are used up, ProviderError when no more would help,
        budget.Spent when the next call could cross the cap, Stopped when the run is to stop.
        """

        def note(error: TransportError) -> None:
            failed(error)
            self._outage(error)

        async def once() -> Completion:
            halt.check()
            expected = self._typical or tokens.typical(call)
            async with self.pace.admitted(expected), self.flight:
                halt.check()
                reply = await self._counted(call, halt)
            self._learn(expected, reply.usage)
            return reply

        return clean(await retry.calling(once, sleep=halt.sleep, failed=note))

    async def _counted(self, call: Call, halt: Halt) -> Completion:
        self.flying += 1
        self.wave = max(self.wave, self.flying)
        try:
            reply = await self._within_budget(call, halt)
        finally:
            self.flying -= 1
        self.succeeded, self.wave = True, max(1, self.flying)
        return reply

    def _learn(self, expected: float, usage: Usage) -> None:
        used = (usage.input or 0) + (usage.output or 0)
        if used:
            self.pace.used(expected, used)
            self._typical += (used - self._typical) / (10 if self._typical else 1)

    async def _within_budget(self, call: Call, halt: Halt) -> Completion:
        if self.purse is None:
            return await self.engine.complete(call)
        worst = await self.purse.take(call.request, call.turns)
        reply: Completion | None = None
        free = False
        try:
            try:
                halt.check()  # it may have waited for its share
            except Stopped:
                free = True
                raise
            reply = await self.engine.complete(call)
        except TransportError as error:
            free = error.free
            raise
        except ProviderError:
            free = True
            raise
        finally:
            await self.purse.settle(call.request, worst, reply, free=free)
        return reply

    def _outage(self, error: TransportError) -> None:
        who, after = self.endpoint.provider, error.after or 0.0
        silent = time.monotonic() - self.pace.last_success
        if error.absent and not self.succeeded and silent >= ABSENT:
            raise Outage(error.message, hint=error.hint)
        enough = min(FAILURES, self.wave) if error.late else FAILURES
        if silent >= OUTAGE and self.pace.failures >= enough:
            raise Outage(
                f"{who} has not answered for {silent:.0f} s: {error.message}",
                hint=error.hint or "what was answered is kept; run again when it is back",
            )
        if after > retry.PATIENCE or (after and not self.succeeded and silent + after > END):
            raise Outage(
                f"{who} asks to wait {after:.0f} s: {error.message}",
                hint="what was answered is kept; run again then",
            )


def ready(
    plan: Plan, *, concurrency: int, cap: Budget | None
) -> tuple[dict[str, Endpoint], Purse | None]:
    """Where each model of the plan is, and the purse of them all; nothing is opened.

    Raises InputError for a missing key, or a budget that cannot be kept.
    """
    asked = {one.model: one for scenario in plan.scenarios() for one in scenario.asked}
    endpoints = {
        model: requests.endpoint(
            plan.project,
            model.partition(":")[0],
            require_key=True,
            concurrency=concurrency,
            written=asked[model].written,
        )
        for model in sorted(asked)
    }
    return endpoints, _purse(cap, endpoints, {m: one.request(()) for m, one in asked.items()})


async def open_all(
    plan: Plan, stack: AsyncExitStack, *, concurrency: int, cap: Budget | None
) -> dict[str, Lane]:
    """A lane for each model of the plan, closed with `stack`.

    Raises InputError for a missing key, or a budget that cannot be kept.
    """
    endpoints, purse = ready(plan, concurrency=concurrency, cap=cap)
    lanes = {}
    flight = asyncio.Semaphore(concurrency)
    for model, endpoint in endpoints.items():
        engine = registry.engine_class(endpoint.protocol)(endpoint=endpoint)
        pace = Pace(
            endpoint.concurrency,
            per_minute=endpoint.requests_per_minute,
            tokens_per_minute=endpoint.tokens_per_minute,
        )
        engine.on_headers = pace.read
        await stack.enter_async_context(engine)
        lanes[model] = Lane(endpoint, engine, pace, purse, flight)
    return lanes


def _purse(
    cap: Budget | None, endpoints: dict[str, Endpoint], probes: dict[str, Request]
) -> Purse | None:
    if cap is None:
        return None
    known = {
        model: prices.lookup(where, model.partition(":")[2]) for model, where in endpoints.items()
    }
    budget.check(cap, {m: (price, tokens.most(probes[m].params) > 0) for m, price in known.items()})
    return Purse(cap, {model: price for model, price in known.items() if price is not None})


def clean(reply: Completion) -> Completion:
    """The reply with lone surrogates replaced: no encoding can write them."""
    try:
        reply.text.encode()
    except UnicodeEncodeError:
        return reply._replace(text=reply.text.encode("utf-8", "replace").decode())
    return reply
