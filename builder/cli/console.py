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
from typing import TYPE_CHECKING, Protocol

import click

from builder.cli import plan_table, signals, stderr, view
from builder.errors import InputError
from builder.text import counted, money

if TYPE_CHECKING:
    # What asks is loaded when there is something to ask.
    from builder.fill.fill import Fill
    from builder.fill.progress import Progress
    from builder.project.settings import Budget
    from builder.verbs.plan import PlanResult


@dataclass(frozen=True, slots=True)
class Console:
    """Prints the plan of a run, confirms its price, displays its progress, obeys two signals."""

    yes: bool
    quiet: bool
    drift: bool = False  # whether the plan tells of draws that drift from their tables

    def planned(self, plan: PlanResult, budget: Budget | None) -> None:
        """Prints the plan; InputError where its price is not confirmed."""
        drift = plan.drift() if self.drift else []
        stderr.report(
            plan_table.of_plan(plan, drift, stderr.terminal_columns(80)), quiet=self.quiet
        )
        if not plan.to_ask or not plan.expensive or self.yes or budget is not None:
            return
        limit = plan.plan.project.settings.confirm_above
        cost = money(plan.usd)
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
        display.report(
            "\nstopping: calls in flight are finished and kept; once more to leave at once"
        )

    display = _display(fill.progress, quiet=quiet)
    for number in signals.ending():
        with suppress(NotImplementedError):
            loop.add_signal_handler(number, interrupt)
    try:
        with signals.continued(display.restart):
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


class Display(Protocol):
    """Shows how far a run is."""

    def update(self, *, last: bool = False) -> None:
        """Shows the counts of now."""

    def report(self, text: str) -> None:
        """Prints lines amid what is shown."""

    def restart(self) -> None:
        """Goes on where the cursor is: the run was stopped, and others wrote."""


@dataclass(slots=True)
class PlainLines:
    """A plain line now and then, for a file, a pipe or a terminal without a cursor to move."""

    progress: Progress
    quiet: bool
    next: float = 0.0  # when a line is due again

    def update(self, *, last: bool = False) -> None:
        now = time.monotonic()
        if now >= self.next or last:
            stderr.report(view.progress(self.progress), quiet=self.quiet)
            self.next = now + 10.0

    def report(self, text: str) -> None:
        stderr.report(text)

    def restart(self) -> None:
        pass


def _display(progress: Progress, *, quiet: bool) -> Display:
    if quiet or not sys.stderr.isatty() or os.environ.get("TERM") in ("dumb", "unknown"):
        return PlainLines(progress, quiet)
    from builder.cli import bars  # rich takes its time to be imported

    return bars.Bars(progress)


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
