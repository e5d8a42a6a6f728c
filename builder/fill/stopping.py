"""Telling a run to stop, wherever it waits."""

import asyncio
from contextlib import suppress


class StoppedError(Exception):
    """The run was told to stop; whoever waits gives up."""


class StopSignal:
    """Whether a run is to stop, for those who wait in it."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def stop(self) -> None:
        """Tells all who wait."""
        self._event.set()

    def check(self) -> None:
        """Raises StoppedError once the run is to stop."""
        if self._event.is_set():
            raise StoppedError

    async def wait(self) -> None:
        """Returns when the run is to stop."""
        await self._event.wait()

    async def sleep(self, seconds: float) -> None:
        """Waits so long, or raises StoppedError as soon as the run is to stop."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._event.wait(), seconds)
        self.check()
