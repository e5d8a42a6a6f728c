"""Both wire formats against the loopback provider: what is sent and what is kept."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Mapping
from typing import Any

import pytest

from builder.engines import registry
from builder.errors import ProviderError, TransportError
from builder.project import settings
from builder.records import (
    Call,
    Completion,
    Key,
    Message,
    Request,
)
from tests.asking import SECRET, Review, ask, both, endpoint, request
from tests.provider import Provider


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
    assert completion.latency > 0
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
    turns = (Message("assistant", "{}"), Message("user", "title is missing"))
    with Provider() as provider:
        completion = ask(provider, who, turns=turns)
    assert [turn["content"] for turn in provider.bodies[0]["messages"]][-2:] == [
        "{}",
        "title is missing",
    ]
    assert completion.sent == turns


def test_sdk_environment_goes_to_no_other_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_ORG_ID", "org-private")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-private")
    monkeypatch.setenv("OPENAI_ADMIN_KEY", "admin-private")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Gateway: gateway-private")
    with Provider() as provider:
        where = registry.endpoint("mine", settings.Provider(base_url=provider.url))
        asked = Request("mine:m", (Message("user", "hello"),))

        async def call() -> None:
            async with registry.engine_class("openai")(endpoint=where) as engine:
                await engine.complete(Call(asked, Key(asked.digest(), 0, 0)))

        asyncio.run(call())
    assert "private" not in str(provider.sent_headers[0])


def test_azure_with_an_api_version_asks_its_deployment() -> None:
    with Provider() as provider:
        where = registry.endpoint(
            "azure",
            settings.Provider.model_validate({"api_version": "2026-01-01"}),
            {"AZURE_OPENAI_API_KEY": SECRET, "AZURE_OPENAI_ENDPOINT": provider.url},
        )
        asked = Request("azure:my-deployment", (Message("user", "hello"),))

        async def call() -> None:
            async with registry.engine_class("openai")(endpoint=where) as engine:
                await engine.complete(Call(asked, Key(asked.digest(), 0, 0)))

        asyncio.run(call())
    path = "/openai/deployments/my-deployment/chat/completions?api-version=2026-01-01"
    assert provider.paths[0] == path
    assert provider.sent_headers[0]["api-key"] == SECRET


def outcomes(provider: Provider, who: str, count: int, **options: Any) -> list[Completion]:
    """Many calls at once through one engine."""

    async def call() -> list[Completion]:
        where = endpoint(provider, who, **options)
        asked = request(who)
        async with registry.engine_class(where.protocol)(endpoint=where) as engine:
            calls = [engine.complete(Call(asked, Key(asked.digest(), n, 0))) for n in range(count)]
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
    with Provider(structured=()) as provider, pytest.raises(ProviderError) as found:
        ask(provider, "openai", structured="json_schema")
    assert provider.calls == 1
    assert "structured" in found.value.hint


def test_a_first_call_that_hangs_does_not_hold_the_others_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("builder.engines.structured.ModeFallback.PATIENCE", 0.1)
    with Provider(script=["hang"]) as provider:

        async def call() -> list[Any]:
            where = endpoint(provider, "openai", timeout=300)
            asked = request("openai")
            async with registry.engine_class("openai")(endpoint=where) as engine:
                calls = [
                    asyncio.create_task(engine.complete(Call(asked, Key(asked.digest(), n, 0))))
                    for n in range(10)
                ]
                found = [await one for one in itertools.islice(asyncio.as_completed(calls), 9)]
                (hanging,) = [one for one in calls if not one.done()]
                hanging.cancel()
                return found

        found = asyncio.run(call())
    assert all(isinstance(one, Completion) for one in found)


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
            engine: Any = registry.engine_class(where.protocol)(endpoint=where)
            engine.on_headers = lambda headers, status: seen.append(
                (headers.get("x-ratelimit-remaining"), status)
            )
            asked = request(who)
            async with engine:
                with pytest.raises(TransportError):
                    await engine.complete(Call(asked, Key(asked.digest(), 0, 0)))
                await engine.complete(Call(asked, Key(asked.digest(), 0, 0)))

        asyncio.run(call())
    assert seen == [(None, 429), ("7", 200)]


@both
def test_later_calls_send_what_the_sdk_made_for_the_first(who: str) -> None:
    with Provider() as provider:

        async def calls() -> None:
            where = endpoint(provider, who)
            async with registry.engine_class(where.protocol)(endpoint=where) as engine:
                for most in (50, 5000, 50):
                    asked = request(who, max_tokens=most)
                    await engine.complete(Call(asked, Key(asked.digest(), 0, 0)))

        asyncio.run(calls())
        first, *others = ({**one, "content-length": ""} for one in provider.sent_headers)
        assert len(others) == 2
        assert all(other == first for other in others)
        assert not [name for name in first if name.lower().startswith("x-stainless")]
        assert len(set(provider.paths)) == 1


@both
def test_an_encoding_that_was_not_asked_for_is_named(who: str) -> None:
    with (
        Provider(headers={"content-encoding": "br"}) as provider,
        pytest.raises(TransportError, match="encoded as 'br', which was not asked for"),
    ):
        ask(provider, who)
