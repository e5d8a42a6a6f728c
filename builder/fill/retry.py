"""Waiting: to try again after transport trouble, the one place that does, and until a run is to stop."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type

from builder.errors import TransportError

ATTEMPTS = 8
"""Calls that one request may cost before it is left for the next run."""
FIRST = 0.6
"""Seconds of the first wait, doubled each time; half of each is left to chance. Seven waits take
34 to 68 seconds: longer than a short outage, shorter than a person's patience."""
LONGEST = 30.0
"""Seconds of the longest wait that is ours to choose; a provider may ask for more."""
PATIENCE = 300.0
"""Seconds a provider may ask us to wait; beyond, the request is left for the next run."""

T = TypeVar("T")


class StoppedError(Exception):
    """The run was told to stop; whoever waits gives up."""


class StopSignal(asyncio.Event):
    """Set when a run is to stop, for those who wait in it."""

    def check(self) -> None:
        """Raises StoppedError once the run is to stop."""
        if self.is_set():
            raise StoppedError

    async def sleep(self, seconds: float) -> None:
        """Waits so long, or raises StoppedError as soon as the run is to stop."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self.wait(), seconds)
        self.check()


async def with_retries(
    call: Callable[[], Awaitable[T]],
    *,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    failed: Callable[[TransportError], None] = lambda error: None,
) -> T:
    """What `call` returns, tried again after each TransportError up to ATTEMPTS calls in all.

    Raises the last TransportError, or at once any other error. `failed` hears of each one.
    """
    try:
        # Entering tenacity costs more than the rest of a call's bookkeeping; most need it never.
        return await call()
    except TransportError as error:
        first = error
    failed(first)
    attempts = min(ATTEMPTS, first.at_most or ATTEMPTS) - 1
    if attempts < 1 or (first.after or 0) > PATIENCE:
        raise first
    await sleep(_wait(1, first))

    def enough(state: RetryCallState) -> bool:
        error = _error(state)
        most = min(attempts, (error.at_most or ATTEMPTS) - 1)
        return state.attempt_number >= most or (error.after or 0) > PATIENCE

    retrying = AsyncRetrying(
        retry=retry_if_exception_type(TransportError),
        stop=enough,
        wait=lambda state: _wait(state.attempt_number + 1, _error(state)),
        sleep=sleep,
        after=lambda state: failed(_error(state)),
        reraise=True,
    )
    return await retrying(call)


def _wait(number: int, error: TransportError) -> float:
    """Seconds before the next call: never less than the provider asked for."""
    ours = min(LONGEST, FIRST * 2.0 ** (number - 1)) * random.uniform(0.5, 1.0)
    if error.after is None:
        return ours
    # A little later than asked, and not all at the same moment.
    return max(error.after + random.uniform(0.05, 0.3), ours)


def _error(state: RetryCallState) -> TransportError:
    assert state.outcome is not None
    error = state.outcome.exception()
    assert isinstance(error, TransportError)
    return error
