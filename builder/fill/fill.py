"""One run over one plan: whatever it lacks is asked by workers, kept in the store and judged.

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
from builder.errors import ProviderError, StoreError, TransportError
from builder.fill import pool
from builder.fill.budget import BudgetSpentError
from builder.fill.progress import Progress
from builder.fill.queue import Queue, Writer
from builder.fill.retry import StoppedError, StopSignal
from builder.plan.plans import Plan
from builder.project.settings import Budget
from builder.results import judgement
from builder.results.missing import Missing, Pending
from builder.results.settle import Settlements
from builder.store import Store

GRACE = 2.0
"""Seconds that calls in flight get to end when their endpoint is found to be gone."""
WORKERS = 4
"""Workers for each call that may be in flight: one that waits out a Retry-After calls nobody,
and others take its place."""
ALLOCATIONS = 50_000
"""Containers made, less those freed, before the collector looks for cycles. Python's own 700
make it walk every request in flight some times a second: a third of the CPU of a run."""


@dataclass(slots=True)
class Online:
    """Workers that take a call, ask the backend of its model, and bring the reply back."""

    backends: dict[str, pool.Backend]
    stopping: StopSignal
    workers: int
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)
    _abandoned: bool = False

    async def fill(self, queue: Queue) -> None:
        """Answers the calls of the queue until it ends. Raises the first error of any worker."""
        self._tasks = [asyncio.create_task(self._work(queue)) for _ in range(self.workers)]
        try:
            await asyncio.gather(*self._tasks)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _work(self, queue: Queue) -> None:
        while (pending := await queue.take()) is not None:
            try:
                await self._ask(pending, queue)
            except asyncio.CancelledError:
                if not self._abandoned:
                    raise

    async def _ask(self, pending: Pending, queue: Queue) -> None:
        """Asks a call, and leaves it to a later run where no reply comes."""
        backend = self.backends[pending.call.request.model]
        reply = None
        try:
            reply = await backend.ask(
                pending.call, stop=self.stopping, failed=queue.progress.note_failure
            )
            queue.answer(pending, reply)
        except StoppedError:
            pass
        except BudgetSpentError as error:
            queue.stop(str(error))
        except TransportError:
            queue.progress.unfilled += 1
        except ProviderError as error:
            queue.fail(error)
            if isinstance(error, pool.OutageError):
                asyncio.get_running_loop().call_later(GRACE, self._abandon)
        except StoreError:
            queue.stop("the store cannot be written")  # what is asked now would be lost
            raise
        finally:
            if reply is None:
                queue.leave(pending)

    def _abandon(self) -> None:
        self._abandoned = True
        for task in self._tasks:
            task.cancel()


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
