"""One run over one plan: whatever it lacks is filled by a filler, kept in the store and judged.

Replies go to the store in groups; a kill repeats the calls in flight and the last group, nothing
else.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from dataclasses import dataclass, field

from builder.engines.protocol import Engine
from builder.fill import pool
from builder.fill.online import WORKERS, Online
from builder.fill.progress import Progress
from builder.fill.queue import Queue, Writer
from builder.fill.retry import StopSignal
from builder.plan.plans import Plan
from builder.project.settings import Budget
from builder.results import judgement
from builder.results.missing import Missing
from builder.results.settle import Settlements
from builder.store import Store

ALLOCATIONS = 50_000
"""Containers made, less those freed, before the collector looks for cycles. Python's own 700
make it walk every request in flight some times a second: a third of the CPU of a run."""


@dataclass(slots=True)
class Fill:
    """One run over one plan."""

    plan: Plan
    store: Store
    progress: Progress = field(default_factory=Progress)
    concurrency: int = 64
    budget: Budget | None = None
    settled: Settlements | None = None
    """Finished walks over the plan's datasets, so that none is made twice."""
    engine: Engine | None = None
    """Answers for every model in place of its own engine."""
    _stopping: StopSignal = field(default_factory=StopSignal)

    def stop(self, why: str) -> None:
        """No new calls; those in flight are kept. Safe from a signal handler of the loop."""
        self.progress.stopped = self.progress.stopped or why
        self._stopping.set()

    async def run(self) -> Progress:
        """Fills until every combination has its rows or nothing more can be asked.

        Raises InputError before the first call, ProviderError, RefusedError or StoreError after
        what came before is safe in the store.
        """
        async with AsyncExitStack() as stack:
            backends = await pool.open_all(
                self.plan,
                stack,
                concurrency=self.concurrency,
                cap=self.budget,
                engine=self.engine,
            )
            stack.enter_context(rare_collections())
            judging = stack.enter_context(judgement.of_schemas())
            writer = Writer(self.store)
            missing = Missing(
                self.plan,
                self.store,
                judging,
                settled=self.settled,
                flush=writer.flush,
                end_round=self._end_round,
            )
            queue = Queue(missing, writer, self.progress, stop=self.stop)
            workers = max(1, min(WORKERS * self.concurrency, self.progress.to_ask))
            filler = Online(backends, self._stopping, workers)
            try:
                await self._drive(filler, queue, writer, backends)
            finally:
                writer.flush()
                limits = {model: backend.pace.limit_text() for model, backend in backends.items()}
                self.progress.limits = {model: limit for model, limit in limits.items() if limit}
        if queue.failure is not None:
            raise queue.failure
        return self.progress

    async def _drive(
        self, filler: Online, queue: Queue, writer: Writer, backends: dict[str, pool.Backend]
    ) -> None:
        """Runs the filler beside what commits its replies and what listens for the end."""
        loops = filler.fill(queue), writer.run(), self._close(queue, backends)
        tasks = [asyncio.create_task(loop) for loop in loops]
        try:
            ended, _ = await asyncio.wait(tasks[:2], return_when=asyncio.FIRST_COMPLETED)
            for task in ended:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            for task in tasks:
                with suppress(asyncio.CancelledError, Exception):
                    await task

    async def _close(self, queue: Queue, backends: dict[str, pool.Backend]) -> None:
        await self._stopping.wait()
        for backend in backends.values():
            backend.pace.stop()
        queue.close()

    def _end_round(self, accepted: int) -> None:
        """Rows that are compared with one another count when their round is judged."""
        progress = self.progress
        progress.accepted = max(0, min(progress.to_ask, progress.accepted + accepted))


@contextmanager
def rare_collections() -> Iterator[None]:
    """Takes what is loaded out of the collector's sight, and has it look at the rest more rarely.

    Cycles are still found: memory stays bounded by so many containers, some tens of MB.
    """
    before = gc.get_threshold()
    gc.set_threshold(ALLOCATIONS, 20, 20)
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)
