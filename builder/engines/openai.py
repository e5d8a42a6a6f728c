"""OpenAI's chat completions, and every server that speaks them."""

from collections.abc import Mapping
from typing import Any, Self

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

OWN = ("openai", "azure")  # Providers whose params are known to the last one.

STOPS: Mapping[str, Stop] = {
    "length": "length",
    "max_tokens": "length",
    "model_length": "length",
    "content_filter": "filter",
    "safety": "filter",
    "refusal": "refusal",
}
# Stop reasons that tell of the server's trouble, not of the answer.
TROUBLE = ("error", "insufficient_system_resource")


def body(_: Endpoint, request: Request, mode: Mode) -> dict[str, Any]:
    """The JSON of one chat completion."""
    messages = request.messages
    sent: dict[str, Any] = {"model": request.model_name}
    if request.schema is not None and mode == "json_schema":
        sent["response_format"] = json_schema(request.schema)
    elif request.schema is not None and mode == "json_schema_full":
        answer = {"name": "answer", "strict": False, "schema": structured.whole(request.schema)}
        sent["response_format"] = {"type": "json_schema", "json_schema": answer}
    elif request.schema is not None:
        messages = structured.described(messages, request.schema)
        if mode == "json_object":
            sent["response_format"] = {"type": "json_object"}
    sent["messages"] = [{"role": turn.role, "content": turn.content} for turn in messages]
    sent.update(request.params)
    return sent


def json_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The response format that carries a schema; strict where strictness can express it."""
    closed = structured.is_closed(schema)
    sent = structured.strict(schema) if closed else dict(schema)
    return {
        "type": "json_schema",
        "json_schema": {"name": "answer", "strict": closed, "schema": sent},
    }


def modes(endpoint: Endpoint, schema: Mapping[str, Any]) -> tuple[Mode, ...]:
    """The ways to ask for structure, best first; one if the project pins it.

    Servers other than OpenAI's enforce more of a schema than its strict mode takes.
    """
    if not structured.is_object(schema):
        return ("prompt",)
    if endpoint.structured is not None:
        return (endpoint.structured,)
    if endpoint.provider in OWN:
        return ("json_schema", "json_object", "prompt")
    return ("json_schema_full", "json_schema", "json_object", "prompt")


def path(endpoint: Endpoint, model: str) -> str:
    """Where a completion of the model is asked, behind base_url."""
    if endpoint.options.get("api_version"):
        return f"/deployments/{model}/chat/completions"
    return "/chat/completions"


def read(payload: Mapping[str, Any]) -> Content:
    """What a chat completion holds. `reasoning_content` and its like are no part of the answer."""
    choices = payload.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(choice, dict) or not isinstance(message, dict):
        raise TransportError("The reply holds no choice")
    reason = str(choice.get("finish_reason") or "")
    if reason in TROUBLE:
        raise TransportError(f"The server broke the answer off: {reason}")
    stop = STOPS.get(reason.lower(), "end")
    text = _text(message.get("content"))
    refusal = message.get("refusal")
    if isinstance(refusal, str) and refusal:
        stop, text = "refusal", refusal
    content = Content(
        text=text or "",
        stop=stop,
        stop_reason=reason,
        usage=_usage(payload.get("usage")),
        answered_by=str(payload.get("model") or ""),
        reasoning=_text(message.get("reasoning_content") or message.get("reasoning")) or "",
    )
    if content.text.strip() or stop != "end":
        return content
    return without_text(content, _arguments(message))


def _arguments(message: Mapping[str, Any]) -> str:
    """The arguments of the one tool that the model called in place of answering."""
    calls = message.get("tool_calls")
    function = calls[0].get("function") if isinstance(calls, list) and calls else None
    arguments = function.get("arguments") if isinstance(function, dict) else None
    return arguments if isinstance(arguments, str) else ""


def _text(content: object) -> str | None:
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        parts = [part.get("text") for part in content if isinstance(part, dict)]
        return "".join(part for part in parts if isinstance(part, str))
    return None


def _usage(usage: object) -> Usage:
    if not isinstance(usage, dict):
        return Usage()
    sent = tokens(usage.get("prompt_tokens"))
    details = usage.get("prompt_tokens_details")
    cached = tokens(details.get("cached_tokens")) if isinstance(details, dict) else None
    cached = tokens(usage.get("prompt_cache_hit_tokens")) if cached is None else cached
    if cached is not None and (sent is None or cached > sent):
        cached = None
    return Usage(sent, tokens(usage.get("completion_tokens")), cached)


FORMAT = Format(path=path, body=body, read=read, modes=modes)


class OpenAI(HttpEngine):
    """Chat completions over the SDK's aiohttp backend."""

    format = FORMAT

    @classmethod
    def problems(cls, endpoint: Endpoint, request: Request) -> list[str]:
        lines = [] if request.model_name else [f"model {request.model!r} names no model"]
        extras = endpoint.provider not in OWN
        return lines + params.problems(
            endpoint.provider, request.params, params.OPENAI, extras=extras
        )

    async def __aenter__(self) -> Self:
        import openai

        return self._open(openai, _client)


def _client(endpoint: Endpoint, sdk: Any, http_client: object) -> object:
    """The SDK's client. Servers other than the SDK's own get none of its account headers."""
    common: dict[str, Any] = {
        "api_key": endpoint.api_key or "none",
        "max_retries": 0,
        "timeout": endpoint.timeout,
        "http_client": http_client,
    }
    if endpoint.options.get("api_version"):
        return sdk.AsyncAzureOpenAI(
            azure_endpoint=str(endpoint.base_url).removesuffix("/openai/v1"),
            api_version=str(endpoint.options["api_version"]),
            **common,
        )
    if endpoint.provider != "openai":
        hidden = [*custom_headers("OPENAI"), "OpenAI-Organization", "OpenAI-Project"]
        common["default_headers"] = dict.fromkeys(hidden, sdk.Omit())
    return sdk.AsyncOpenAI(base_url=endpoint.base_url, **common)
