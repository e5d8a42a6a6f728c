"""What a call costs in US dollars, as far as it is known.

The project's own `usd_per_million` comes first, then the price list that genai-prices
carries (no network). An unknown price is None, never 0. Engines that run here are free.
"""

from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple

from builder.engines.protocol import Endpoint, is_own
from builder.records import Completion, Usage

FREE = ("local", "fake")
# Providers whose prices are those of the list wherever they are asked, behind a proxy on this
# machine too. Loading the list takes 0.1 s and 25 MB: other servers on this machine are spared
# it.
PUBLIC = ("openai", "anthropic", "azure", "deepseek", "qwen", "openrouter")
PROBE = 1000  # Tokens that rates are read off with: below every tier of a price list.

Calculate = Callable[[int, int, int, int], float]


class Price(NamedTuple):
    """US dollars per token of one model."""

    input: float
    output: float
    cached: float
    written: float
    """Input tokens written to the provider's cache."""
    calculate: Calculate | None = None
    """For prices that are no fixed rates (tiers, times of day): the list's own arithmetic."""

    def usd(self, usage: Usage, *, written: int = 0) -> float | None:
        """What a call with this usage costs; None when the usage is not known."""
        if usage.input is None or usage.output is None:
            return None
        cached = min(usage.cached or 0, usage.input)
        written = min(written, usage.input - cached)
        if self.calculate is not None:
            return self.calculate(usage.input, usage.output, cached, written)
        plain = usage.input - cached - written
        return (
            plain * self.input
            + cached * self.cached
            + written * self.written
            + usage.output * self.output
        )


@lru_cache(maxsize=256)
def _is_own(host: str) -> bool:
    """Whether `host:port` is of a network of one's own."""
    return host != "" and is_own(host.rpartition(":")[0])


def is_unknown(reply: Completion) -> bool:
    """Whether a reply may have cost something that nobody knows; one's own servers take nothing."""
    return reply.usd is None and not _is_own(reply.host)


def lookup(endpoint: Endpoint, model: str) -> Price | None:
    """The price of the provider's model, or None when nobody knows it."""
    if endpoint.protocol in FREE:
        return Price(0.0, 0.0, 0.0, 0.0)
    million = endpoint.usd_per_million
    if million is not None:
        rate = million.input / 1e6
        cached = rate if million.cached is None else million.cached / 1e6
        return Price(rate, million.output / 1e6, cached, rate)
    if endpoint.provider not in PUBLIC and endpoint.is_loopback:
        return None
    return _listed(endpoint.provider, endpoint.base_url, model)


def estimate(
    endpoint: Endpoint, model: str, input_tokens: float, output_tokens: float
) -> float | None:
    """US dollars that so many tokens would cost, none of them cached; None when unknown.

    The counts may be sums over many calls: rates are those of calls of ordinary length. A server of
    one's own takes nothing, unless the project says what.
    """
    price = lookup(endpoint, model)
    if price is None:
        return 0.0 if endpoint.base_url and endpoint.is_own else None
    return input_tokens * price.input + output_tokens * price.output


@lru_cache(maxsize=256)
def _listed(provider: str, base_url: str | None, model: str) -> Price | None:
    from genai_prices import Usage as Counted
    from genai_prices import calc_price

    def calculate(sent: int, received: int, cached: int, written: int, **where: Any) -> Any:
        counted = Counted(
            input_tokens=sent,
            output_tokens=received,
            cache_read_tokens=cached,
            cache_write_tokens=written,
        )
        return calc_price(counted, model, **where)

    for where in ({"provider_id": provider}, {"provider_api_url": base_url or ""}):
        with suppress(LookupError):
            listed = calculate(PROBE, 0, 0, 0, **where)
            break
    else:
        return None

    def usd(sent: int, received: int, cached: int, written: int) -> float:
        return float(calculate(sent, received, cached, written, **where).total_price)

    flat = isinstance(listed.model.prices, type(listed.model_price)) and all(
        isinstance(rate, Decimal) for rate in vars(listed.model_price).values() if rate is not None
    )
    return Price(
        input=usd(PROBE, 0, 0, 0) / PROBE,
        output=usd(0, PROBE, 0, 0) / PROBE,
        cached=usd(PROBE, 0, PROBE, 0) / PROBE,
        written=usd(PROBE, 0, 0, PROBE) / PROBE,
        calculate=None if flat else usd,
    )
