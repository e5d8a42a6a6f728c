"""A run at a terminal: the question before it, the progress display, its end and exit code."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from builder.cli import layout, signals, stderr, view
from builder.errors import InputError
from builder.text import counted, fit

if TYPE_CHECKING:
    # What asks is loaded when there is something to ask.
    from builder.fill.fill import Fill
    from builder.fill.progress import Progress
    from builder.project.settings import Budget
    from builder.verbs.plan import PlanResult

UNTOUCHED = "no row was accepted: the datasets' folders are as they were"


@dataclass(frozen=True, slots=True)
class Console:
    """Prints the plan of a run, confirms its price, displays its progress, obeys two signals."""

    yes: bool
    quiet: bool
    drift: bool = False  # whether the plan tells of draws that drift from their tables

    def planned(self, plan: PlanResult, budget: Budget | None) -> None:
        """Prints the plan; InputError where its price is not confirmed."""
        drift = plan.drift() if self.drift else []
        stderr.report(view.plan(plan, drift, stderr.terminal_columns(80)), quiet=self.quiet)
        if not plan.to_ask or not plan.expensive or self.yes or budget is not None:
            return
        limit = plan.plan.project.settings.confirm_above
        cost = layout.money(plan.usd)
        question = f"this run may cost about {cost} usd, above confirm_above = {limit!r}"
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            raise InputError(question, hint="say --yes, or give a --budget")
        if not click.confirm(question + "; go on?", err=True):
            raise InputError("not run: nothing was asked")

    def drive(self, fill: Fill) -> None:
        """Runs a fill to its end, its progress on display."""
        try:
            asyncio.run(_displayed(fill, quiet=self.quiet))
        finally:
            signals.handle_signals(second=bool(fill.progress.stopped))


async def _displayed(fill: Fill, *, quiet: bool) -> None:
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
        stderr.report(
            "\nstopping: calls in flight are finished and kept; once more to leave at once"
        )

    for number in signals.ending():
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
        raise signals.SecondInterruptError from None


@dataclass(slots=True)
class Display:
    """A line that is rewritten on a terminal, a plain line now and then elsewhere."""

    progress: Progress
    quiet: bool
    next: float = 0.0  # when the line is due again

    def update(self, *, last: bool = False) -> None:
        now = time.monotonic()
        if self.quiet or (now < self.next and not last):
            return
        line = view.progress(self.progress)
        if sys.stderr.isatty():
            room = stderr.terminal_columns(100) - 1
            stderr.report("\r" + fit(line, room), end="\n" * last)
            self.next = now + 0.2
        else:
            stderr.report(line)
            self.next = now + 10.0


def finish(
    progress: Progress, missing: int, short: int, neighbours: Sequence[str], hint: str, *, quiet: bool
) -> None:  # fmt: skip
    """Prints the next command and exits by how the scenarios stand that were named.

    `missing` rows another run would ask for; `short` ones cannot be had within the tries;
    `neighbours` are other scenarios of the same datasets that lack rows.
    """
    if progress.stopped:
        stderr.report(f"stopped: {progress.stopped}; {_missing(missing)}. Run again to go on.")
        sys.exit(75)
    if missing and progress.failures:
        stderr.report(f"{_missing(missing)}, for calls failed. Run again to go on.")
        sys.exit(75)
    if short or missing:
        stderr.report(f"{_missing(short + missing)}.")
        sys.exit(5)
    if neighbours:
        hint = f"builder run {' '.join(neighbours)}   (the same dataset lacks their rows)"
    stderr.report(f"next:  {hint}", quiet=quiet)


def _missing(number: int) -> str:
    return counted(number, "row is missing", "rows are missing")
