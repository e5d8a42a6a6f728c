"""The queue of missing calls between the results, which decide, and a filler, which asks.

A filler takes a call, has it answered by whatever door it knows, and brings the reply back. The
queue keeps the reply, has it judged, counts it, and hands out what follows.
"""

import asyncio
from collections.abc import Callable

from builder.errors import BuilderError, RequestError
from builder.fill.breaker import Breaker
from builder.fill.progress import Progress
from builder.fill.writer import Writer
from builder.records import Completion, Row
from builder.results.missing import Missing, Pending


class Queue:
    """Hands calls to workers until none is left and none can come."""

    def __init__(
        self,
        missing: Missing,
        writer: Writer,
        progress: Progress,
        *,
        stop: Callable[[str], None],
    ) -> None:
        self.progress = progress
        self.failure: BuilderError | None = None  # The first error that ends the run.
        self._missing = missing
        self._writer = writer
        self._breaker = Breaker(progress.holding, progress.to_ask)
        self.stop = stop  # Ends the run for a reason that is no error.
        self._closed = False
        # Set, and replaced by another, when those who found nothing should look again.
        self._changed = asyncio.Event()

    async def take(self) -> Pending | None:
        """The next call to be answered; None when the run is done."""
        while not self._closed:
            pending = self._missing.take()
            if pending is not None:
                self._breaker.note_sent(pending.case)
                self.progress.note_sent(pending.case.part.name)
                return pending
            if self._missing.ended:
                self.close()
                break
            await self._changed.wait()
        return None

    def answer(self, pending: Pending, reply: Completion) -> None:
        """Keeps a reply, judges it if it is an answer, and queues what follows. Raises StoreError."""
        self.progress.note(pending.case.part.name, reply, pending.call.request)
        self._writer.add(reply._replace(sent=pending.call.messages))
        if reply.is_answer:
            self._judge(pending, reply)
        else:
            self._end(self._breaker.note_non_answer(reply, pending.case, pending.call.request))
            if not self._missing.ask_again(pending):
                self.progress.unfilled += 1
        self._wake()

    def refuse(self, pending: Pending, error: RequestError) -> None:
        """Sets a case aside whose request the provider refuses; ends the run where all are."""
        self.progress.set_aside(pending.case, error)
        self._end(self._breaker.note_refusal(pending.case, error))

    def leave(self, pending: Pending) -> None:
        """Takes a call back that is left to a later run."""
        self._missing.close(pending)
        self._wake()

    def close(self) -> None:
        """Hands out no more calls."""
        self._closed = True
        self._changed.set()

    def fail(self, error: BuilderError) -> None:
        """Ends the run for this error; the first of several is the one that is raised."""
        self.failure = self.failure or error
        self.stop(error.message)

    def _judge(self, pending: Pending, reply: Completion) -> None:
        verdict = self._missing.answer(pending, reply)
        self.progress.note_verdict(
            pending.case.part.name, passed=isinstance(verdict, Row), provisional=pending.once
        )
        self._end(self._breaker.note(verdict, pending.case, pending.call.request.provider))

    def _end(self, error: BuilderError | None) -> None:
        if error is not None:
            self.fail(error)

    def _wake(self) -> None:
        """What follows from a reply is taken by the worker that brought it; only the end of a round,
        or of all, concerns the others."""
        if self._missing.out == 0:
            self._changed.set()
            self._changed = asyncio.Event()
