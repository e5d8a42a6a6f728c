"""A limit on how long somebody else's Python or template may run."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


class TooLongError(BaseException):
    """The limit was reached. No `except Exception` of what runs within the limit catches it."""


@contextmanager
def alarm() -> Iterator[Callable[[float], None]]:
    """A function that gives what follows so many seconds, after which TooLongError is raised in it; 0 lifts the limit.

    It rests on the interval timer, so it holds on the main thread of systems that have one;
    elsewhere nothing is limited. One alarm serves many short calls: setting it costs well under
    a microsecond.
    """
    if (
        not hasattr(signal, "setitimer")
        or threading.current_thread() is not threading.main_thread()
    ):
        yield lambda limit: None
        return
    running = False

    def ring(number: int, frame: FrameType | None) -> None:
        # A signal may arrive just after the limit was lifted.
        if running:
            raise TooLongError

    def limit(seconds: float) -> None:
        nonlocal running
        running = seconds > 0
        # It rings again each second, for code that swallows whatever it is told.
        signal.setitimer(signal.ITIMER_REAL, seconds, 1.0 if running else 0.0)

    before = signal.signal(signal.SIGALRM, ring)
    try:
        yield limit
    finally:
        limit(0)
        signal.signal(signal.SIGALRM, before)
