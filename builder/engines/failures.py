"""What a reply that brought no answer means: worth another try, or final.

Everything a server said passes through `excerpt`, which takes the key out of it, before it
can reach a message.
"""

import re
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple
from urllib.parse import quote

import orjson

from builder.engines.protocol import Endpoint, Mode
from builder.errors import EngineError, ProviderError, TransportError

Redact = Callable[[str], str]

TRY_AGAIN = frozenset((408, 409, 425, 429))
NO_MONEY = (
    "insufficient_quota",
    "billing",
    "insufficient balance",
    "credit balance",
    "exceeded_quota",
)
FORMAT_WORDS = (
    "response_format",
    "json_schema",
    "json_object",
    "structured output",
    "structured_output",
    "output_config",
    "output_format",
    "guided",
    "grammar",
    "extra inputs are not permitted",
)
LONGEST_QUOTE = 300


class Reply(NamedTuple):
    """What came over the wire: a status, headers with lower-case names, the whole body."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    latency: float


class Fault(NamedTuple):
    """What a server said about a failure."""

    message: str
    code: str = ""
    kind: str = ""

    @property
    def words(self) -> str:
        return f"{self.code} {self.kind} {self.message}".lower()


def redactor(endpoint: Endpoint) -> Redact:
    """A function that takes the endpoint's key out of a text, by its value."""
    key = endpoint.api_key or ""
    forms = sorted({key, quote(key, safe="")}, key=len, reverse=True) if len(key) >= 4 else []

    def redact(text: str) -> str:
        for form in forms:
            if form in text:
                text = text.replace(form, "[key]")
        return text

    return redact


def excerpt(text: str, redact: Redact) -> str:
    """What a server said as one short line, without the key, tags and control characters."""
    line = re.sub(r"<[^>]{0,200}>", " ", redact(text))
    line = " ".join("".join(c if c.isprintable() else " " for c in line).split())
    return line if len(line) <= LONGEST_QUOTE else line[:LONGEST_QUOTE] + "…"


def fault(payload: Any, redact: Redact) -> Fault:
    """The error that a parsed body carries, whichever of the usual shapes it has."""
    inner = payload.get("error", payload) if isinstance(payload, dict) else payload
    if not isinstance(inner, dict):
        return Fault(excerpt(str(inner), redact))
    message = inner.get("message") or inner.get("detail") or inner.get("msg") or ""
    if not isinstance(message, str):
        message = orjson.dumps(message, default=str).decode()
    metadata, code = inner.get("innererror"), inner.get("code")
    if code is None and isinstance(metadata, dict):
        code = metadata.get("code")
    texts = message, "" if code is None else str(code), str(inner.get("type") or "")
    return Fault(*(excerpt(text, redact) for text in texts))


def fault_of(reply: Reply, redact: Redact) -> Fault:
    """The error that a reply's body carries, JSON or not."""
    try:
        return fault(orjson.loads(reply.body), redact)
    except orjson.JSONDecodeError:
        return Fault(excerpt(reply.body[:4000].decode("utf-8", "replace"), redact))


def refuses_mode(reply: Reply, found: Fault, mode: Mode) -> bool:
    """Whether a reply refuses the way structure was asked for, so that another may do."""
    shaped = mode in ("json_schema", "json_object")
    refused = reply.status in (400, 404, 415, 422, 501)
    return shaped and refused and any(word in found.words for word in FORMAT_WORDS)


def is_filter(reply: Reply, found: Fault) -> bool:
    """Whether a reply says that the provider's filter stopped this one prompt."""
    return reply.status in (400, 403, 422) and any(
        word in found.words
        for word in ("content_filter", "responsibleaipolicy", "content_policy", "data_inspection")
    )


def classify(
    endpoint: Endpoint, model: str, reply: Reply, found: Fault, redact: Redact
) -> EngineError:
    """The error that a reply with a failing status (or an error inside a 200) means."""
    status, who = reply.status, endpoint.provider
    reason = f": {found.message}" if found.message else ""
    if any(word in found.words for word in NO_MONEY) and status in (400, 402, 403, 429):
        return ProviderError(
            f"{who} says that the account behind {_key(endpoint)} is out of quota or balance{reason}",
            hint="Top it up or raise its limit, then run again.",
        )
    if 300 <= status < 400:
        target = excerpt(reply.headers.get("location", ""), redact)
        return ProviderError(
            f"base_url {endpoint.base_url} answers with a redirect to {target or 'nowhere'}",
            hint="Redirects are not followed. Set base_url in [tool.builder.providers."
            f"{who}] to the final address.",
        )
    if status in TRY_AGAIN or status >= 500:
        return TransportError(
            f"{who} answered {status}{reason}",
            after=retry_after(reply.headers),
            limited=status in (429, 529),
            free=True,
        )
    message, hint = _final(endpoint, model, status, found)
    return ProviderError(f"{message}{reason}", hint=hint)


def _final(endpoint: Endpoint, model: str, status: int, found: Fault) -> tuple[str, str]:
    who, words, key = endpoint.provider, found.words, _key(endpoint)
    meanings = {
        401: (
            f"{who} refused the API key in {key} (401)",
            f"Set {key} to a valid key for {endpoint.base_url}.",
        ),
        402: (f"{who} wants payment for the key in {key} (402)", "Top up its account."),
        403: (
            f"{who} forbids model {model!r} to the key in {key} (403)",
            "Give the key access to the model, or set another model or key.",
        ),
        404: (
            f"{who} has no model {model!r} at base_url {endpoint.base_url} (404)",
            "Check the model's name, and that base_url ends where the API begins (often in /v1).",
        ),
    }
    if status in meanings:
        return meanings[status]
    if "max_completion_tokens" in words and "max_tokens" in words:
        return (
            f"params.max_tokens is not taken by model {model!r}",
            "Write max_completion_tokens instead of max_tokens in params.",
        )
    if status == 413 or re.search("context[_ ]length|too long", words):
        return (
            f"The prompt is too long for model {model!r} ({status})",
            "Shorten the prompt or params.max_tokens, or set a model with a longer context.",
        )
    if any(word in words for word in FORMAT_WORDS):
        return (
            f"{who} does not take the structured output asked of model {model!r} ({status})",
            f'Leave structured out of [tool.builder.providers.{who}], or set it to "prompt".',
        )
    return (
        f"{who} refused the request for model {model!r} ({status})",
        "Check the model, params and schema of the scenario.",
    )


def _key(endpoint: Endpoint) -> str:
    return endpoint.api_key_env or f"api_key_env of [tool.builder.providers.{endpoint.provider}]"


def retry_after(headers: Mapping[str, str], now: float | None = None) -> float | None:
    """Seconds that the provider asked to wait: in milliseconds, seconds or as a date."""
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        with suppress(ValueError):
            seconds = float(headers.get(name, "")) / unit
            if 0 <= seconds < 1e9:
                return seconds
    with suppress(ValueError, TypeError):
        date = parsedate_to_datetime(headers.get("retry-after", ""))
        return max(0.0, date.timestamp() - (time.time() if now is None else now))
    return None
