"""Which engine speaks a protocol, and where a provider is: presets, the project's table,
the environment, in that order of rising weight, except that what the project writes wins."""

from __future__ import annotations

import importlib
import math
import re
from collections.abc import Mapping
from functools import lru_cache
from importlib.metadata import entry_points
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from builder.engines.protocol import Endpoint, Engine
from builder.errors import InputError, nearest
from builder.project.settings import Provider

GROUP = "builder.engines"
BUILT_IN: Mapping[str, str] = {
    "openai": "builder.engines.openai:OpenAI",
    "anthropic": "builder.engines.anthropic:Anthropic",
    "local": "builder.engines.local:Local",
    "fake": "builder.engines.fake:Fake",
}
"""The same as the entry points of this distribution, for running without its metadata."""


class Preset(NamedTuple):
    """What is known of a provider before the project says anything."""

    base_url: str | None
    api_key_env: str | None
    protocol: str = "openai"
    base_url_env: str | None = None


PRESETS: Mapping[str, Preset] = {
    "openai": Preset("https://api.openai.com/v1", "OPENAI_API_KEY", "openai", "OPENAI_BASE_URL"),
    "anthropic": Preset(
        "https://api.anthropic.com", "ANTHROPIC_API_KEY", "anthropic", "ANTHROPIC_BASE_URL"
    ),
    "azure": Preset(None, "AZURE_OPENAI_API_KEY", "openai", "AZURE_OPENAI_ENDPOINT"),
    "deepseek": Preset("https://api.deepseek.com/v1", "DEEPSEEK_API_KEY"),
    "qwen": Preset("https://dashscope.aliyuncs.com/compatible-mode/v1", "DASHSCOPE_API_KEY"),
    "openrouter": Preset("https://openrouter.ai/api/v1", "OPENROUTER_API_KEY"),
    "ollama": Preset("http://localhost:11434/v1", None),
    "vllm": Preset("http://localhost:8000/v1", None),
    "local": Preset(None, None, "local"),
    "fake": Preset(None, None, "fake"),
}
HERE = ("local", "fake")
"""Protocols without an address."""

LOCAL_SLOTS = 2
MODES = ("json_schema", "json_object", "prompt")
OPTIONS: Mapping[str, tuple[str, ...]] = {
    "openai": ("api_version",),
    "anthropic": (),
    "local": ("slots", "n_ctx", "threads"),
    "fake": ("latency", "faults"),
}
"""What the engines of ours take beyond the settings of every provider; others take any word."""
TAKEN = frozenset(("base_url", "api_key_env", "structured", "protocol", "timeout", "params"))
"""Settings that have a field of their own; the rest are the endpoint's options."""


@lru_cache(maxsize=1)
def protocols() -> tuple[str, ...]:
    """The names of all engines that can be used here; what is installed is looked through once."""
    return tuple(sorted({*BUILT_IN, *(point.name for point in entry_points(group=GROUP))}))


@lru_cache(maxsize=32)
def engine_class(protocol: str) -> type[Engine]:
    """The engine registered under this name; InputError with the nearest one otherwise."""
    if protocol not in BUILT_IN:
        for point in entry_points(group=GROUP, name=protocol):
            found: type[Engine] = point.load()
            return found
        raise InputError(
            f"No engine speaks {protocol!r}.{nearest(protocol, protocols())}",
            hint="Known: " + ", ".join(protocols()) + ".",
        )
    module, _, name = BUILT_IN[protocol].partition(":")
    built_in: type[Engine] = getattr(importlib.import_module(module), name)
    return built_in


def endpoint(
    provider: str,
    settings: Mapping[str, Any],
    environ: Mapping[str, str],
    *,
    require_key: bool = False,
    concurrency: int = 64,
) -> Endpoint:
    """Where a provider is and how it is spoken to.

    `settings` is the project's `[tool.builder.providers.<provider>]`, empty if it has none;
    `environ` holds the variables, a `.env` file's included. `concurrency` is the number of
    calls that the project wants in flight; engines on this machine get as many as they have
    slots. Raises InputError for settings that cannot be right and, with `require_key`, for
    a key that is not set.
    """
    where = f"[tool.builder.providers.{provider}]"
    check_words(provider, settings)
    preset = PRESETS.get(provider) or _unknown(provider, settings, where)
    protocol = settings.get("protocol", preset.protocol)
    if protocol not in BUILT_IN and protocol not in protocols():
        raise InputError(
            f"{where} protocol: no engine speaks {protocol!r}.{nearest(protocol, protocols())}",
            hint="Known: " + ", ".join(protocols()) + ".",
        )
    _check(settings, where)
    options = {name: value for name, value in settings.items() if name not in TAKEN}
    if protocol in HERE or protocol not in BUILT_IN:
        slots = options.get("slots", LOCAL_SLOTS if protocol == "local" else concurrency)
        address, key_env, concurrency = settings.get("base_url"), None, min(concurrency, slots)
    else:
        address = _address(provider, preset, settings, environ, where)
    key_env = settings.get("api_key_env", preset.api_key_env)
    key = _key(provider, key_env, environ, required=require_key)
    return Endpoint(
        provider=provider,
        protocol=protocol,
        base_url=address,
        api_key=key,
        api_key_env=key_env,
        structured=settings.get("structured"),
        timeout=float(settings.get("timeout", 600.0 if protocol == "local" else 75.0)),
        concurrency=max(1, concurrency),
        options=options,
    )


def check_words(provider: str, settings: Mapping[str, Any]) -> None:
    """InputError for a setting that nobody reads."""
    usual = PRESETS[provider].protocol if provider in PRESETS else "openai"
    own = OPTIONS.get(settings.get("protocol") or usual)
    if own is None or (provider not in PRESETS and provider in protocols()):
        return
    known = [*Provider.model_fields, *own]
    for word in settings:
        if word not in known and word != "api_key":
            raise InputError(
                f"[tool.builder.providers.{provider}] {word}: unknown setting.{nearest(word, known)}",
                hint=f"expected one of {', '.join(known)}",
            )


def _unknown(provider: str, settings: Mapping[str, Any], where: str) -> Preset:
    """The preset of a name of the project's own."""
    if "base_url" in settings:
        return Preset(None, None)
    if provider in protocols():
        return Preset(None, None, provider)
    raise InputError(
        f"Unknown provider {provider!r}.{nearest(provider, PRESETS)}",
        hint=f"Known: {', '.join(PRESETS)}. For another one, add {where} with its base_url.",
    )


def _check(settings: Mapping[str, Any], where: str) -> None:
    """Raises for settings whose value cannot be right."""
    if "api_key" in settings:
        raise InputError(
            f"{where} api_key: a key does not belong into a file",
            hint='Put it into an environment variable and write api_key_env = "ITS_NAME".',
        )
    name = settings.get("api_key_env")
    if name is not None and not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,127}", str(name)):
        raise InputError(
            f"{where} api_key_env: not the name of an environment variable",
            hint="Write the name of the variable that holds the key, never the key.",
        )
    if settings.get("structured") not in (None, *MODES):
        raise InputError(
            f"{where} structured: {settings['structured']!r} is not one of {', '.join(MODES)}."
            + nearest(str(settings["structured"]), MODES)
        )
    for name in ("timeout", "slots", "n_ctx"):
        value = settings.get(name, 1)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e6:
            raise InputError(f"{where} {name}: {value!r} is not a number above 0")
    _check_prices(settings.get("usd_per_million"), where)


def _check_prices(table: Any, where: str) -> None:
    if table is None:
        return
    known = ("input", "output", "cached")
    expected = "usd_per_million: expected {input = …, output = …} and perhaps cached, in US dollars"
    if not isinstance(table, Mapping) or not {"input", "output"} <= set(table) <= set(known):
        raise InputError(f"{where} {expected}")
    for name, value in table.items():
        good = isinstance(value, int | float) and not isinstance(value, bool)
        if not good or not math.isfinite(value) or value < 0:
            raise InputError(f"{where} usd_per_million.{name}: {value!r} is not a price")


def _address(
    provider: str,
    preset: Preset,
    settings: Mapping[str, Any],
    environ: Mapping[str, str],
    where: str,
) -> str:
    """The base address: the project's, else the environment's, else the preset's."""
    from_environ = environ.get(preset.base_url_env or "", "").strip()
    address = str(settings.get("base_url") or from_environ or preset.base_url or "").rstrip("/")
    if not address:
        raise InputError(
            f"Provider {provider!r} has no base_url",
            hint=f"Set {preset.base_url_env}, or base_url in {where}."
            if preset.base_url_env
            else f"Set base_url in {where}.",
        )
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InputError(f"{where} base_url: {address!r} is no http:// or https:// address")
    if parts.username or parts.password:
        raise InputError(
            f"{where} base_url: an address must not hold a password",
            hint='Put the key into an environment variable and write api_key_env = "ITS_NAME".',
        )
    if provider == "azure" and "api_version" not in settings and "/openai" not in parts.path:
        address += "/openai/v1"
    return address


def _key(
    provider: str, name: str | None, environ: Mapping[str, str], *, required: bool
) -> str | None:
    if name is None:
        return None
    key = environ.get(name, "").strip()
    if not key:
        if required:
            raise InputError(
                f"{name} is not set: provider {provider!r} needs a key",
                hint=f"Run `export {name}=…`, or put it into the project's .env file.",
            )
        return None
    if not key.isascii() or not key.isprintable() or " " in key:
        raise InputError(
            f"{name} holds characters that no key has", hint="Copy the key again, as plain text."
        )
    return key
