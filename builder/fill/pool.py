"""The pool of backends: for each model the engine that answers, its pace and the shared budget."""

import asyncio
import time
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass

from builder.engines import prices, registry, tokens
from builder.engines.protocol import Endpoint, Engine
from builder.errors import InputError, ProviderError, RequestError, TransportError
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
LOOK = 1.0  # Seconds between two looks at a server that starts.
TROUBLES = 3  # Calls in a row that bring nothing before a place is left out.
# Seconds before a call finds out whether it is back, doubled each time, and at most.
PROBE = 10.0
LONGEST_PROBE = 120.0


class OutageError(ProviderError):
    """The endpoint is not there: waiting for the calls in flight is of no use either."""


@dataclass(slots=True)
class Place:
    """One address that answers for a model, with a pace of its own."""

    engine: Engine
    pace: Pace
    flying: int = 0
    troubles: int = 0
    """Calls in a row that brought nothing; slow-downs that the server asks for aside."""
    ejections: int = 0
    """How often it was left out since its last success."""
    probe_at: float = 0.0
    """When a call may find out whether it is back."""
    probing: bool = False
    """Whether a call is finding out."""

    def note_success(self) -> None:
        self.troubles = self.ejections = 0
        self.probing = False

    def note_trouble(self, error: TransportError, now: float) -> None:
        """Leaves it out for a while after some calls in a row that brought nothing."""
        self.troubles += not error.limited
        if self.probing or (self.troubles >= TROUBLES and not self.ejections):
            self.probing = False
            self.probe_at = now + min(PROBE * 2.0**self.ejections, LONGEST_PROBE)
            self.ejections += 1
            self.troubles = 0


@dataclass(slots=True)
class Backend:
    """Asks one model, at the least busy of the places that answer for it."""

    endpoint: Endpoint
    places: list[Place]
    ledger: Ledger | None
    flight: asyncio.Semaphore
    """Room for the calls of all backends together."""
    wave: int = 1
    """Most calls in flight since the last success."""
    succeeded: bool = False
    lost: ProviderError | None = None
    """Why nobody is asked any more."""
    _typical: float = 0.0
    """Tokens of a call, as those so far had them."""

    @property
    def flying(self) -> int:
        """Calls in flight."""
        return sum(place.flying for place in self.places)

    @property
    def limits(self) -> str:
        """The limits that showed, in words."""
        return "; ".join(dict.fromkeys(filter(None, (p.pace.limit_text() for p in self.places))))

    def stop(self) -> None:
        """Lets everybody go who waits for a turn."""
        for place in self.places:
            place.pace.stop()

    async def ask(
        self,
        call: Call,
        *,
        stop: StopSignal,
        failed: Callable[[TransportError], None],
    ) -> Completion:
        """The reply, after as many attempts as transport trouble takes.

        Raises TransportError when they are used up, RequestError when this call alone is refused,
        ProviderError when no more would help, BudgetSpentError when the next call could cross the
        cap, StoppedError when the run is to stop.
        """

        def note(error: TransportError) -> None:
            failed(error)
            self._outage(error)

        async def once() -> Completion:
            self._check(stop)
            expected = self._typical or tokens.typical(call)
            place = self._place()
            async with place.pace.admitted(expected) as admission, self.flight:
                self._check(stop)  # it may have waited for its turn
                reply = await self._counted(place, call, stop)
                admission.fruitless = not reply.is_answer
            self._learn(place, expected, reply.usage)
            return reply

        return clean(await retry.with_retries(once, sleep=stop.sleep, failed=note))

    def _check(self, stop: StopSignal) -> None:
        """Raises StoppedError or what this backend was given up for."""
        stop.check()
        if self.lost is not None:
            raise self.lost

    def _place(self) -> Place:
        """The least busy place of those that are there; one that was left out when its time has come."""
        if len(self.places) == 1:
            return self.places[0]
        now = time.monotonic()
        for place in self.places:
            if place.ejections and not place.probing and place.probe_at <= now:
                place.probing = True
                return place
        there = [place for place in self.places if not place.ejections] or self.places
        return min(there, key=lambda place: (place.flying + place.pace.waiting) / place.pace.room)

    async def _counted(self, place: Place, call: Call, stop: StopSignal) -> Completion:
        place.flying += 1
        self.wave = max(self.wave, self.flying)
        try:
            reply = await self._within_budget(place.engine, call, stop)
        except TransportError as error:
            place.note_trouble(error, time.monotonic())
            raise
        except RequestError:
            place.note_success()  # whoever refuses a request is there
            raise
        finally:
            place.flying -= 1
        place.note_success()
        self.succeeded, self.wave = True, max(1, self.flying)
        return reply

    def _learn(self, place: Place, expected: float, usage: Usage) -> None:
        used = (usage.input or 0) + (usage.output or 0)
        if used:
            place.pace.used(expected, used)
            self._typical += (used - self._typical) / (10 if self._typical else 1)

    async def _within_budget(self, engine: Engine, call: Call, stop: StopSignal) -> Completion:
        if self.ledger is None:
            return await engine.complete(call)
        worst = await self.ledger.take(call.request, call.turns)
        reply: Completion | None = None
        free = False
        try:
            try:
                stop.check()  # it may have waited for its share
            except StoppedError:
                free = True
                raise
            reply = await engine.complete(call)
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
        """Raises OutageError where nobody answers any more."""
        who, after, now = self.endpoint.provider, error.after or 0.0, time.monotonic()
        paces = [place.pace for place in self.places]
        silent = now - max(pace.last_success for pace in paces)
        # A server that brings an answer a minute is slow, and not silent.
        rhythm = max(pace.longest_silence for pace in paces)
        enough = min(FAILURES, self.wave) if error.late else FAILURES
        if error.absent and not self.succeeded and silent >= ABSENT:
            raise OutageError(error.message, hint=error.hint)
        if silent >= max(OUTAGE, 3 * rhythm) and sum(pace.failures for pace in paces) >= enough:
            how = "has given no answer but 429" if error.limited else "has not answered"
            hint = error.hint or "what was answered is kept; run again when it is back"
            raise OutageError(f"{who} {how} for {silent:.0f} s: {error.message}", hint=hint)
        if after > retry.PATIENCE or (after and not self.succeeded and silent + after > END):
            raise OutageError(
                f"{who} asks to wait {after:.0f} s: {error.message}",
                hint="what was answered is kept; run again then",
            )


def check(plan: Plan, *, concurrency: int, cap: Budget | None) -> None:
    """Raises InputError for a missing key, engine or weights, or a budget that cannot be kept;
    nothing is opened."""
    endpoints = _endpoints(plan, concurrency)
    for model, endpoint in endpoints.items():
        engine = registry.engine_class(endpoint.protocol)
        if lack := engine.not_installed(endpoint, model.partition(":")[2]):
            raise InputError(lack)
    _ledger(plan, endpoints, cap)


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
        places: list[Place] = []
        for where in endpoint.each():
            pace = Pace(
                endpoint.concurrency,
                per_minute=endpoint.requests_per_minute,
                tokens_per_minute=endpoint.tokens_per_minute,
                eager=not where.is_own,
                timeout=where.timeout,
            )
            place_engine = engine or registry.engine_class(where.protocol)(endpoint=where)
            place_engine.on_headers = pace.read
            if engine is None or not (backends or places):
                await stack.enter_async_context(place_engine)
            places.append(Place(place_engine, pace))
        backends[model] = Backend(endpoint, places, ledger, flight)
    return backends


async def wait(backends: Iterable[Backend], seconds: float, stop: StopSignal) -> None:
    """Returns when a place of each backend takes calls, or so many seconds have passed.

    Raises StoppedError when the run is to stop.
    """
    end = time.monotonic() + seconds
    waiting = list(backends)
    while waiting and time.monotonic() < end:
        ready = [[await place.engine.ready() for place in backend.places] for backend in waiting]
        waiting = [b for b, places in zip(waiting, ready, strict=True) if not any(places)]
        if waiting:
            await stop.sleep(min(LOOK, max(0.0, end - time.monotonic())))


def _endpoints(plan: Plan, concurrency: int, *, require_key: bool = True) -> dict[str, Endpoint]:
    models = {asked.model: asked for part in plan.scenarios() if part.asks for asked in part.asked}
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
        if part.asks
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
