"""Both wire formats against the loopback provider: what is sent, and what each reply means."""

from __future__ import annotations

import asyncio
import inspect
import resource
import time
from collections.abc import Mapping
from typing import Any, Literal

import anthropic as anthropic_sdk
import openai as openai_sdk
import pytest
from pydantic import BaseModel, Field

from builder.errors import EngineError, ProviderError, TransportError
from builder.records import Completion, Key, Message, Request
from builder.run.engines import failures, registry, wire
from builder.run.engines.protocol import Endpoint
from tests.provider import Provider
from tests.provider_faults import FAULTS, STATUS

SECRET = "sk-test-0123456789abcdef"
MODELS = {"openai": "openai:gpt-5-mini", "anthropic": "anthropic:claude-sonnet-5"}


class Review(BaseModel):
    title: str = Field(max_length=80)
    stars: int = Field(ge=1, le=5)
    mood: Literal["glad", "sad"]
    notes: list[str] = []
    reply: str | None = None


def request(who: str, schema: Any = Review, **params: Any) -> Request:
    turns = (Message("system", "You write reviews."), Message("user", "Write one."))
    shape = schema.model_json_schema() if isinstance(schema, type) else schema
    return Request(MODELS[who], turns, params, shape)


def endpoint(provider: Provider, who: str, **settings: Any) -> Endpoint:
    path = "/v1" if who == "openai" else ""
    environ = {"OPENAI_API_KEY": SECRET, "ANTHROPIC_API_KEY": SECRET}
    return registry.endpoint(who, {"base_url": provider.url + path, **settings}, environ)


def ask(
    provider: Provider,
    who: str,
    asked: Request | None = None,
    extra: tuple[Message, ...] = (),
    **settings: Any,
) -> Completion:
    """One call of an engine against the provider."""
    asked = asked or request(who)

    async def call() -> Completion:
        where = endpoint(provider, who, **settings)
        async with registry.engine_class(where.protocol)(where) as engine:
            return await engine.complete(asked, Key(asked.digest(), 0, 0), extra)

    return asyncio.run(call())


def failure(who: str, fault: str, **settings: Any) -> EngineError:
    """What an engine raises when the provider shows a fault."""
    with Provider(script=[fault], retry_after=2.0) as provider, pytest.raises(EngineError) as found:
        ask(provider, who, **settings)
    return found.value


both = pytest.mark.parametrize("who", ["openai", "anthropic"])


@both
def test_an_answer_is_kept_verbatim_with_usage_price_and_host(who: str) -> None:
    with Provider() as provider:
        completion = ask(provider, who)
    Review.model_validate_json(completion.text)
    assert completion.is_answer
    assert completion.answered_by.endswith("-loopback")
    assert completion.usage.input
    assert completion.usage.output
    assert completion.usd is not None
    assert completion.usd > 0
    assert completion.host == provider.url.removeprefix("http://")
    assert completion.mode == "json_schema"
    assert 0 < completion.latency < 5
    assert abs(completion.time - time.time()) < 60


def test_openai_gets_a_strict_schema_and_no_param_that_nobody_wrote() -> None:
    with Provider() as provider:
        ask(provider, "openai", request("openai", temperature=0.5))
    body = provider.bodies[0]
    assert provider.paths[0] == "/v1/chat/completions"
    assert provider.sent_headers[0]["authorization"] == f"Bearer {SECRET}"
    assert set(body) == {"model", "messages", "temperature", "response_format"}
    shape = body["response_format"]["json_schema"]
    assert shape["strict"] is True
    assert shape["schema"]["required"] == ["title", "stars", "mood", "notes", "reply"]
    assert shape["schema"]["additionalProperties"] is False
    assert "maxLength" not in shape["schema"]["properties"]["title"]
    assert '"maxLength":80' in shape["schema"]["properties"]["title"]["description"]


def test_anthropic_gets_its_system_turn_apart_and_its_own_schema() -> None:
    with Provider() as provider:
        asked = request("anthropic", max_tokens=500, output_config={"effort": "low"})
        ask(provider, "anthropic", asked)
    body = provider.bodies[0]
    assert provider.paths[0] == "/v1/messages"
    assert body["system"] == "You write reviews."
    assert body["messages"] == [{"role": "user", "content": "Write one."}]
    assert body["max_tokens"] == 500
    assert body["output_config"]["effort"] == "low"
    shape = body["output_config"]["format"]["schema"]
    assert "minimum" not in shape["properties"]["stars"]
    assert '"minimum":1' in shape["properties"]["stars"]["description"]
    assert shape["additionalProperties"] is False


@both
def test_text_asks_for_no_format(who: str) -> None:
    with Provider() as provider:
        completion = ask(provider, who, request(who, schema=None))
    assert completion.mode == "text"
    assert "response_format" not in provider.bodies[0]
    assert "output_config" not in provider.bodies[0]


@both
def test_a_re_ask_sends_its_turns_and_records_them(who: str) -> None:
    extra = (Message("assistant", "{}"), Message("user", "title is missing"))
    with Provider() as provider:
        completion = ask(provider, who, extra=extra)
    assert [turn["content"] for turn in provider.bodies[0]["messages"]][-2:] == [
        "{}",
        "title is missing",
    ]
    assert completion.sent == extra


def test_sdk_environment_goes_to_no_other_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_ORG_ID", "org-private")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-private")
    monkeypatch.setenv("OPENAI_ADMIN_KEY", "admin-private")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Gateway: gateway-private")
    with Provider() as provider:
        where = registry.endpoint("mine", {"base_url": provider.url}, {})
        asked = Request("mine:m", (Message("user", "hello"),))

        async def call() -> None:
            async with registry.engine_class("openai")(where) as engine:
                await engine.complete(asked, Key(asked.digest(), 0, 0))

        asyncio.run(call())
    assert "private" not in str(provider.sent_headers[0])


def test_azure_with_an_api_version_asks_its_deployment() -> None:
    with Provider() as provider:
        where = registry.endpoint(
            "azure",
            {"api_version": "2026-01-01"},
            {"AZURE_OPENAI_API_KEY": SECRET, "AZURE_OPENAI_ENDPOINT": provider.url},
        )
        asked = Request("azure:my-deployment", (Message("user", "hello"),))

        async def call() -> None:
            async with registry.engine_class("openai")(where) as engine:
                await engine.complete(asked, Key(asked.digest(), 0, 0))

        asyncio.run(call())
    path = "/openai/deployments/my-deployment/chat/completions?api-version=2026-01-01"
    assert provider.paths[0] == path
    assert provider.sent_headers[0]["api-key"] == SECRET


# What each fault means: the kind of error, and words of its first line.
MEANING: Mapping[str, tuple[type[EngineError] | str, str]] = {
    "400": (ProviderError, "model"),
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
    "context": (ProviderError, "too long"),
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
    error = failure(who, fault, timeout=1)
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


def outcomes(provider: Provider, who: str, count: int, **settings: Any) -> list[Completion]:
    """Many calls at once through one engine."""

    async def call() -> list[Completion]:
        where = endpoint(provider, who, **settings)
        asked = request(who)
        async with registry.engine_class(where.protocol)(where) as engine:
            calls = [engine.complete(asked, Key(asked.digest(), n, 0)) for n in range(count)]
            return await asyncio.gather(*calls)

    return asyncio.run(call())


@pytest.mark.parametrize(
    ("understood", "mode", "refusals"),
    [(("json_schema",), "json_schema", 0), (("json_object",), "json_object", 1), ((), "prompt", 2)],
)
def test_workers_find_the_mode_out_once(
    understood: tuple[str, ...], mode: str, refusals: int
) -> None:
    with Provider(structured=understood, latency=0.02) as provider:
        completions = outcomes(provider, "openai", 40)
    assert {completion.mode for completion in completions} == {mode}
    assert provider.calls == 40 + refusals
    for completion in completions:
        Review.model_validate_json(completion.text)


def test_a_server_of_anthropic_format_without_output_config_is_asked_in_the_prompt() -> None:
    with Provider(structured=(), latency=0.02) as provider:
        completions = outcomes(provider, "anthropic", 20)
    assert {completion.mode for completion in completions} == {"prompt"}
    assert provider.calls == 21


def test_a_pinned_mode_is_never_left() -> None:
    with Provider(structured=()) as provider, pytest.raises(ProviderError):
        ask(provider, "openai", structured="json_schema")
    assert provider.calls == 1


def test_a_first_call_that_hangs_does_not_hold_the_others_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("builder.run.engines.structured.Ladder.PATIENCE", 0.1)
    with Provider(script=["hang"]) as provider:

        async def call() -> list[Any]:
            where = endpoint(provider, "openai", timeout=1)
            asked = request("openai")
            async with registry.engine_class("openai")(where) as engine:
                calls = [engine.complete(asked, Key(asked.digest(), n, 0)) for n in range(10)]
                return await asyncio.gather(*calls, return_exceptions=True)

        started = time.monotonic()
        found = asyncio.run(call())
    assert sum(isinstance(one, Completion) for one in found) == 9
    assert time.monotonic() - started < 3


@pytest.mark.parametrize(
    "usage",
    [
        {},
        {"prompt_tokens": -1, "completion_tokens": 10**12},
        {"prompt_tokens": "12", "completion_tokens": None},
        {"prompt_tokens": True, "completion_tokens": 1.5},
    ],
)
def test_absurd_usage_is_unknown_and_so_is_its_price(usage: Mapping[str, Any]) -> None:
    with Provider(usage=usage) as provider:
        completion = ask(provider, "openai")
    assert completion.usage.input is None
    assert completion.usage.output is None
    assert completion.usd is None


def test_anthropic_counts_cached_and_written_tokens_as_input() -> None:
    usage = {
        "input_tokens": 10,
        "cache_read_input_tokens": 20,
        "cache_creation_input_tokens": 30,
        "output_tokens": 5,
    }
    with Provider(usage=usage) as provider:
        completion = ask(provider, "anthropic")
    assert completion.usage.input == 60
    assert completion.usage.cached == 20


@both
def test_headers_of_each_response_can_be_seen(who: str) -> None:
    seen: list[tuple[str | None, int]] = []
    with Provider(script=["429-seconds"], headers={"x-ratelimit-remaining": "7"}) as provider:

        async def call() -> None:
            where = endpoint(provider, who)
            engine: Any = registry.engine_class(where.protocol)(where)
            engine.on_headers = lambda headers, status: seen.append(
                (headers.get("x-ratelimit-remaining"), status)
            )
            asked = request(who)
            async with engine:
                with pytest.raises(TransportError):
                    await engine.complete(asked, Key(asked.digest(), 0, 0))
                await engine.complete(asked, Key(asked.digest(), 0, 0))

        asyncio.run(call())
    assert seen == [(None, 429), ("7", 200)]


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
    error = failures.classify(where, "m", reply, found, str)
    again = status in (408, 409, 425, 429) or status >= 500
    assert isinstance(error, TransportError if again else ProviderError)


def test_all_plain_refusals_are_in_the_table() -> None:
    assert set(STATUS) <= set(MEANING)
