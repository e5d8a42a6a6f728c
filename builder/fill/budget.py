"""A cap on what a run may cost, counted before each call for the worst that it can come to.

A call's input is at most its UTF-8 bytes in tokens, its output at most max_tokens. Once usage
has been seen, the input's bound shrinks to what was seen, with a margin. A reply without
usage, or with less than is possible, counts as the worst case: it never lowers the total.
"""

import asyncio
from dataclasses import dataclass, field

from builder.engines import tokens
from builder.engines.prices import Price
from builder.errors import InputError
from builder.project.settings import Budget
from builder.records import (
    Completion,
    Message,
    Request,
    message_bytes,
)
from builder.text import decimals

SEEN = 20  # Replies with usage before the bound of the input follows them.
MARGIN = 1.25


class BudgetSpentError(Exception):
    """The next call could cross the cap; says what was paid, and what that call could cost."""


@dataclass(slots=True)
class Ledger:
    """What is left of a budget; every call takes its worst case out and brings the rest back."""

    budget: Budget
    prices: dict[str, Price]
    """Model to its price; needed for a cap in US dollars."""
    spent: float = 0.0
    """What replies cost, in the budget's unit: US dollars or tokens."""
    unknown: float = 0.0
    """The worst case of calls that ended without telling what they cost."""
    reserved: float = 0.0
    """The worst case of the calls in flight."""
    _flying: int = 0
    _seen: int = 0
    _densest: float = 0.0
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def cap(self) -> float:
        return self.budget.usd if self.budget.usd is not None else float(self.budget.tokens or 0)

    async def take(self, request: Request, extra: tuple[Message, ...]) -> float:
        """Sets the worst case of a call aside and returns it, when the calls in flight leave room.

        Raises BudgetSpentError where even an idle run has none.
        """
        worst = self._cost(
            request.model, self._input(request, extra), float(tokens.most(request.params))
        )
        async with self._changed:
            while self.spent + self.unknown + self.reserved + worst > self.cap:
                if not self._flying:
                    raise BudgetSpentError(self._told(worst))
                await self._changed.wait()
                worst = self._cost(
                    request.model, self._input(request, extra), float(tokens.most(request.params))
                )
            self.reserved += worst
            self._flying += 1
        return worst

    async def settle(
        self, request: Request, worst: float, reply: Completion | None, *, free: bool = False
    ) -> None:
        """A call is over: what it cost stays, the rest comes back.

        One without a reply counts as the worst case, unless it is known to be `free`: the model
        may well have answered, and the answer was lost on the way.
        """
        async with self._changed:
            self._flying -= 1
            # What rounding left over must not keep a call waiting for nobody.
            self.reserved = max(0.0, self.reserved - worst) if self._flying else 0.0
            nothing = 0.0 if free else None
            paid = nothing if reply is None else self._actual(request, reply)
            if paid is None:
                self.unknown += worst
            else:
                self.spent += paid
            self._changed.notify_all()

    def _told(self, worst: float) -> str:
        usd = self.budget.usd is not None

        def amount(number: float) -> str:
            return f"{number:.{max(4, decimals(number))}f}" if usd else f"{number:,.0f}"

        aside = f"{amount(self.unknown)} set aside for calls whose cost is unknown, "
        return (
            f"the budget of {self.cap:,.10g} {'usd' if usd else 'tokens'} leaves no room: "
            f"{amount(self.spent)} paid, {aside if self.unknown else ''}"
            f"and the next call could cost {amount(worst)}"
        )

    def _actual(self, request: Request, reply: Completion) -> float | None:
        """What a reply cost; None where it does not tell, or tells less than is possible."""
        usage = reply.usage
        if not usage.input or usage.output is None or (reply.text and not usage.output):
            return None
        self._seen += 1
        sent = len(message_bytes(reply.sent or request.messages)) + tokens.schema_bytes(request)
        self._densest = max(self._densest, usage.input / sent)
        if self.budget.usd is None:
            return float(usage.input + usage.output)
        return reply.usd

    def _input(self, request: Request, extra: tuple[Message, ...]) -> float:
        size = len(message_bytes((*request.messages, *extra))) + tokens.schema_bytes(request)
        if self._seen < SEEN:
            return float(size)
        return size * min(1.0, self._densest * MARGIN)

    def _cost(self, model: str, sent: float, received: float) -> float:
        if self.budget.usd is None:
            return sent + received
        price = self.prices[model]
        return sent * max(price.input, price.written) + received * price.output


def check(budget: Budget, models: dict[str, tuple[Price | None, bool]]) -> None:
    """Raises InputError where a cap cannot be kept: no max_tokens, or no price for a cap in USD.

    `models` maps each model to its price and to whether its answers are bounded.
    """
    for model, (price, bounded) in models.items():
        if not bounded:
            raise InputError(
                f"a budget needs max_tokens, and {model} has none",
                hint="params: {max_tokens: 800} in the scenario, or under [tool.builder.params]",
            )
        if budget.usd is not None and price is None:
            raise InputError(
                f"a budget in usd needs a price, and that of {model} is unknown",
                hint=f"usd_per_million under [tool.builder.providers.{model.partition(':')[0]}], "
                'or a budget in tokens: "200000tok"',
            )
