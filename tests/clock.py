"""A clock that jumps: coroutines that wait for hours end at once, and to the same moment each time."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
Clock = Callable[[], float]


class _Jump(selectors.SelectSelector):
    """Waits for nobody: the time that it was to wait has passed when it is asked."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("every coroutine waits for another one: nothing will ever happen")
        self.now += max(timeout, 0.0)
        return super().select(0)


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jump = _Jump()
        super().__init__(self._jump)
        # Timers ring when they are due, not half a tick before.
        self._clock_resolution = 1e-9

    def time(self) -> float:
        return self._jump.now


def run(make: Callable[[Clock], Coroutine[Any, Any, T]]) -> T:
    """What the coroutine returns that `make` makes for a clock, which begins at 0 seconds."""
    loop = _Loop()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        return runner.run(make(loop.time))
