"""The online filler: concurrent calls, each as soon as it exists."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from builder.errors import ProviderError, RequestError, StoreError, TransportError
from builder.fill.budget import BudgetSpentError
from builder.fill.pool import Backend, OutageError
from builder.fill.queue import Queue
from builder.fill.stopping import StoppedError, StopSignal
from builder.results.missing import Pending

# Seconds that calls in flight get to end when their endpoint is found to be gone.
GRACE = 2.0
# Workers for each call that may be in flight: one that waits out a Retry-After calls nobody, and
# others take its place.
WORKERS = 4


@dataclass(slots=True)
class Online:
    """Workers that take a call, ask the backend of its model, and bring the reply back."""

    backends: Mapping[str, Backend]
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
            # A cancelled call may come back as trouble of its connection: nobody may wait then.
            queue.close()
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
        answered = False
        try:
            reply = await backend.ask(
                pending.call, stop=self.stopping, failed=queue.progress.note_failure
            )
            answered = True
            queue.answer(pending, reply)
        except StoppedError:
            pass
        except BudgetSpentError as error:
            queue.stop(str(error))
        except TransportError:
            queue.progress.unfilled += 1
        except RequestError as error:
            queue.refuse(pending, error)
        except ProviderError as error:
            self._give_up(pending.call.request.model, error, queue)
        except StoreError:
            queue.stop("the store cannot be written")  # what is asked now would be lost
            raise
        finally:
            if not answered:
                queue.leave(pending)

    def _give_up(self, model: str, error: ProviderError, queue: Queue) -> None:
        """Leaves the calls of a model that will not be answered; ends the run where no other is left."""
        self.backends[model].lost = error
        if any(backend.lost is None for backend in self.backends.values()):
            queue.progress.lose(model, error)
            return
        queue.fail(error)
        if isinstance(error, OutageError):
            asyncio.get_running_loop().call_later(GRACE, self._abandon)

    def _abandon(self) -> None:
        self._abandoned = True
        for task in self._tasks:
            task.cancel()
