"""Who watches a run while it lasts, and how a run is driven from Python, notebooks included."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from typing import TYPE_CHECKING, Protocol

from builder.text import counted, money

if TYPE_CHECKING:
    # What asks is loaded when there is something to ask.
    from builder.fill.fill import Fill
    from builder.fill.progress import Progress
    from builder.project.settings import Budget
    from builder.verbs.plan import PlanResult

Report = Callable[["Progress"], None]
INTERVAL = 0.2  # seconds between two reports


class Monitor(Protocol):
    """Watches the runs of one verb."""

    def planned(self, plan: PlanResult, budget: Budget | None) -> None:
        """Sees what is to be asked, before the first call; may raise InputError to refuse it."""

    def drive(self, fill: Fill) -> None:
        """Runs a fill to its end, or raises what ended it."""


class Callback:
    """Confirms nothing, and hands the counts of a run to a function while it lasts."""

    def __init__(self, report: Report | None) -> None:
        """Reports to this function; by default to a bar, in a notebook alone."""
        self.report = report or _bar()

    def planned(self, plan: PlanResult, budget: Budget | None) -> None:
        """Refuses nothing."""

    def drive(self, fill: Fill) -> None:
        """Runs a fill in a loop of its own, also where a loop runs already, as in a notebook.

        A KeyboardInterrupt leaves once the calls in flight are finished and kept.
        """
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            asyncio.run(self._watched(fill))
            return
        started: Future[asyncio.AbstractEventLoop] = Future()
        with ThreadPoolExecutor(1) as threads:
            ended = threads.submit(asyncio.run, _started(fill, started))
            try:
                while not ended.done():
                    self.report(fill.progress)
                    wait_for([ended], INTERVAL)
            except BaseException:
                started.result().call_soon_threadsafe(fill.stop, "interrupted")
                raise
        self.report(fill.progress)
        ended.result()

    async def _watched(self, fill: Fill) -> None:
        task = asyncio.ensure_future(fill.run())
        try:
            while not task.done():
                self.report(fill.progress)
                await asyncio.wait({task}, timeout=INTERVAL)
        except BaseException:
            fill.stop("interrupted")
            await task
            raise
        self.report(fill.progress)
        task.result()


async def _started(fill: Fill, started: Future[asyncio.AbstractEventLoop]) -> None:
    started.set_result(asyncio.get_running_loop())
    await fill.run()


def _bar() -> Report:
    """Shows a bar in the notebook that this is called from; shows nothing elsewhere."""
    try:
        from IPython.core.getipython import get_ipython
        from IPython.display import HTML, DisplayHandle, display
    except ImportError:
        return _silent
    shell = get_ipython()
    if shell is None or not shell.has_trait("kernel"):
        return _silent
    handle: DisplayHandle | None = None

    def show(progress: Progress) -> None:
        nonlocal handle
        page = HTML(bar(progress))
        if handle is None:
            handle = display(page, display_id=True)
        else:
            handle.update(page)

    return show


def _silent(progress: Progress) -> None:
    """Shows nothing."""


def bar(progress: Progress) -> str:
    """The HTML of a progress bar with the counts of a run."""
    numbers = (
        f"{progress.rows:,} of {counted(progress.to_ask, 'row')} · "
        f"{counted(progress.rejects, 'reject')} · {money(progress.usd)} usd"
    )
    return f'<progress value="{progress.rows}" max="{progress.to_ask}"></progress> {numbers}'
