"""The pool of backends: for each model the engine that answers, its pace and the shared budget."""

import asyncio
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

from builder.engines import prices, registry, tokens
from builder.engines.protocol import Endpoint, Engine
from builder.errors import ProviderError, RequestError, TransportError
from builder.fill import budget, retry
from builder.fill.budget import Ledger
from builder.fill.pace import Pace
from builder.fill.stopping import StoppedError, StopSignal
from builder.plan import requests
from builder.plan.plans import Plan
from builder.project.settings import Budget
from builder.records import Call, Completion, Usage

# Seconds without any success, calls failing all the while, after which a run stops.
OUTAGE = 45.0
# Calls that must have failed in a row besides; of calls that ran out of time, all in flight.
FAILURES = 8
# Seconds without any success at an address of this machine where nothing listens: nobody needs to
# wait for what is to be started first. The fourth call comes 2 to 4 seconds after the first.
ABSENT = 2.0
# Seconds that a run waits for an endpoint's first success, waits that it asks for included.
END = 80.0


class OutageError(ProviderError):
    """The endpoint is not there: waiting for the calls in flight is of no use either."""


@dataclass(slots=True)
class Backend:
    """Asks one model."""

    endpoint: Endpoint
    engine: Engine
    pace: Pace
    ledger: Ledger | None
    flight: asyncio.Semaphore
    """Room for the calls of all backends together."""
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
        stop: StopSignal,
        failed: Callable[[TransportError], None],
    ) -> Completion:
        """The reply, after as many attempts as transport trouble takes.

        Raises TransportError when they are used up, ProviderError when no more would help,
        BudgetSpentError when the next call could cross the cap, StoppedError when the run is to stop.
        """

        def note(error: TransportError) -> None:
            failed(error)
            self._outage(error)

        async def once() -> Completion:
            stop.check()
            expected = self._typical or tokens.typical(call)
            async with self.pace.admitted(expected), self.flight:
                stop.check()
                reply = await self._counted(call, stop)
            self._learn(expected, reply.usage)
            return reply

        return clean(await retry.with_retries(once, sleep=stop.sleep, failed=note))

    async def _counted(self, call: Call, stop: StopSignal) -> Completion:
        self.flying += 1
        self.wave = max(self.wave, self.flying)
        try:
            reply = await self._within_budget(call, stop)
        finally:
            self.flying -= 1
        self.succeeded, self.wave = True, max(1, self.flying)
        return reply

    def _learn(self, expected: float, usage: Usage) -> None:
        used = (usage.input or 0) + (usage.output or 0)
        if used:
            self.pace.used(expected, used)
            self._typical += (used - self._typical) / (10 if self._typical else 1)

    async def _within_budget(self, call: Call, stop: StopSignal) -> Completion:
        if self.ledger is None:
            return await self.engine.complete(call)
        worst = await self.ledger.take(call.request, call.turns)
        reply: Completion | None = None
        free = False
        try:
            try:
                stop.check()  # it may have waited for its share
            except StoppedError:
                free = True
                raise
            reply = await self.engine.complete(call)
        except TransportError as error:
            free = error.free
            raise
        except (ProviderError, RequestError):
            free = True
            raise
        finally:
            await self.ledger.settle(call.request, worst, reply, free=free)
        return reply

    def _outage(self, error: TransportError) -> None:
        who, after = self.endpoint.provider, error.after or 0.0
        silent = time.monotonic() - self.pace.last_success
        if error.absent and not self.succeeded and silent >= ABSENT:
            raise OutageError(error.message, hint=error.hint)
        enough = min(FAILURES, self.wave) if error.late else FAILURES
        if silent >= OUTAGE and self.pace.failures >= enough:
            raise OutageError(
                f"{who} has not answered for {silent:.0f} s: {error.message}",
                hint=error.hint or "what was answered is kept; run again when it is back",
            )
        if after > retry.PATIENCE or (after and not self.succeeded and silent + after > END):
            raise OutageError(
                f"{who} asks to wait {after:.0f} s: {error.message}",
                hint="what was answered is kept; run again then",
            )


def check(plan: Plan, *, concurrency: int, cap: Budget | None) -> None:
    """Raises InputError for a missing key or a budget that cannot be kept; nothing is opened."""
    _ledger(plan, _endpoints(plan, concurrency), cap)


async def open_all(
    plan: Plan,
    stack: AsyncExitStack,
    *,
    concurrency: int,
    cap: Budget | None,
    engine: Engine | None = None,
) -> dict[str, Backend]:
    """The backend of each model of the plan, closed with `stack`.

    `engine` answers for all of them in place of those that their providers have. Raises
    InputError for a missing key, or a budget that cannot be kept.
    """
    endpoints = _endpoints(plan, concurrency, require_key=engine is None)
    ledger = _ledger(plan, endpoints, cap)
    flight = asyncio.Semaphore(concurrency)
    backends: dict[str, Backend] = {}
    for model, endpoint in endpoints.items():
        pace = Pace(
            endpoint.concurrency,
            per_minute=endpoint.requests_per_minute,
            tokens_per_minute=endpoint.tokens_per_minute,
        )
        backend_engine = engine or registry.engine_class(endpoint.protocol)(endpoint=endpoint)
        backend_engine.on_headers = pace.read
        if engine is None or not backends:
            await stack.enter_async_context(backend_engine)
        backends[model] = Backend(endpoint, backend_engine, pace, ledger, flight)
    return backends


def _endpoints(plan: Plan, concurrency: int, *, require_key: bool = True) -> dict[str, Endpoint]:
    models = {asked.model: asked for part in plan.scenarios() for asked in part.asked}
    return {
        model: requests.endpoint(
            plan.project,
            model.partition(":")[0],
            require_key=require_key,
            concurrency=concurrency,
            written=models[model].written,
        )
        for model in sorted(models)
    }


def _ledger(plan: Plan, endpoints: dict[str, Endpoint], cap: Budget | None) -> Ledger | None:
    if cap is None:
        return None
    known = {
        model: prices.lookup(where, model.partition(":")[2]) for model, where in endpoints.items()
    }
    bounded = {
        asked.model: tokens.most(asked.params) > 0
        for part in plan.scenarios()
        for asked in part.asked
    }
    budget.check(cap, {model: (price, bounded[model]) for model, price in known.items()})
    return Ledger(cap, {model: price for model, price in known.items() if price is not None})


def clean(reply: Completion) -> Completion:
    """The reply with lone surrogates replaced: no encoding can write them."""
    try:
        reply.text.encode()
    except UnicodeEncodeError:
        return reply._replace(text=reply.text.encode("utf-8", "replace").decode())
    return reply
