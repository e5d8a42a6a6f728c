"""What each kind of trouble means to an engine: worth another try, final, or a non-answer."""

from __future__ import annotations

import inspect
import resource
from collections.abc import Mapping
from typing import Any

import anthropic as anthropic_sdk
import openai as openai_sdk
import pytest

from builder.engines import failures, meanings, wire
from builder.engines.protocol import Endpoint
from builder.errors import EngineError, ProviderError, RequestError, TransportError
from tests.asking import SECRET, ask, both, failure
from tests.provider import Provider
from tests.provider_faults import FAULTS

pytestmark = pytest.mark.slow

# What each fault means: the kind of error, and words of its first line.
MEANING: Mapping[str, tuple[type[EngineError] | str, str]] = {
    "400": ("end", ""),
    "401": (ProviderError, "_API_KEY"),
    "403": (ProviderError, "_API_KEY"),
    "404": (ProviderError, "base_url"),
    "408": (TransportError, "408"),
    "409": (TransportError, "409"),
    "429": (TransportError, "429"),
    "500": (TransportError, "500"),
    "502": (TransportError, "502"),
    "503": (TransportError, "503"),
    "529": (TransportError, "529"),
    "quota": (ProviderError, "_API_KEY"),
    "context": (RequestError, "too long"),
    "filter-400": ("filter", ""),
    "max-tokens": (ProviderError, "params.max_tokens"),
    "no-json_schema": ("end", ""),
    "no-json_object": ("end", ""),
    "length": ("length", ""),
    "refusal": ("refusal", ""),
    "filter": ("filter", ""),
    "prose": ("end", ""),
    "malformed": ("end", ""),
    "half": (TransportError, "No reply"),
    "lying": (TransportError, "No reply"),
    "cut": (TransportError, "whole JSON"),
    "encoding": (TransportError, "whole JSON"),
    "drip": (TransportError, "within 1 s"),
    "429-seconds": (TransportError, "429"),
    "429-ms": (TransportError, "429"),
    "429-date": (TransportError, "429"),
    "reset": (TransportError, "No reply"),
    "html": (TransportError, "Please sign in"),
    "xml": (TransportError, "whole JSON"),
    "empty": (TransportError, "whole JSON"),
    "error-200": (TransportError, "Upstream gave up"),
    "hang": (TransportError, "within 1 s"),
    "huge": (TransportError, "longer than"),
    "gzip": (TransportError, "longer than"),
    "redirect": (ProviderError, "redirect"),
    "echo": (ProviderError, "_API_KEY"),
}


def test_every_fault_of_the_provider_has_a_meaning() -> None:
    assert set(MEANING) == set(FAULTS)


@both
@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_classified(who: str, fault: str) -> None:
    meaning, words = MEANING[fault]
    if isinstance(meaning, str):
        with Provider(script=[fault]) as provider:
            completion = ask(provider, who)
        expected = "refusal" if (who, fault) == ("anthropic", "filter") else meaning
        assert completion.stop == expected
        return
    error = failure(who, fault, timeout=1 if fault in ("hang", "drip") else 30)
    assert type(error) is meaning
    assert words in str(error).splitlines()[0]
    assert SECRET not in str(error)


@both
@pytest.mark.parametrize("form", ["429-seconds", "429-ms", "429-date"])
def test_a_429_tells_how_long_to_wait_in_each_form(who: str, form: str) -> None:
    error = failure(who, form)
    assert isinstance(error, TransportError)
    assert error.limited
    assert error.after is not None
    assert 1.9 <= error.after <= 3.5


@pytest.mark.parametrize("text", ["", "soon", "-3", "nan", "inf", "1e400"])
def test_a_retry_after_that_says_nothing_is_no_wait(text: str) -> None:
    assert failures.retry_after({"retry-after": text}) is None


@both
def test_a_key_that_the_server_echoes_stays_secret(who: str) -> None:
    error = failure(who, "echo")
    chain: BaseException | None = error
    assert "[key]" in str(error)
    assert SECRET not in repr(error.args)
    assert chain is not None
    assert chain.__cause__ is None
    assert chain.__suppress_context__ or chain.__context__ is None


@both
@pytest.mark.parametrize("fault", ["huge", "gzip"])
def test_a_reply_without_end_is_given_up_within_bounded_memory(who: str, fault: str) -> None:
    ask_once = failure(who, "html")
    assert isinstance(ask_once, TransportError)
    with Provider(script=[fault] * 8) as provider:
        with pytest.raises(TransportError):
            ask(provider, who)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for _ in range(7):
            with pytest.raises(TransportError) as found:
                ask(provider, who)
            assert found.value.at_most == 2
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 64 * 1024  # KiB


@both
def test_an_address_where_nobody_listens_is_trouble_that_names_base_url(who: str) -> None:
    with Provider() as provider:
        pass
    with pytest.raises(TransportError) as found:
        ask(provider, who)
    assert "base_url" in str(found.value)


def _plain(_: object) -> None:
    """Stands in for constructors that ask for a request or a response."""


@pytest.mark.parametrize("sdk", [openai_sdk, anthropic_sdk])
def test_no_exception_of_an_sdk_leaks(sdk: Any) -> None:
    """Each is caught as the SDK's base, as a status, or cannot come out of one POST."""
    base = getattr(sdk, "OpenAIError", None) or sdk.AnthropicError
    where = Endpoint("openai", base_url="http://127.0.0.1:9/v1", api_key=SECRET)
    found = wire.Wire(where, sdk, None)
    classes = [
        thing
        for _, thing in inspect.getmembers(sdk, inspect.isclass)
        if issubclass(thing, Exception) and not issubclass(thing, Warning)
    ]
    assert len(classes) > 10
    for thing in classes:
        if thing.__name__ == "InvalidWebhookSignatureError":
            continue  # checks incoming webhooks, which nothing here receives
        assert issubclass(thing, base)
        bare = type(thing.__name__, (thing,), {"__init__": _plain, "__str__": lambda _: "lost"})
        assert isinstance(found._trouble(bare()), EngineError)


@pytest.mark.parametrize("status", [s for s in range(300, 600) if s != 304])
def test_every_status_has_a_meaning(status: int) -> None:
    where = Endpoint("openai", base_url="http://x/v1", api_key_env="OPENAI_API_KEY")
    reply = failures.Reply(status, {}, b"", 0.0)
    found = failures.fault_of(reply, str)
    error = meanings.error_of(where, meanings.Asked("m"), reply, found, str)
    again = status in (408, 409, 424, 425, 429, 499) or status >= 500
    final = status < 400 or status in (401, 402, 403, 404, 405)
    assert type(error) is (TransportError if again else ProviderError if final else RequestError)
