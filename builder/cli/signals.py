"""Ctrl-C, SIGTERM and a closed terminal: the first signal stops in order, the second at once."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


def ending() -> list[signal.Signals]:
    """The signals that end a command; SIGHUP not where whoever started it silenced it, as nohup does."""
    numbers = [signal.SIGINT, signal.SIGTERM]
    hangup = signal.Signals.__members__.get("SIGHUP")
    if hangup is not None and signal.getsignal(hangup) != signal.SIG_IGN:
        numbers.append(hangup)
    return numbers


class InterruptError(BaseException):
    """A signal outside of a fill. No KeyboardInterrupt, which click would turn into its own end."""


class SecondInterruptError(InterruptError):
    """The second signal: leave at once."""


@contextmanager
def interruptible() -> Iterator[None]:
    """SIGTERM and SIGHUP end a command as Ctrl-C does, until the end of the `with`."""
    before = [(number, signal.getsignal(number)) for number in ending()]
    handle_signals(second=False)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            for number, handler in before:
                signal.signal(number, handler)


def handle_signals(*, second: bool) -> None:
    """Sets what the next signal raises. An event loop that ends forgets it: set it again."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        if second:
            raise SecondInterruptError
        handle_signals(second=True)
        raise InterruptError

    if threading.current_thread() is threading.main_thread():
        for number in ending():
            signal.signal(number, interrupt)


@contextmanager
def continued(act: Callable[[], None]) -> Iterator[None]:
    """Acts when the process goes on after a Ctrl-Z, until the end of the `with`.

    No handler of the event loop, which would hear of it after its timers are over.
    """
    if not hasattr(signal, "SIGCONT") or threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGCONT, lambda number, frame: act())
    try:
        yield
    finally:
        signal.signal(signal.SIGCONT, before)
