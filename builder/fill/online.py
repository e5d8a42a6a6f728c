"""The fill: whatever the plan lacks is asked of its engines, by workers on one lazy stream.

A worker takes a case that has no row yet and stays with it: it asks, judges, asks again with
the reason, asks afresh, until the case has its row or has spent its tries. A spent case calls
up the next occurrence of its combination, so the rows follow from the answers alone and not
from the order in which they arrived. Replies go to the store in groups; a kill repeats the
calls in flight and the last group, nothing else.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from builder.errors import (
    BuilderError,
    ProviderError,
    StoreError,
    TransportError,
)
from builder.fill import pool
from builder.fill.breaker import Breaker
from builder.fill.budget import Spent
from builder.fill.gc_pause import calm
from builder.fill.pool import (
    Halt,
    Lane,
    Outage,
    Stopped,
)
from builder.fill.progress import Progress
from builder.fill.queue import Feed
from builder.fill.writer import Writer
from builder.limits import alarm
from builder.plan.plans import Plan
from builder.project.settings import Budget
from builder.records import Call, Message, Reject, Row
from builder.results.outcomes import Outcome
from builder.results.validate import Alarm
from builder.store import Store

GRACE = 2.0
"""Seconds that calls in flight get to end when their endpoint is found to be gone."""
WORKERS = 4
"""Workers for each call that may be in flight: one that waits out a Retry-After calls nobody,
and others take its place."""


@dataclass(slots=True)
class Fill:
    """One run over one plan."""

    plan: Plan
    store: Store
    progress: Progress = field(default_factory=Progress)
    concurrency: int = 64
    budget: Budget | None = None
    _halt: Halt = field(default_factory=Halt)
    _failure: BuilderError | None = None
    _breaker: Breaker = field(init=False)
    _had_attempts: bool = False
    _workers: list[asyncio.Task[None]] = field(default_factory=list)
    _abandoned: bool = False

    def __post_init__(self) -> None:
        self._breaker = Breaker(self.progress.holding)

    def stop(self, why: str) -> None:
        """No new calls; those in flight are kept. Safe from a signal handler of the loop."""
        self.progress.stopped = self.progress.stopped or why
        self._halt.stop()

    async def run(self) -> Progress:
        """Fills until every combination has its rows or nothing more can be asked.

        Raises InputError before the first call, ProviderError, RefusedError or StoreError after
        what came before is safe in the store.
        """
        self._had_attempts = self.store.count("attempts") > 0
        async with AsyncExitStack() as stack:
            found = await pool.open_all(
                self.plan, stack, concurrency=self.concurrency, cap=self.budget
            )
            stack.enter_context(calm())
            limit = stack.enter_context(alarm())
            writer = Writer(self.store)
            feed = Feed(self.plan, self.store, writer.flush, self._judged)
            beside = [
                asyncio.create_task(writer.run()),
                asyncio.create_task(self._closing(feed, found)),
            ]
            workers = self._workers = [
                asyncio.create_task(self._work(feed, found, writer, limit))
                for _ in range(max(1, min(WORKERS * self.concurrency, self.progress.to_ask)))
            ]
            try:
                await _all(workers, beside[0])
            finally:
                for task in (*beside, *workers):
                    task.cancel()
                await asyncio.gather(*beside, *workers, return_exceptions=True)
                writer.flush()
                self.progress.limits = {
                    model: lane.pace.found() for model, lane in found.items() if lane.pace.found()
                }
        if self._failure is not None:
            raise self._failure
        return self.progress

    async def _closing(self, feed: Feed, found: dict[str, Lane]) -> None:
        await self._halt.wait()
        for lane in found.values():
            lane.pace.stop()
        await feed.close()

    async def _work(self, feed: Feed, found: dict[str, Lane], writer: Writer, limit: Alarm) -> None:
        while (outcome := await feed.take()) is not None:
            try:
                await self._fill(outcome, found[outcome.planned.asked.model], writer, limit)
            except Stopped:
                pass
            except Spent as error:
                self.stop(str(error))
            except TransportError:
                self.progress.unfilled += 1
            except ProviderError as error:
                self._failure = self._failure or error
                self.stop(error.message)
                if isinstance(error, Outage):
                    asyncio.get_running_loop().call_later(GRACE, self._abandon)
            except StoreError:
                self.stop("the store cannot be written")  # what is asked now would be lost
                raise
            except asyncio.CancelledError:
                if not self._abandoned:
                    raise
            finally:
                await feed.give_back(outcome)

    def _abandon(self) -> None:
        self._abandoned = True
        for worker in self._workers:
            worker.cancel()

    async def _fill(self, outcome: Outcome, lane: Lane, writer: Writer, limit: Alarm) -> None:
        """Asks for this case until it has a row, has spent its tries, or is left for later."""
        request = outcome.planned.request
        non_answers = 0
        while outcome.open:
            key, extra = outcome.next_key, reask(outcome)
            again = non_answers + (len(self.store.attempts(key)) if self._had_attempts else 0)
            call = Call(request, key, extra, again)
            reply = await lane.ask(call, halt=self._halt, failed=self.progress.note_failure)
            self.progress.note(reply)
            writer.add(reply._replace(sent=call.messages))
            if not reply.is_answer:
                non_answers += 1
                if non_answers >= outcome.limit:
                    self.progress.unfilled += 1
                    return
                continue
            self._count(outcome.take(reply, limit), outcome, lane)
            if outcome.once:
                return

    def _judged(self, more: int) -> None:
        """Rows that are held against one another count when their round is judged."""
        state = self.progress
        state.accepted = max(0, min(state.to_ask, state.accepted + more))

    def _count(self, verdict: Row | Reject, outcome: Outcome, lane: Lane) -> None:
        if isinstance(verdict, Row):
            self.progress.accepted += not outcome.once
        else:
            self.progress.rejects += 1
        refused = self._breaker.note(verdict, outcome, lane.endpoint.provider)
        if refused is not None:
            self._failure = self._failure or refused
            self.stop(refused.message)


def reask(outcome: Outcome) -> tuple[Message, ...]:
    """The turns of a re-ask: every second try shows the model its answer and what was wrong."""
    if outcome.tried % 2 == 0 or not outcome.rejects:
        return ()
    refused = outcome.rejects[-1]
    if outcome.similar:
        why = "it is nearly the same as another one. Write something clearly different, in the same form."
    else:
        why = f"{refused.reason}\nAnswer again, whole and corrected, in the same form, without any comment."
    return (
        Message("assistant", refused.raw or "(empty)"),
        Message("user", f"That answer was refused: {why}"),
    )


async def _all(workers: list[asyncio.Task[None]], flusher: asyncio.Task[None]) -> None:
    """Waits for all workers; the first error of any task is raised at once."""
    both = (asyncio.gather(*workers), flusher)
    # Where the flusher fails first, nobody asks the others how they ended.
    both[0].add_done_callback(lambda ended: ended.cancelled() or ended.exception())
    done, _ = await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        task.result()
