"""Replies on their way into the store, committed in groups."""

import asyncio
import time

from builder.records import Completion
from builder.store import Store

GROUP = 256  # Replies that are committed together, at most.
SECONDS = 0.005  # How long a reply waits for others, on a disk that is quick.
SHARE = 0.2  # Most of the time that may go into commits; on a slow disk groups get larger.


class Writer:
    """Collects replies and commits them in groups; a kill loses one group at most."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._waiting: list[Completion] = []
        self._due = asyncio.Event()
        self._took = 0.0  # Seconds of the last commit.

    def add(self, reply: Completion) -> None:
        """Takes a reply; a full group is committed before this returns."""
        self._waiting.append(reply)
        if len(self._waiting) >= GROUP:
            self.flush()
        else:
            self._due.set()

    def flush(self) -> None:
        """Commits what waits. StoreError leaves it waiting."""
        if self._waiting:
            began = time.monotonic()
            self._store.add(self._waiting)
            self._waiting = []
            self._took = time.monotonic() - began

    async def run(self) -> None:
        """Commits in time, until cancelled."""
        while True:
            await self._due.wait()
            await asyncio.sleep(max(SECONDS, self._took / SHARE))
            self._due.clear()
            self.flush()
