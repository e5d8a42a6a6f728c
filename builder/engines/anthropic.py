"""Anthropic's messages, and servers that speak them."""

from collections.abc import Mapping
from typing import Any, Self

import orjson

from builder.engines import params, structured
from builder.engines.exchange import (
    Content,
    Format,
    HttpEngine,
    custom_headers,
    tokens,
    without_text,
)
from builder.engines.protocol import Endpoint, Mode
from builder.errors import TransportError
from builder.records import Request, Stop, Usage

MAX_TOKENS = 4096  # The provider asks for a limit; this one where the user sets none.

STOPS: Mapping[str, Stop] = {
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "refusal",
}


def body(_: Endpoint, request: Request, mode: Mode) -> dict[str, Any]:
    """The JSON of one message request."""
    messages = request.messages
    sent: dict[str, Any] = {"model": request.model_name, "max_tokens": MAX_TOKENS}
    sent.update(request.params)
    if request.schema is not None and mode in ("json_schema", "json_schema_full"):
        format_ = {"type": "json_schema", "schema": structured.constrained(request.schema)}
        sent["output_config"] = {**sent.get("output_config", {}), "format": format_}
    elif request.schema is not None:
        messages = structured.described(messages, request.schema)
    system = [turn.content for turn in messages if turn.role == "system"]
    if system:
        sent["system"] = "\n\n".join(system)
    sent["messages"] = [
        {"role": turn.role, "content": turn.content} for turn in messages if turn.role != "system"
    ]
    return sent


def modes(endpoint: Endpoint, schema: Mapping[str, Any]) -> tuple[Mode, ...]:
    """The ways to ask for structure, best first; the format has no json_object."""
    if endpoint.structured in ("json_object", "prompt") or not (
        structured.is_object(schema) and structured.is_closed(schema)
    ):
        return ("prompt",)
    return ("json_schema",) if endpoint.structured else ("json_schema", "prompt")


def path(endpoint: Endpoint, _: str) -> str:
    """Where messages are asked, behind base_url, with or without its version."""
    return "/messages" if str(endpoint.base_url).endswith("/v1") else "/v1/messages"


def read(payload: Mapping[str, Any]) -> Content:
    """What a message holds: its text blocks, not its thinking."""
    blocks = payload.get("content")
    reason = str(payload.get("stop_reason") or "")
    stop = STOPS.get(reason, "end")
    if not isinstance(blocks, list):
        raise TransportError("The reply holds no content")
    blocks = [block for block in blocks if isinstance(block, dict)]
    usage = payload.get("usage")
    counted = usage if isinstance(usage, dict) else {}
    content = Content(
        text="".join(block["text"] for block in blocks if isinstance(block.get("text"), str)),
        stop=stop,
        stop_reason=reason,
        usage=_usage(counted),
        answered_by=str(payload.get("model") or ""),
        cache_written=tokens(counted.get("cache_creation_input_tokens")) or 0,
        reasoning="\n".join(
            block["thinking"] for block in blocks if isinstance(block.get("thinking"), str)
        ),
    )
    if content.text.strip() or stop != "end":
        return content
    inputs = [block["input"] for block in blocks if isinstance(block.get("input"), dict)]
    return without_text(content, orjson.dumps(inputs[0]).decode() if inputs else "")


def _usage(counted: Mapping[str, Any]) -> Usage:
    """Input counts everything that was read: plain, from the cache and into it."""
    plain = tokens(counted.get("input_tokens"))
    cached = tokens(counted.get("cache_read_input_tokens"))
    written = tokens(counted.get("cache_creation_input_tokens")) or 0
    whole = None if plain is None else plain + (cached or 0) + written
    return Usage(whole, tokens(counted.get("output_tokens")), cached)


FORMAT = Format(path=path, body=body, read=read, modes=modes)


class Anthropic(HttpEngine):
    """Messages over the SDK's aiohttp backend."""

    format = FORMAT

    @classmethod
    def defaults(cls, endpoint: Endpoint, model: str) -> Mapping[str, Any]:
        return {"max_tokens": MAX_TOKENS}

    @classmethod
    def problems(cls, endpoint: Endpoint, request: Request) -> list[str]:
        lines = [] if request.model_name else [f"model {request.model!r} names no model"]
        if not any(turn.role != "system" for turn in request.messages):
            lines.append("messages: the prompt has no user turn, and the provider needs one")
        if endpoint.provider != "anthropic":
            known = {**params.ANTHROPIC, **params.SAMPLING}
            return lines + params.problems(endpoint.provider, request.params, known, extras=True)
        lines += [
            f"params.{name}: anthropic takes no temperature, top_p or top_k; leave it out and let "
            "the prompt's variables make the rows differ"
            for name in request.params
            if name in params.SAMPLING
        ]
        others = {name: v for name, v in request.params.items() if name not in params.SAMPLING}
        return lines + params.problems("anthropic", others, params.ANTHROPIC, extras=False)

    async def __aenter__(self) -> Self:
        import anthropic

        return self._open(anthropic, _client)


def _client(endpoint: Endpoint, sdk: Any, http_client: object) -> object:
    """The SDK's client. Other servers get none of its own extra headers, and the key in both
    the ways that are in use."""
    headers: dict[str, Any] = {}
    if endpoint.provider != "anthropic":
        headers = dict.fromkeys(custom_headers("ANTHROPIC"), sdk.Omit())
        headers["x-api-key"] = endpoint.api_key or sdk.Omit()
    return sdk.AsyncAnthropic(
        api_key=endpoint.api_key or "none",
        base_url=endpoint.base_url,
        max_retries=0,
        timeout=endpoint.timeout,
        http_client=http_client,
        default_headers=headers or None,
    )
