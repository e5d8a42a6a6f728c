"""What a call costs: the project's own prices, the installed list, or unknown."""

from __future__ import annotations

import subprocess
import sys

import pytest
from genai_prices import Usage as Counted
from genai_prices import calc_price

from builder.engines import prices, registry
from builder.engines.protocol import Endpoint
from builder.project.settings import Prices
from builder.records import Completion, Key, Usage

OPENAI = Endpoint("openai", base_url="https://api.openai.com/v1")
ANTHROPIC = Endpoint("anthropic", protocol="anthropic", base_url="https://api.anthropic.com")
OWN = Prices(input=1.0, output=10.0, cached=0.1)


def usd(endpoint: Endpoint, model: str, usage: Usage, **more: int) -> float | None:
    price = prices.lookup(endpoint, model)
    return price.usd(usage, **more) if price else None


def test_own_prices_come_first_and_honour_cached_tokens() -> None:
    where = Endpoint("openai", base_url="https://api.openai.com/v1", usd_per_million=OWN)
    assert usd(where, "gpt-5-mini", Usage(1000, 100, 400)) == pytest.approx(0.00164)


def test_own_prices_without_a_cached_one_count_cached_tokens_in_full() -> None:
    where = Endpoint("mine", usd_per_million=Prices(input=1.0, output=10.0))
    assert usd(where, "m", Usage(1000, 100, 400)) == pytest.approx(0.002)


@pytest.mark.parametrize(
    ("endpoint", "model"),
    [(OPENAI, "gpt-5-mini"), (ANTHROPIC, "claude-sonnet-5"), (ANTHROPIC, "claude-sonnet-4-5")],
)
@pytest.mark.parametrize(("sent", "cached", "written"), [(1000, 0, 0), (300_000, 1000, 500)])
def test_listed_prices_are_those_of_the_list(
    endpoint: Endpoint, model: str, sent: int, cached: int, written: int
) -> None:
    written = written if endpoint is ANTHROPIC else 0
    counted = Counted(
        input_tokens=sent,
        output_tokens=700,
        cache_read_tokens=cached,
        cache_write_tokens=written,
    )
    listed = calc_price(counted, model, provider_id=endpoint.provider).total_price
    found = usd(endpoint, model, Usage(sent, 700, cached), written=written)
    assert found == pytest.approx(float(listed))


def test_an_unknown_model_has_no_price_rather_than_none_at_all() -> None:
    assert usd(OPENAI, "no-such-model-exists", Usage(10, 10)) is None
    mine = Endpoint("mine", base_url="http://localhost:1/v1")
    assert usd(mine, "gpt-neverheard", Usage(10, 10)) is None
    assert prices.estimate(mine, "gpt-neverheard", 10, 10) == 0.0
    theirs = Endpoint("mine", base_url="https://api.example.com/v1")
    assert prices.estimate(theirs, "gpt-neverheard", 10, 10) is None


@pytest.mark.parametrize(
    ("host", "usd", "unknown"),
    [
        ("api.example.com:443", None, True),
        ("api.example.com:443", 0.1, False),
        ("10.0.0.5:8000", None, False),
        ("localhost:11434", None, False),
        ("", None, True),
    ],
)
def test_a_server_of_ones_own_costs_nothing_that_is_unknown(
    host: str, usd: float | None, *, unknown: bool
) -> None:
    reply = Completion(Key(bytes(16), 0, 0), "x", "mine:a", host=host, usd=usd)
    assert prices.is_unknown(reply) == unknown


def test_unknown_usage_has_no_price() -> None:
    assert usd(OPENAI, "gpt-5-mini", Usage(None, 10)) is None
    assert usd(OPENAI, "gpt-5-mini", Usage(10, None)) is None


@pytest.mark.parametrize("provider", ["local", "fake"])
def test_engines_on_this_machine_are_free(provider: str) -> None:
    where = registry.endpoint(provider)
    assert usd(where, "any", Usage(10, 10)) == 0.0
    assert prices.estimate(where, "any", 1e9, 1e9) == 0.0


def test_an_estimate_is_linear_in_tokens() -> None:
    one = prices.estimate(OPENAI, "gpt-5-mini", 1e6, 1e6)
    assert one == pytest.approx(2.25)
    assert prices.estimate(OPENAI, "gpt-5-mini", 1e9, 1e9) == pytest.approx(2250)


def test_the_list_is_not_loaded_where_it_is_not_needed() -> None:
    code = (
        "import sys; from builder.engines import prices, registry;"
        "prices.estimate(registry.endpoint('fake'), 'any', 1, 1);"
        "from builder.project.settings import Provider;"
        "prices.estimate(registry.endpoint('m', Provider(base_url='http://h/v1',"
        " usd_per_million={'input': 1, 'output': 2})), 'any', 1, 1);"
        "assert not {'genai_prices', 'openai', 'anthropic', 'aiohttp'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, timeout=60)
