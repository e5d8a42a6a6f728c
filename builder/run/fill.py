"""The fill: whatever the plan lacks is asked of its engines, by workers on one lazy stream.

A worker takes a case that has no row yet and stays with it: it asks, judges, asks again with
the reason, asks afresh, until the case has its row or has spent its tries. A spent case calls
up the next occurrence of its combination, so the rows follow from the answers alone and not
from the order in which they arrived. Replies go to the store in groups; a kill repeats the
calls in flight and the last group, nothing else.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace

import numpy as np

from builder.errors import BuilderError, EngineError, ProviderError, TransportError
from builder.limits import alarm
from builder.plan.plan import DatasetPlan, Plan
from builder.project import Project
from builder.records import Completion, Key, Message, Reject, Request
from builder.run import ask, results, retry
from builder.run.engines import registry
from builder.run.engines.protocol import Engine
from builder.run.judge import Alarm
from builder.run.results import Called, Outcome
from builder.store import Store

GROUP = 256
"""Replies that are committed together, at most."""
GROUP_SECONDS = 0.25
PROSE = 20
"""An endpoint whose first so many answers are all no JSON is not what the project means."""


@dataclass(slots=True)
class Progress:
    """What a run has done so far; a display reads it whenever it likes."""

    wanted: int = 0
    """Rows that the plan wants."""
    to_ask: int = 0
    """Rows that were missing when the run began."""
    accepted: int = 0
    """Rows accepted in this run."""
    calls: int = 0
    """Replies received."""
    rejects: int = 0
    non_answers: int = 0
    failures: int = 0
    """Calls that brought no reply and were tried again."""
    unfilled: int = 0
    """Cases left without a row for reasons that a later run may mend."""
    input_tokens: int = 0
    output_tokens: int = 0
    usd: float = 0.0
    unpriced: int = 0
    """Replies whose price nobody knows."""
    started: float = field(default_factory=time.monotonic)
    stopped: str = ""
    """Why the run stopped before its end; empty when it did not."""
    trouble: dict[str, int] = field(default_factory=dict)
    """Messages of failed calls, each with how often."""

    def note(self, reply: Completion) -> None:
        self.calls += 1
        self.input_tokens += reply.usage.input or 0
        self.output_tokens += reply.usage.output or 0
        if reply.usd is None:
            self.unpriced += 1
        else:
            self.usd += reply.usd
        self.non_answers += not reply.is_answer


class Stopped(Exception):
    """The run was told to stop; whoever waits gives up."""


class _Writer:
    """Collects replies and commits them in groups."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.waiting: list[Completion] = []
        self.due = asyncio.Event()

    def add(self, reply: Completion) -> None:
        self.waiting.append(reply)
        if len(self.waiting) >= GROUP:
            self.flush()
        else:
            self.due.set()

    def flush(self) -> None:
        group, self.waiting = self.waiting, []
        if group:
            self.store.add(group)

    async def run(self) -> None:
        while True:
            await self.due.wait()
            await asyncio.sleep(GROUP_SECONDS)
            self.due.clear()
            self.flush()


class _Feed:
    """Cases that want an answer: the plan's in its order, behind those that were called up."""

    def __init__(self, stream: Iterator[Outcome]) -> None:
        self.stream = stream
        self.ready: deque[Outcome] = deque()
        self.flying = 0
        self.closed = False
        self.changed = asyncio.Condition()

    async def take(self) -> Outcome | None:
        """The next case; None when there is none and none can come."""
        async with self.changed:
            while not self.closed:
                found = self.ready.popleft() if self.ready else next(self.stream, None)
                if found is not None:
                    self.flying += 1
                    return found
                if self.flying == 0:
                    self.closed = True
                    self.changed.notify_all()
                    break
                await self.changed.wait()
        return None

    async def done(self, more: Outcome | None = None) -> None:
        """A taken case is finished; `more` is the one it called up."""
        async with self.changed:
            self.flying -= 1
            if more is not None:
                self.ready.append(more)
            self.changed.notify_all()

    async def close(self) -> None:
        async with self.changed:
            self.closed = True
            self.changed.notify_all()


@dataclass(slots=True)
class Fill:
    """One run over one plan."""

    plan: Plan
    store: Store
    progress: Progress = field(default_factory=Progress)
    concurrency: int = 64
    on_reject: Callable[[Reject], None] = lambda reject: None
    _stop: asyncio.Event = field(default_factory=asyncio.Event)
    _reserves: dict[str, _Reserve] = field(default_factory=dict)
    _failure: BuilderError | None = None
    _prose: dict[str, tuple[int, int]] = field(default_factory=dict)

    def stop(self, why: str) -> None:
        """No new calls; those in flight are kept. Safe from a signal handler of the loop."""
        self.progress.stopped = self.progress.stopped or why
        self._stop.set()

    async def run(self) -> Progress:
        """Fills until every combination has its rows or nothing more can be asked.

        Raises ProviderError or StoreError after what came before is safe in the store.
        """
        async with AsyncExitStack() as stack:
            lanes = await self._lanes(stack)
            limit = stack.enter_context(alarm())
            writer = _Writer(self.store)
            feed = _Feed(self._open(limit))
            flusher = asyncio.create_task(writer.run())
            stopper = asyncio.create_task(self._closing(feed))
            workers = [
                asyncio.create_task(self._work(feed, lanes, writer, limit))
                for _ in range(max(1, min(self.concurrency, self.progress.to_ask)))
            ]
            try:
                await _all(workers, flusher)
            finally:
                for task in (flusher, stopper, *workers):
                    task.cancel()
                await asyncio.gather(flusher, stopper, *workers, return_exceptions=True)
                writer.flush()
        if self._failure is not None:
            raise self._failure
        return self.progress

    async def _lanes(self, stack: AsyncExitStack) -> dict[str, _Lane]:
        """An open engine for each provider of the plan."""
        lanes: dict[str, _Lane] = {}
        models = {asked.model for scenario in self.plan.scenarios() for asked in scenario.asked}
        for provider in sorted({model.partition(":")[0] for model in models}):
            where = ask.endpoint(
                self.plan.project, provider, require_key=True, concurrency=self.concurrency
            )
            engine = registry.engine_class(where.protocol)(where)
            await stack.enter_async_context(engine)
            lanes[provider] = _Lane(engine, asyncio.Semaphore(where.concurrency))
        return lanes

    def _open(self, limit: Alarm) -> Iterator[Outcome]:
        """The cases that want an answer, in plan order; spent ones call up what follows them."""
        for dataset in self.plan.datasets:
            for position, scenario in enumerate(dataset.scenarios):
                if scenario.name not in self.plan.wanted:
                    continue
                reserve = _Reserve(dataset, position, self.store)
                self._reserves[scenario.name] = reserve
                for outcome in results.stand(scenario, scenario.cases, self.store):
                    current: Outcome | None = outcome
                    while current is not None and current.spent:
                        current = reserve.after(current)
                    if current is not None and current.row is None:
                        yield current

    async def _closing(self, feed: _Feed) -> None:
        await self._stop.wait()
        await feed.close()

    async def _work(
        self, feed: _Feed, lanes: dict[str, _Lane], writer: _Writer, limit: Alarm
    ) -> None:
        while not self._stop.is_set() and (outcome := await feed.take()) is not None:
            more = None
            try:
                await self._fill(outcome, lanes, writer, limit)
                more = outcome
                while more is not None and more.spent:
                    more = self._reserves[outcome.scenario.name].after(more)
                if more is not None and (more is outcome or more.row is not None):
                    more = None
            except Stopped:
                pass
            except TransportError as error:
                self.progress.unfilled += 1
                self._note(error)
            except ProviderError as error:
                self._failure = self._failure or error
                self.stop(error.message)
            finally:
                await feed.done(more)

    async def _fill(
        self, outcome: Outcome, lanes: dict[str, _Lane], writer: _Writer, limit: Alarm
    ) -> None:
        """Asks for this case until it has a row, has spent its tries, or is left for later."""
        request = outcome.planned.request
        lane = lanes[request.provider]
        non_answers = 0
        while outcome.row is None and not outcome.spent:
            extra = _again(outcome)
            reply = await self._call(lane, request, outcome.next_key, extra)
            self.progress.note(reply)
            writer.add(replace(reply, sent=(*request.messages, *extra)))
            if not reply.is_answer:
                non_answers += 1
                if non_answers >= outcome.scenario.tries:
                    self.progress.unfilled += 1
                    return
                continue
            found = outcome.take(reply, limit)
            if isinstance(found, Reject):
                self.progress.rejects += 1
                self.on_reject(found)
            else:
                self.progress.accepted += 1
            self._watch_prose(request.provider, found)

    async def _call(
        self, lane: _Lane, request: Request, key: Key, extra: tuple[Message, ...]
    ) -> Completion:
        async def once() -> Completion:
            async with lane.slots:
                if self._stop.is_set():
                    raise Stopped
                return _clean(await lane.engine.complete(request, key, extra))

        return await retry.calling(once, sleep=self._sleep, failed=self._note)

    async def _sleep(self, seconds: float) -> None:
        """Waits, or raises Stopped as soon as the run is to stop."""
        try:
            await asyncio.wait_for(self._stop.wait(), seconds)
        except TimeoutError:
            return
        raise Stopped

    def _note(self, error: EngineError) -> None:
        self.progress.failures += 1
        trouble = self.progress.trouble
        if error.message in trouble or len(trouble) < 50:
            trouble[error.message] = trouble.get(error.message, 0) + 1

    def _watch_prose(self, provider: str, found: object) -> None:
        answers, prose = self._prose.get(provider, (0, 0))
        if answers >= PROSE:
            return
        answers, prose = answers + 1, prose + (isinstance(found, Reject) and found.stage == "parse")
        self._prose[provider] = (answers, prose)
        if prose == PROSE:
            self._failure = ProviderError(
                f"the first {PROSE} answers of {provider} were all no JSON",
                hint=f'does this model follow instructions? structured = "json_object" or "prompt" under '
                f"[tool.builder.providers.{provider}] asks in another way; `answer: text` takes prose",
            )
            self.stop(self._failure.message)


@dataclass(slots=True)
class _Lane:
    """An engine and the calls that it takes at a time."""

    engine: Engine
    slots: asyncio.Semaphore


@dataclass(slots=True)
class _Reserve:
    """Calls up occurrences of one scenario's combinations as their cases are spent."""

    dataset: DatasetPlan
    position: int
    """Which of the dataset's scenarios."""
    store: Store
    called: Called = field(default_factory=Called)
    places: list[dict[int, int]] = field(default_factory=list)
    """For each level, combination number to its row in the level."""

    def after(self, outcome: Outcome) -> Outcome | None:
        """The case that this spent one calls up; None where the combination has no more."""
        level = self.called.up(outcome)
        cases = self.dataset.reserve(level)[self.position]
        while len(self.places) <= level:
            known = self.dataset.reserve(len(self.places))[self.position].index.tolist()
            self.places.append({combination: row for row, combination in enumerate(known)})
        row = self.places[level].get(outcome.combination)
        if row is None:
            return None
        one = cases.take(np.array([row]))
        return next(results.stand(outcome.scenario, one, self.store), None)


def _again(outcome: Outcome) -> tuple[Message, ...]:
    """The turns of a re-ask: every second try shows the model its answer and what was wrong."""
    if outcome.tried % 2 == 0 or not outcome.rejects:
        return ()
    refused = outcome.rejects[-1]
    return (
        Message("assistant", refused.raw or "(empty)"),
        Message(
            "user",
            f"That answer was refused: {refused.reason}\n"
            "Answer again, whole and corrected, in the same form, without any comment.",
        ),
    )


def _clean(reply: Completion) -> Completion:
    """The reply with lone surrogates replaced: no encoding can write them."""
    try:
        reply.text.encode()
    except UnicodeEncodeError:
        return replace(reply, text=reply.text.encode("utf-8", "replace").decode())
    return reply


async def _all(workers: list[asyncio.Task[None]], flusher: asyncio.Task[None]) -> None:
    """Waits for all workers; the first error of any task is raised at once."""
    pending: set[asyncio.Task[None]] = set(workers)
    while pending:
        done, _ = await asyncio.wait({*pending, flusher}, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
        pending -= done
