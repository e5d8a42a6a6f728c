"""A fill under the eyes of a person: the question before it, the display beside it, the end of it."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import Any

import click

from builder.cli import view
from builder.cli.common import Twice, heed, say
from builder.errors import BuilderError, InputError
from builder.text import counted, fit

LEFT = "no row was accepted: the datasets' folders are as they were"


def confirm(above: str, usd: float | None, *, yes: bool) -> None:
    from builder.project.settings import Budget

    limit = Budget.parse(above).usd
    if yes or usd is None or limit is None or usd <= limit:
        return
    question = f"this run may cost about {view.money(usd)} usd, above confirm_above = {above!r}"
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise InputError(question, hint="say --yes, or give a --budget")
    if not click.confirm(question + "; go on?", err=True):
        raise InputError("not run: nothing was asked")


def ready(made: Any, cap: Any) -> None:
    """InputError for a missing key or a budget that cannot be kept, before anything is shown."""
    from builder.fill import pool

    pool.check(made, concurrency=made.project.settings.concurrency, cap=cap)


def fruitless(state: Any, failure: BuilderError | None) -> bool:
    """Whether a run ended early, or calls brought nothing, and no row was accepted."""
    return not state.accepted and bool(failure or state.stopped or state.unfilled)


def filled(
    made: Any,
    held: Any,
    state: Any,
    usd: float | None,
    cap: Any,
    *,
    settled: Any = None,
    concurrency: int | None = None,
    yes: bool = False,
    quiet: bool = False,
) -> BuilderError | None:
    """Asks for what a plan lacks, after the question that its price `usd` calls for.

    Gives the error that ended it, for the caller to raise once what came is put away.
    """
    from builder.fill.fill import Fill

    if not state.to_ask:
        return None
    settings = made.project.settings
    confirm(settings.confirm_above, usd, yes=yes or cap is not None)
    fill = Fill(made, held, state, concurrency or settings.concurrency, cap, settled)
    try:
        asyncio.run(drive(fill, quiet=quiet))
    except InputError:
        raise
    except BuilderError as error:
        return error
    finally:
        heed(twice=bool(state.stopped))
    return None


async def drive(fill: Any, *, quiet: bool) -> None:
    """The fill, a display beside it, and the two signals."""
    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(fill.run())

    def interrupt() -> None:
        if fill.progress.stopped:
            # A thread, for the loop and whatever Python does at its end may take longer.
            leave = threading.Timer(1.0, os._exit, (130,))
            leave.daemon = True
            leave.start()
            task.cancel()
            return
        fill.stop("interrupted")
        say("\nstopping: calls in flight are finished and kept; once more to leave at once")

    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError):
            loop.add_signal_handler(number, interrupt)
    display = Display(fill.progress, quiet=quiet)
    try:
        while not task.done():
            display.update()
            await asyncio.wait({task}, timeout=0.2)
    except asyncio.CancelledError:
        task.cancel()
        raise
    finally:
        display.update(last=True)
    try:
        await task
    except asyncio.CancelledError:
        raise Twice from None


class Display:
    """A line that is rewritten on a terminal, a plain line now and then elsewhere."""

    def __init__(self, progress: Any, *, quiet: bool) -> None:
        self.progress = progress
        self.quiet = quiet
        self.terminal = sys.stderr.isatty()
        self.next = 0.0

    def update(self, *, last: bool = False) -> None:
        now = time.monotonic()
        if self.quiet or (now < self.next and not last):
            return
        line = view.progress(self.progress)
        if self.terminal:
            room = shutil.get_terminal_size((100, 24)).columns - 1
            print("\r" + fit(line, room), end="\n" if last else "", file=sys.stderr, flush=True)
            self.next = now + 0.2
        else:
            say(line)
            self.next = now + 10.0


def finish(
    state: Any, tallies: Mapping[str, Any], wanted: Collection[str], hint: str, *, quiet: bool
) -> None:
    """The next command, and the exit code; the scenarios that a command named decide it."""
    asked = [tally for name, tally in tallies.items() if name in wanted]
    others = [name for name, tally in tallies.items() if name not in wanted and tally.to_ask]
    short = sum(sum(tally.short.values()) for tally in asked)
    missing = sum(tally.open for tally in asked)
    if state.stopped:
        say(f"stopped: {state.stopped}; {_missing(missing)}. Run again to go on.")
        sys.exit(75)
    if missing and state.failures:
        say(f"{_missing(missing)}, for calls failed. Run again to go on.")
        sys.exit(75)
    if short or missing:
        say(f"{_missing(short + missing)}.")
        sys.exit(5)
    if others:
        hint = f"builder run {' '.join(others)}   (the same dataset lacks their rows)"
    say(f"next:  {hint}", quiet=quiet)


def _missing(number: int) -> str:
    return counted(number, "row is missing", "rows are missing")
