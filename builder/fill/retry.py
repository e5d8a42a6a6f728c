"""Waiting and trying again after transport trouble: the one place that does."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type

from builder.errors import TransportError

ATTEMPTS = 8  # Calls that one request may cost before it is left for the next run.
# Seconds of the first wait, doubled each time; half of each is left to chance. Seven waits take
# 34 to 68 seconds: longer than a short outage, shorter than a person's patience.
FIRST = 0.6
# Seconds of the longest wait that is ours to choose; a provider may ask for more.
LONGEST = 30.0
# Seconds a provider may ask us to wait; beyond, the request is left for the next run.
PATIENCE = 300.0

T = TypeVar("T")


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
    retrying = AsyncRetrying(
        retry=retry_if_exception_type(TransportError),
        stop=lambda state: _enough(state, attempts),
        wait=lambda state: _wait(state.attempt_number + 1, _error(state)),
        sleep=sleep,
        after=lambda state: failed(_error(state)),
        reraise=True,
    )
    return await retrying(call)


def _enough(state: RetryCallState, attempts: int) -> bool:
    error = _error(state)
    most = min(attempts, (error.at_most or ATTEMPTS) - 1)
    return state.attempt_number >= most or (error.after or 0) > PATIENCE


def _wait(number: int, error: TransportError) -> float:
    """Seconds before the next call: never less than the provider asked for."""
    longest = min(LONGEST, FIRST * 2.0 ** (number - 1))
    ours = longest * random.uniform(0.5, 1.0)
    if error.after is None:
        return ours
    # A little later than asked, and not all at the same moment.
    return max(error.after + random.uniform(0.05, 0.3), ours)


def _error(state: RetryCallState) -> TransportError:
    assert state.outcome is not None
    error = state.outcome.exception()
    assert isinstance(error, TransportError)
    return error
