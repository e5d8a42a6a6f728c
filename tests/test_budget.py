"""The budget ledger: no call begins that could cross the cap, and nothing unknown counts as free."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from builder.engines.prices import Price
from builder.errors import InputError
from builder.fill import budget
from builder.fill.budget import BudgetSpentError, Ledger
from builder.project.settings import Budget
from builder.records import Completion, Key, Message, Request, Usage, message_bytes
from tests import clock

MODEL = "openai:a"
REQUEST = Request(MODEL, (Message("user", "x" * 60),), {"max_tokens": 10})
SIZE = len(message_bytes(REQUEST.messages))
WORST = SIZE + 10.0
"""Tokens of the most that a call can take: each byte one, and the longest answer."""
PRICE = Price(input=1.0, output=100.0, cached=0.1, written=2.0)


def reply(
    given: int | None, answered: int | None, text: str = "x", usd: float | None = None
) -> Completion:
    return Completion(Key(bytes(16), 0, 0), text, MODEL, usage=Usage(given, answered), usd=usd)


def ledger(tokens: float | None = None, usd: float | None = None) -> Ledger:
    cap = Budget(usd=usd) if usd is not None else Budget(tokens=int(tokens or 0))
    return Ledger(cap, {MODEL: PRICE})


async def spend(account: Ledger, answer: Completion | None, *, free: bool = False) -> float:
    worst = await account.take(REQUEST, ())
    await account.settle(REQUEST, worst, answer, free=free)
    return worst


def test_a_call_that_just_fits_is_let_through_and_one_more_token_is_not() -> None:
    async def take(tokens: float) -> float:
        return await ledger(tokens).take(REQUEST, ())

    assert asyncio.run(take(WORST)) == WORST
    with pytest.raises(BudgetSpentError) as refused:
        asyncio.run(take(WORST - 1))
    assert str(refused.value) == (
        f"the budget of {SIZE + 9} tokens leaves no room: 0 paid, "
        f"and the next call could cost {SIZE + 10}"
    )


def test_the_turns_of_a_re_ask_and_the_schema_count_as_input() -> None:
    async def take() -> tuple[float, float]:
        turns = (Message("assistant", "y" * 30),)
        schema = Request(MODEL, REQUEST.messages, REQUEST.params, {"type": "object"})
        return await ledger(1000).take(REQUEST, turns), await ledger(1000).take(schema, ())

    more, formed = asyncio.run(take())
    assert more == WORST + len(message_bytes((Message("assistant", "y" * 30),))) - 1
    assert formed == WORST + len('{"type":"object"}')


def test_a_cap_in_dollars_counts_the_dearest_input_and_names_the_amounts() -> None:
    async def take() -> None:
        account = ledger(usd=5000.0)
        assert await spend(account, None) == SIZE * 2.0 + 10 * 100.0
        assert (account.spent, account.unknown, account.reserved) == (0.0, SIZE * 2.0 + 1000.0, 0.0)
        assert account.cap == 5000.0
        await spend(account, reply(10, 5, usd=3500.0))
        assert account.spent == 3500.0
        await account.take(REQUEST, ())

    with pytest.raises(BudgetSpentError) as refused:
        asyncio.run(take())
    worst = f"{SIZE * 2.0 + 1000.0:.4f}"
    assert str(refused.value) == (
        f"the budget of 5,000 usd leaves no room: 3500.0000 paid, {worst} set aside for calls "
        f"whose cost is unknown, and the next call could cost {worst}"
    )


@pytest.mark.parametrize(
    ("answer", "free", "spent", "unknown"),
    [
        (reply(20, 5), False, 25.0, 0.0),
        (reply(20, 0, ""), False, 20.0, 0.0),
        (reply(20, 0), False, 0.0, WORST),
        (reply(0, 5), False, 0.0, WORST),
        (reply(None, 5), False, 0.0, WORST),
        (reply(20, None), False, 0.0, WORST),
        (None, False, 0.0, WORST),
        (None, True, 0.0, 0.0),
    ],
)
def test_a_reply_that_tells_less_than_is_possible_counts_as_the_worst_case(
    answer: Completion | None, free: bool, spent: float, unknown: float
) -> None:
    account = ledger(1000)
    asyncio.run(spend(account, answer, free=free))
    assert (account.spent, account.unknown, account.reserved) == (spent, unknown, 0.0)


def test_a_reply_without_a_price_counts_as_the_worst_case_of_a_cap_in_dollars() -> None:
    account = ledger(usd=5000.0)
    asyncio.run(spend(account, reply(20, 5)))
    assert (account.spent, account.unknown) == (0.0, SIZE * 2.0 + 1000.0)


def test_the_bound_of_the_input_follows_twenty_replies_with_a_margin() -> None:
    async def bounds() -> list[float]:
        account = ledger(100_000)
        return [await spend(account, reply(SIZE // 2, 5)) for _ in range(21)]

    *before, after = asyncio.run(bounds())
    assert before == [WORST] * 20
    assert after == pytest.approx(SIZE // 2 * 1.25 + 10)


def test_the_bound_follows_the_densest_reply_and_never_passes_the_bytes() -> None:
    async def bound(*dense: int) -> float:
        account = ledger(100_000)
        for given in itertools.islice(itertools.cycle(dense), 20):
            await spend(account, reply(given, 5))
        return await account.take(REQUEST, ())

    assert asyncio.run(bound(10, 40, 20)) == pytest.approx(40 * 1.25 + 10)
    assert asyncio.run(bound(SIZE)) == WORST


def test_a_call_waits_for_those_in_flight_and_takes_what_they_bring_back() -> None:
    async def both(now: clock.Clock) -> list[tuple[str, float]]:
        account, ends = ledger(WORST + 30), list[tuple[str, float]]()

        async def ask(name: str) -> None:
            worst = await account.take(REQUEST, ())
            ends.append((f"{name} begins", now()))
            await asyncio.sleep(5)
            await account.settle(REQUEST, worst, reply(20, 5))

        async with asyncio.TaskGroup() as group:
            group.create_task(ask("a"))
            group.create_task(ask("b"))
        assert (account.spent, account.reserved) == (50.0, 0.0)
        return ends

    assert clock.run(both) == [("a begins", 0.0), ("b begins", 5.0)]


def test_what_is_in_flight_is_set_aside_until_it_is_over() -> None:
    async def flying() -> None:
        account = ledger(1000)
        first, second = await account.take(REQUEST, ()), await account.take(REQUEST, ())
        assert account.reserved == 2 * WORST
        await account.settle(REQUEST, first, reply(20, 5))
        assert account.reserved == WORST
        await account.settle(REQUEST, second, reply(20, 5))
        assert account.reserved == 0.0

    asyncio.run(flying())


def test_a_cap_that_cannot_be_kept_is_refused_before_anything_is_asked() -> None:
    budget.check(Budget(tokens=5), {MODEL: (None, True)})
    budget.check(Budget(usd=5.0), {MODEL: (PRICE, True)})
    with pytest.raises(InputError, match="a budget needs max_tokens, and openai:a has none"):
        budget.check(Budget(tokens=5), {MODEL: (PRICE, False)})
    with pytest.raises(InputError, match="that of openai:a is unknown") as refused:
        budget.check(Budget(usd=5.0), {MODEL: (None, True)})
    assert "under [tool.builder.providers.openai]" in refused.value.hint
