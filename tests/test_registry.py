"""Which engine a protocol names, and what settings and environment make of a provider."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from builder.engines import params, registry
from builder.engines.local import Local
from builder.engines.openai import OpenAI
from builder.errors import InputError
from builder.records import Message, Request

TURNS = (Message("user", "hello"),)


@pytest.mark.parametrize("protocol", list(registry.BUILT_IN))
def test_built_in_engines_keep_the_contract(protocol: str) -> None:
    engine = registry.engine_class(protocol)
    for name in ("defaults", "problems", "body", "complete", "__aenter__", "__aexit__"):
        assert callable(getattr(engine, name))


def test_an_unknown_protocol_names_the_nearest() -> None:
    with pytest.raises(InputError, match="Did you mean 'anthropic'"):
        registry.engine_class("antropic")


def test_an_unknown_provider_names_the_nearest() -> None:
    with pytest.raises(InputError, match="Did you mean 'deepseek'"):
        registry.endpoint("deepseak", {}, {})


def test_a_missing_key_matters_only_when_calls_are_made() -> None:
    assert registry.endpoint("openai", {}, {}).api_key is None
    with pytest.raises(InputError, match=r"^OPENAI_API_KEY is not set"):
        registry.endpoint("openai", {}, {}, require_key=True)
    registry.endpoint("ollama", {}, {}, require_key=True)
    registry.endpoint("fake", {}, {}, require_key=True)


def test_the_projects_address_wins_over_the_environments() -> None:
    environ = {"OPENAI_BASE_URL": "http://127.0.0.1:9/v1/"}
    assert registry.endpoint("openai", {}, environ).base_url == "http://127.0.0.1:9/v1"
    own = {"base_url": "http://127.0.0.1:8/v1"}
    assert registry.endpoint("openai", own, environ).base_url == "http://127.0.0.1:8/v1"
    assert registry.endpoint("deepseek", {}, environ).base_url == "https://api.deepseek.com/v1"


def test_a_provider_of_the_projects_own_keeps_its_options() -> None:
    table = {
        "base_url": "https://models.example.com/v1",
        "api_key_env": "MY_KEY",
        "structured": "json_object",
        "timeout": 30,
        "params": {"temperature": 1.0},
        "usd_per_million": {"input": 1, "output": 2},
    }
    where = registry.endpoint("mine", table, {"MY_KEY": "secret-value\n"}, concurrency=5)
    assert where.api_key == "secret-value"
    assert "secret-value" not in repr(where)
    assert (where.structured, where.timeout, where.concurrency) == ("json_object", 30.0, 5)
    assert set(where.options) == {"usd_per_million"}


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"base_url": "ftp://x"}, "base_url"),
        ({"base_url": "https://user:pass@x/v1"}, "password"),
        ({"api_key": "sk-1"}, "does not belong"),
        ({"api_key_env": "sk-live-1234"}, "not the name"),
        ({"structured": "json"}, "structured"),
        ({"protocol": "opneai"}, "openai"),
        ({"timeout": 0}, "timeout"),
        ({"timeout": "long"}, "timeout"),
        ({"usd_per_million": {"input": 1}}, "usd_per_million"),
        ({"usd_per_million": {"input": -1, "output": 1}}, "usd_per_million"),
    ],
)
def test_wrong_settings_are_named_without_showing_secrets(
    table: dict[str, Any], words: str
) -> None:
    with pytest.raises(InputError) as found:
        registry.endpoint("mine", {"base_url": "https://x/v1", **table}, {})
    assert words in str(found.value)
    assert "sk-" not in str(found.value)
    assert "user:pass" not in str(found.value)


def test_the_embedded_model_gets_as_many_calls_as_it_has_slots() -> None:
    assert registry.endpoint("local", {}, {}, concurrency=64).concurrency == 2
    assert registry.endpoint("local", {"slots": 4}, {}, concurrency=64).concurrency == 4


def problems(model: str, **given: Any) -> list[str]:
    provider = model.partition(":")[0]
    where = registry.endpoint(
        provider, {"base_url": "http://x/v1"} if provider == "mine" else {}, {}
    )
    request = Request(model, TURNS, given)
    return registry.engine_class(where.protocol).problems(where, request)


@pytest.mark.parametrize(
    ("model", "given", "words"),
    [
        ("openai:m", {"temprature": 1.0}, "Did you mean 'temperature'"),
        ("openai:m", {"temperature": "hot"}, "a number from 0 to 2"),
        ("openai:m", {"temperature": True}, "a number"),
        ("openai:m", {"max_tokens": 0}, "at least 1"),
        ("openai:m", {"messages": []}, "engine itself"),
        ("openai:m", {"min_p": 0.1}, "no such param"),
        ("openai:", {}, "no model"),
        ("anthropic:m", {"temperature": 1.0}, "takes no temperature"),
        ("anthropic:m", {"top_k": 5}, "takes no temperature"),
        ("anthropic:m", {"output_config": {"format": {}}}, "output_config"),
        ("mine:m", {"max_token": 5}, "Did you mean 'max_tokens'"),
        ("local:smollm2", {"reasoning_effort": "low"}, "no such param"),
        ("local:nothing", {}, "neither smollm2"),
        ("local:missing.gguf", {}, "no such file"),
    ],
)
def test_problems_are_told_before_a_call(model: str, given: dict[str, Any], words: str) -> None:
    lines = problems(model, **given)
    assert len(lines) == 1
    assert words in lines[0]
    assert "\n" not in lines[0]


@pytest.mark.parametrize(
    ("model", "given"),
    [
        ("openai:m", {"temperature": 1, "stop": ["a"], "reasoning_effort": "low"}),
        ("anthropic:m", {"max_tokens": 10, "thinking": {"type": "disabled"}}),
        ("mine:m", {"min_p": 0.1, "repetition_penalty": 1.1, "top_k": 4}),
        ("local:smollm2", {"temperature": 0.7, "max_tokens": 50, "seed": 4}),
        ("fake:any", {"temperature": 0.7, "max_tokens": 50}),
    ],
)
def test_params_that_a_provider_takes_are_no_problem(model: str, given: dict[str, Any]) -> None:
    assert problems(model, **given) == []


def test_every_param_of_the_openai_sdk_is_known_or_the_engines_own() -> None:
    from openai.types.chat import completion_create_params as sdk

    names = set(sdk.CompletionCreateParamsBase.__annotations__)
    assert names <= set(params.OPENAI) | params.ENGINES_OWN
    assert set(params.OPENAI) <= names


def test_every_param_of_the_anthropic_sdk_is_known_or_the_engines_own() -> None:
    from anthropic.types import message_create_params as sdk

    names = set(sdk.MessageCreateParamsBase.__annotations__)
    left_out = {"diagnostics", "workspace_id"}
    assert names <= set(params.ANTHROPIC) | params.ENGINES_OWN | left_out
    assert set(params.ANTHROPIC) <= names
    assert not set(params.SAMPLING) & names


def test_a_gguf_counts_by_its_file_name() -> None:
    assert Local.canonical_name("/somewhere/a b/x.gguf") == "x.gguf"
    assert Local.canonical_name("models\\x.GGUF") == "x.GGUF"
    assert Local.canonical_name("x.gguf") == "x.gguf"
    assert OpenAI.canonical_name("team/model") == "team/model"


def test_planning_needs_no_sdk() -> None:
    code = (
        "import sys; from builder.engines import registry;"
        "from builder.records import Message, Request;"
        "r = lambda m: Request(m, (Message('user', 'x'),), {}, {'type': 'object',"
        " 'properties': {'a': {'type': 'string'}}});\n"
        "for m in ('openai:a', 'anthropic:a', 'local:smollm2', 'fake:any'):\n"
        "    e = registry.endpoint(m.split(':')[0], {}, {}); c = registry.engine_class(e.protocol)\n"
        "    c.defaults(e, 'a'); c.problems(e, r(m)); c.body(e, r(m), 'json_schema')\n"
        "assert not {'openai', 'anthropic', 'aiohttp', 'httpx2', 'xllamacpp'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, timeout=60)
