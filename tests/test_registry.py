"""Which engine a protocol names, and what settings and environment make of a provider."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from builder.engines import params, registry
from builder.engines.local import Local
from builder.engines.openai import OpenAI
from builder.engines.protocol import Endpoint
from builder.errors import InputError
from builder.project.settings import Prices, Provider
from builder.records import Message, Request
from tests import projects

TURNS = (Message("user", "hello"),)
EMPTY: Mapping[str, str] = MappingProxyType({})


def test_our_engines_are_entry_points_of_this_package() -> None:
    written = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text("utf-8"))
    points = written["project"]["entry-points"]["builder.engines"]
    assert set(points) == set(registry.ENGINES.ours()) == set(registry.OPTIONS)
    for name, value in points.items():
        engine = registry.engine_class(name)
        assert f"{engine.__module__}:{engine.__name__}" == value


def test_an_unknown_protocol_names_the_nearest() -> None:
    with pytest.raises(InputError, match="Did you mean 'anthropic'"):
        registry.engine_class("antropic")


def test_an_unknown_provider_names_the_nearest() -> None:
    with pytest.raises(InputError, match="Did you mean 'deepseek'"):
        registry.endpoint("deepseak")


def where(provider: str, *, environ: Mapping[str, str] = EMPTY, **table: Any) -> Endpoint:
    """The endpoint of a provider with this table in the project's settings."""
    return registry.endpoint(provider, Provider.model_validate(table), environ)


def test_a_missing_key_matters_only_when_calls_are_made() -> None:
    assert registry.endpoint("openai").api_key is None
    with pytest.raises(InputError, match=r"^OPENAI_API_KEY is not set"):
        registry.endpoint("openai", require_key=True)
    registry.endpoint("ollama", require_key=True)
    registry.endpoint("fake", require_key=True)


def test_a_key_with_strange_characters_is_refused_without_being_shown() -> None:
    for key in ("two words", "sk-“quoted”", "sk-\x07bell"):
        with pytest.raises(InputError, match="holds characters that no key has") as caught:
            registry.endpoint("openai", environ={"OPENAI_API_KEY": key})
        assert key not in str(caught.value)


def test_the_projects_address_wins_over_the_environments() -> None:
    environ = {"OPENAI_BASE_URL": "http://127.0.0.1:9/v1/"}
    assert where("openai", environ=environ).base_url == "http://127.0.0.1:9/v1"
    written = where("openai", environ=environ, base_url="http://127.0.0.1:8/v1")
    assert written.base_url == "http://127.0.0.1:8/v1"
    assert where("deepseek", environ=environ).base_url == "https://api.deepseek.com/v1"


def test_azure_without_an_api_version_is_asked_at_its_newer_address() -> None:
    at: dict[str, Any] = {"base_url": "https://x.example.com"}
    assert where("azure", **at).base_url == "https://x.example.com/openai/v1"
    assert where("azure", **at, api_version="2026-01-01").base_url == "https://x.example.com"
    assert where("azure", base_url="https://x/openai/v1").base_url == "https://x/openai/v1"
    with pytest.raises(InputError, match="Provider 'azure' has no base_url") as caught:
        where("azure")
    assert "Set AZURE_OPENAI_ENDPOINT, or base_url in" in str(caught.value)


def test_a_provider_of_the_projects_own_keeps_its_options() -> None:
    mine = registry.endpoint(
        "mine",
        Provider.model_validate({
            "base_url": "https://models.example.com/v1",
            "api_key_env": "MY_KEY",
            "structured": "json_object",
            "timeout": 30,
            "params": {"temperature": 1.0},
            "requests_per_minute": 500,
            "tokens_per_minute": 9000,
            "usd_per_million": {"input": 1, "output": 2},
        }),
        {"MY_KEY": "secret-value\n"},
        concurrency=5,
    )  # fmt: skip
    assert mine.api_key == "secret-value"
    assert "secret-value" not in repr(mine)
    assert (mine.structured, mine.timeout, mine.concurrency) == ("json_object", 30.0, 5)
    assert (mine.requests_per_minute, mine.tokens_per_minute) == (500, 9000)
    assert mine.usd_per_million == Prices(input=1, output=2)
    assert not mine.options


@pytest.mark.parametrize(
    ("provider", "base_url", "timeout"),
    [
        ("mine", "https://api.example.com/v1", 75.0),
        ("mine", "http://8.8.8.8/v1", 75.0),
        ("mine", "http://127.0.0.1:8000/v1", 600.0),
        ("mine", "http://10.0.0.5/v1", 600.0),
        ("mine", "http://[::1]:8000/v1", 600.0),
        ("mine", "http://gpu:8000/v1", 600.0),
        ("mine", "http://gpu.local/v1", 600.0),
        ("vllm", "https://vllm.example.com/v1", 600.0),
        ("ollama", None, 600.0),
        ("local", None, 600.0),
        ("openai", None, 75.0),
    ],
)
def test_answers_of_ones_own_machines_may_take_ten_minutes(
    provider: str, base_url: str | None, timeout: float
) -> None:
    given: dict[str, Any] = {"base_url": base_url} if base_url else {}
    assert where(provider, **given).timeout == timeout


def test_several_addresses_answer_for_one_provider() -> None:
    urls = ["http://a:1/v1/", "http://b:2/v1"]
    endpoint = where("mine", base_url=urls)
    assert [place.base_url for place in endpoint.each()] == ["http://a:1/v1", "http://b:2/v1"]
    with pytest.raises(InputError, match="'b:2' is no http"):
        where("mine", base_url=["http://a:1", "b:2"])


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('base_url = "ftp://x"', "base_url"),
        ('base_url = "https://user:pass@x/v1"', "password"),
        ('api_key = "sk-1"', "does not belong"),
        ('api_key_env = "sk-live-1234"', "the name of an environment variable"),
        ('structured = "json"', "structured"),
        ('protocol = "opneai"', "Did you mean 'openai'"),
        ("timeout = 0", "timeout"),
        ('timeout = "long"', "timeout"),
        ("usd_per_million = {input = 1}", "usd_per_million"),
        ("usd_per_million = {input = -1, output = 1}", "usd_per_million"),
        ("slots = 2", "unknown setting"),
    ],
)
def test_wrong_settings_are_placed_without_showing_secrets(
    line: str, words: str, tmp_path: Path
) -> None:
    address = "" if line.startswith("base_url") else 'base_url = "https://x/v1"\n'
    settings = f'[tool.builder]\nmodel = "mine:m"\n[tool.builder.providers.mine]\n{address}{line}\n'
    ran = projects.run(projects.write(tmp_path, {"pyproject.toml": settings}), "plan")
    assert ran.code == 2
    assert f"pyproject.toml:{settings.splitlines().index(line) + 1}:" in ran.err
    assert words in ran.err
    assert "sk-" not in ran.err
    assert "user:pass" not in ran.err


@pytest.mark.parametrize(
    ("provider", "table", "words"),
    [
        ("local", {"slots": 0}, "slots: 0 is not a whole number of at least 1"),
        ("local", {"n_ctx": "much"}, "n_ctx: 'much' is not a whole number"),
        ("local", {"threads": 1.5}, "threads: 1.5 is not a whole number"),
        ("local", {"thread": 1}, "Did you mean 'threads'"),
        ("fake", {"latency": -1}, "latency: -1 is not a number of at least 0"),
        ("fake", {"faults": 0.5}, "faults: 0.5 is not a table"),
        ("azure", {"api_version": 2026}, "api_version: 2026 is not a text"),
    ],
)
def test_an_engines_own_settings_are_checked_by_name_and_value(
    provider: str, table: dict[str, Any], words: str
) -> None:
    with pytest.raises(InputError) as caught:
        where(provider, **table)
    assert str(caught.value).startswith(f"[tool.builder.providers.{provider}] ")
    assert words in str(caught.value)


def test_the_embedded_model_gets_as_many_calls_as_it_has_slots() -> None:
    assert registry.endpoint("local", concurrency=64).concurrency == 2
    assert registry.endpoint("local", concurrency=1).concurrency == 1
    assert (
        registry.endpoint(
            "local", Provider.model_validate({"slots": 4}), concurrency=64
        ).concurrency
        == 4
    )
    assert registry.endpoint("fake", concurrency=64).concurrency == 64


def problems(model: str, **given: Any) -> list[str]:
    provider = model.partition(":")[0]
    table: dict[str, Any] = {"base_url": "http://x/v1"} if provider == "mine" else {}
    endpoint = where(provider, **table)
    request = Request(model, TURNS, given)
    return registry.engine_class(endpoint.protocol).problems(endpoint, request)


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
        "    e = registry.endpoint(m.split(':')[0]); c = registry.engine_class(e.protocol)\n"
        "    c.defaults(e, 'a'); c.problems(e, r(m)); c.body(e, r(m), 'json_schema')\n"
        "assert not {'openai', 'anthropic', 'aiohttp', 'httpx2', 'xllamacpp'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, timeout=60)
