"""Which engine speaks a protocol, and where a provider is: presets, the project's table,
the environment, in that order of rising weight, except that what the project writes wins."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple
from urllib.parse import urlsplit

from builder.engines import params
from builder.engines.params import Check
from builder.engines.protocol import Endpoint, Engine, is_own
from builder.errors import InputError, nearest
from builder.plugins import PlugPoint
from builder.project.settings import Provider

ENGINES: PlugPoint[type[Engine]] = PlugPoint("engine", "builder.engines", Engine)
NOTHING = Provider()


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

LOCAL_SLOTS = 2
OWN = ("ollama", "vllm")  # Servers that people run themselves, wherever they are.
# What the engines of ours take beyond the settings of every provider; others take any word.
OPTIONS: Mapping[str, Mapping[str, Check]] = {
    "openai": {"api_version": params.word()},
    "anthropic": {},
    "local": dict.fromkeys(("slots", "n_ctx", "threads"), params.integer(1)),
    "fake": {"latency": params.number(0), "faults": params.table},
}


def engine_class(protocol: str) -> type[Engine]:
    """The engine of this name; InputError where there is none, or where it does not fit."""
    return ENGINES.load(protocol)


def endpoint(
    provider: str,
    settings: Provider = NOTHING,
    environ: Mapping[str, str] = MappingProxyType({}),
    *,
    require_key: bool = False,
    concurrency: int = 64,
) -> Endpoint:
    """Where a provider is and how it is spoken to.

    `settings` is the project's `[tool.builder.providers.<provider>]`; `environ` holds the
    variables, a `.env` file's included. `concurrency` is the number of calls that the project
    wants in flight; engines on this machine get as many as they have slots. Raises InputError for
    settings that cannot be right and, with `require_key`, for a key that is not set.
    """
    where = f"[tool.builder.providers.{provider}]"
    check_options(provider, settings)
    preset = PRESETS.get(provider) or _unknown(provider, settings, where)
    protocol = settings.protocol or preset.protocol
    if protocol not in ENGINES:
        raise InputError(
            f"{where} protocol: no engine speaks {protocol!r}.{nearest(protocol, ENGINES.names())}",
            hint="Known: " + ", ".join(ENGINES.names()) + ".",
        )
    options = settings.model_extra or {}
    given = settings.base_url
    addresses: list[str | None] = [*given] if isinstance(given, list) else [given]
    if protocol in ("openai", "anthropic"):
        addresses = [_address(provider, preset, url, settings, environ, where) for url in addresses]
    elif protocol == "local":
        concurrency = min(concurrency, options.get("slots", LOCAL_SLOTS))
    key_env = settings.api_key_env or preset.api_key_env
    return Endpoint(
        provider=provider,
        protocol=protocol,
        base_url=addresses[0],
        others=tuple(filter(None, addresses[1:])),
        api_key=_key(provider, key_env, environ, required=require_key),
        api_key_env=key_env,
        structured=settings.structured,
        timeout=settings.timeout or _timeout(provider, addresses[0]),
        concurrency=max(1, concurrency),
        requests_per_minute=settings.requests_per_minute,
        tokens_per_minute=settings.tokens_per_minute,
        usd_per_million=settings.usd_per_million,
        options=options,
    )


def _timeout(provider: str, address: str | None) -> float:
    """Seconds for a call: on a machine of one's own an answer may take minutes, and is no outage."""
    nearby = provider in OWN or is_own(urlsplit(address or "").hostname or "localhost")
    return 600.0 if nearby else 75.0


def check_options(provider: str, settings: Provider) -> None:
    """InputError for a setting that nobody reads, or whose value its engine cannot take."""
    usual = PRESETS[provider].protocol if provider in PRESETS else "openai"
    options = OPTIONS.get(settings.protocol or usual)
    if options is None or (provider not in PRESETS and provider in ENGINES):
        return
    for word, value in (settings.model_extra or {}).items():
        where = f"[tool.builder.providers.{provider}] {word}"
        if word not in options:
            known = [*Provider.model_fields, *options]
            raise InputError(
                f"{where}: unknown setting.{nearest(word, known)}",
                hint=f"expected one of {', '.join(known)}",
            )
        expected = options[word](value)
        if expected:
            raise InputError(f"{where}: {value!r} is not {expected}")


def _unknown(provider: str, settings: Provider, where: str) -> Preset:
    if settings.base_url:
        return Preset(None, None)
    if provider in ENGINES:
        return Preset(None, None, provider)
    raise InputError(
        f"Unknown provider {provider!r}.{nearest(provider, PRESETS)}",
        hint=f"Known: {', '.join(PRESETS)}. For another one, add {where} with its base_url.",
    )


def _address(
    provider: str,
    preset: Preset,
    given: str | None,
    settings: Provider,
    environ: Mapping[str, str],
    where: str,
) -> str:
    """The base address: the one that the project gives, else the environment's, else the preset's."""
    from_environ = environ.get(preset.base_url_env or "", "").strip()
    address = str(given or from_environ or preset.base_url or "").rstrip("/")
    if not address:
        variable = f"{preset.base_url_env}, or " if preset.base_url_env else ""
        raise InputError(
            f"Provider {provider!r} has no base_url", hint=f"Set {variable}base_url in {where}."
        )
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InputError(f"{where} base_url: {address!r} is no http:// or https:// address")
    if parts.username or parts.password:
        raise InputError(
            f"{where} base_url: an address must not hold a password",
            hint='Put the key into an environment variable and write api_key_env = "ITS_NAME".',
        )
    if (
        provider == "azure"
        and "api_version" not in (settings.model_extra or {})
        and "/openai" not in parts.path
    ):
        address += "/openai/v1"
    return address


def _key(
    provider: str, name: str | None, environ: Mapping[str, str], *, required: bool
) -> str | None:
    key = environ.get(name or "", "").strip()
    if name and required and not key:
        raise InputError(
            f"{name} is not set: provider {provider!r} needs a key",
            hint=f"Run `export {name}=…`, or put it into the project's .env file.",
        )
    if not key.isascii() or not key.isprintable() or " " in key:
        raise InputError(
            f"{name} holds characters that no key has", hint="Copy the key again, as plain text."
        )
    return key or None
