"""Replies are committed in groups: full ones at once, the rest in time, and none is lost on trouble."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from builder import store
from builder.errors import StoreError
from builder.fill.writer import GROUP, SECONDS, Writer
from builder.records import Completion, Key
from builder.store import Store
from tests import clock


def reply(number: int) -> Completion:
    return Completion(Key(number.to_bytes(16), 0, 0), "x", "fake:any")


def test_a_full_group_is_committed_before_add_returns(tmp_path: Path) -> None:
    with store.writing(tmp_path / "store.sqlite") as answers:
        writer = Writer(answers)
        for number in range(GROUP - 1):
            writer.add(reply(number))
        assert answers.count() == 0
        writer.add(reply(GROUP))
        assert answers.count() == GROUP
        writer.add(reply(GROUP + 1))
        assert answers.count() == GROUP
        writer.flush()
        writer.flush()
        assert answers.count() == GROUP + 1


def test_a_reply_waits_a_few_milliseconds_for_others_and_no_longer(tmp_path: Path) -> None:
    async def counts(now: clock.Clock, answers: Store) -> list[tuple[float, int]]:
        writer = Writer(answers)
        running = asyncio.create_task(writer.run())
        await asyncio.sleep(0)
        seen = []
        for number in range(3):
            writer.add(reply(number))
            for wait in (SECONDS / 2, 1.0):
                await asyncio.sleep(wait)
                seen.append((round(now(), 4), answers.count()))
        running.cancel()
        return seen

    with store.writing(tmp_path / "store.sqlite") as answers:
        seen = clock.run(lambda now: counts(now, answers))
    assert [number for _, number in seen] == [0, 1, 1, 2, 2, 3]
    assert seen[0][0] == 0.0025


def test_groups_grow_where_commits_are_slow(tmp_path: Path) -> None:
    class Slow:
        def __init__(self) -> None:
            self.groups: list[int] = []

        def add(self, replies: list[Completion]) -> None:
            self.groups.append(len(replies))
            time.sleep(0.02)

    async def fill(slow: Slow) -> None:
        writer = Writer(slow)  # type: ignore[arg-type]
        running = asyncio.create_task(writer.run())
        for number in range(20):
            writer.add(reply(number))
            await asyncio.sleep(0.01)
        running.cancel()

    slow = Slow()
    asyncio.run(fill(slow))
    assert slow.groups[0] == 1
    assert max(slow.groups[1:]) > 4


def test_replies_that_could_not_be_written_wait_for_the_next_time(tmp_path: Path) -> None:
    file = tmp_path / "store.sqlite"
    with store.writing(file) as answers:
        writer = Writer(answers)
        counter = tmp_path / "store.part"
        counter.mkdir()
        writer.add(reply(1))
        with pytest.raises(StoreError, match="cannot write"):
            writer.flush()
        counter.rmdir()
        writer.add(reply(2))
        writer.flush()
        assert answers.count() == 2
