"""One run over one plan: whatever it lacks is filled by a filler, kept in the store and judged.

Replies go to the store in groups; a kill repeats the calls in flight and the last group, nothing
else.
"""

import asyncio
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from typing import Protocol

from builder.engines.protocol import Engine
from builder.fill import pool
from builder.fill.gc_pause import rare_collections
from builder.fill.online import WORKERS, Online
from builder.fill.progress import Progress
from builder.fill.queue import Queue
from builder.fill.stopping import StoppedError, StopSignal
from builder.fill.writer import Writer
from builder.plan.plans import Plan
from builder.project.settings import Budget
from builder.results import judgement
from builder.results.missing import Missing
from builder.results.settle import Settlements
from builder.store import Store


class Filler(Protocol):
    """A way to have calls answered. It neither judges nor counts what is short: the queue does."""

    async def fill(self, queue: Queue) -> None:
        """Takes calls and brings replies until the queue ends; raises what ends the run."""


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
    wait: float = 0.0
    """Seconds that servers get to start before the first call."""
    _stopping: StopSignal = field(default_factory=StopSignal)

    def stop(self, why: str) -> None:
        """No new calls; those in flight are kept. Safe from a signal handler of the loop."""
        self.progress.stopped = self.progress.stopped or why
        self._stopping.stop()

    def check(self) -> None:
        """Raises InputError for a missing key or a budget that cannot be kept; nothing is opened."""
        if self.engine is None:
            pool.check(self.plan, concurrency=self.concurrency, cap=self.budget)

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
            if self.wait:
                with suppress(StoppedError):
                    await pool.wait(backends.values(), self.wait, self._stopping)
            stack.enter_context(rare_collections())
            judging = stack.enter_context(judgement.of_schemas())
            writer = Writer(self.store)
            missing = Missing(
                self.plan,
                self.store,
                judging,
                settled=self.settled,
                flush=writer.flush,
                end_round=self.progress.end_round,
            )
            queue = Queue(missing, writer, self.progress, stop=self.stop)
            workers = max(1, min(WORKERS * self.concurrency, self.progress.to_ask))
            filler: Filler = Online(backends, self._stopping, workers)
            try:
                await self._drive(filler, queue, writer, backends)
            finally:
                writer.flush()
                limits = {model: backend.limits for model, backend in backends.items()}
                self.progress.limits = {model: limit for model, limit in limits.items() if limit}
        if queue.failure is not None:
            raise queue.failure
        return self.progress

    async def _drive(
        self, filler: Filler, queue: Queue, writer: Writer, backends: dict[str, pool.Backend]
    ) -> None:
        """Runs the filler beside what commits its replies and what listens for the end."""
        filling = asyncio.create_task(filler.fill(queue))
        committing = asyncio.create_task(writer.run())
        closing = asyncio.create_task(self._close(queue, backends))
        try:
            ended, _ = await asyncio.wait(
                (filling, committing), return_when=asyncio.FIRST_COMPLETED
            )
            for task in ended:
                task.result()
        finally:
            for task in (filling, committing, closing):
                task.cancel()
            for task in (filling, committing, closing):
                with suppress(asyncio.CancelledError, Exception):
                    await task

    async def _close(self, queue: Queue, backends: dict[str, pool.Backend]) -> None:
        await self._stopping.wait()
        for backend in backends.values():
            backend.stop()
        queue.close()
