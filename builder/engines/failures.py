"""What a server said about a failure, read from whatever shape it has: codes, names, words, waits.

Everything a server said passes through `excerpt`, which takes the key out of it, before it
can reach a message. What it all means is decided in `meanings`.
"""

import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple
from urllib.parse import quote

import orjson

from builder.engines.protocol import Endpoint

Redact = Callable[[str], str]

LONGEST_QUOTE = 300
LONGEST_BODY = 20_000  # Characters of a body that are looked through.
# Where bodies keep their message, and what kind of failure it is.
MESSAGES = ("message", "detail", "msg", "error_msg", "status_msg", "error", "errors")
CODES = ("code", "type", "status", "reason", "error_type", "error_code", "status_code")
# Parts of a body that hold the failure itself, or more about it.
INNER = (
    "error",
    "innererror",
    "inner_error",
    "details",
    "detail",
    "metadata",
    "base_resp",
    "choices",
)
# Names around the field that a validator's `loc` is about.
AROUND = frozenset(("body", "request", "__root__"))

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "秒": 1.0, "分钟": 60.0}
# Compiled when a failure is first read: a plan reads this module too.
_DURATION = r"(\d+(?:\.\d+)?)\s*(ms|秒|分钟|s|m(?!s)|h|d)[a-z]*"
_WAITS = (
    r"(?:(?:retry|try again|resets?|available|wait)\s+(?:in|after|within|for)|wait|请在?)\s*"
    r"((?:\d+(?:\.\d+)?\s*(?:ms|秒|分钟|s|m|h|d)[a-z]*\s*)+)"
)
_MOMENT = r"resets?(?: at)?:? *(\d{4}-\d\d-\d\d[t ]\d\d:\d\d:\d\d(?:\.\d+)?z?)"
_LOC = r"['\"]?loc['\"]?: ?[\[(]([^\])]*)[\])]"
_WORD = r"['\"]([^'\"]+)['\"]"


class Reply(NamedTuple):
    """What came over the wire: a status, headers with lower-case names, the whole body."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    latency: float


class Fault(NamedTuple):
    """What a server said about a failure."""

    message: str
    """One short line, without secrets."""
    codes: tuple[str, ...] = ()
    """Its codes, types and the like, in lower case."""
    names: tuple[str, ...] = ()
    """The fields of the request that it names as wrong."""
    words: str = ""
    """All the text of the body, in lower case."""
    after: float | None = None
    """Seconds that it asks to wait."""
    written: str = ""
    """What the model had written, where a refused answer is told."""


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


def fault_of(reply: Reply, redact: Redact) -> Fault:
    """The failure that a reply tells of, in its headers and its body, JSON or not."""
    try:
        fault = fault_in(orjson.loads(reply.body), redact)
    except orjson.JSONDecodeError:
        text = reply.body[:LONGEST_BODY].decode("utf-8", "replace")
        fault = Fault(
            excerpt(text[:4000], redact), words=text.lower(), after=_wait_in(text.lower())
        )
    after = retry_after(reply.headers)
    return fault if after is None else fault._replace(after=after)


def fault_in(payload: Any, redact: Redact) -> Fault:
    """The failure that a parsed body carries, whichever of the usual shapes it has."""
    parts = list(_parts(payload))
    messages = (_message(part) for part in reversed(parts))
    message = next((text for text in messages if text), "")
    # Gateways pass an upstream's body on as text: its quotes are escaped once or more.
    words = re.sub(r'\\+"', '"', orjson.dumps(payload).decode()[:LONGEST_BODY]).lower()
    written = next((part["failed_generation"] for part in parts if "failed_generation" in part), "")
    return Fault(
        excerpt(message or _plain(payload), redact),
        tuple(dict.fromkeys(code for part in parts for code in _codes(part))),
        tuple(dict.fromkeys((*(n for part in parts for n in _names(part)), *_locs(words)))),
        words,
        _delay(parts, words),
        redact(written) if isinstance(written, str) else "",
    )


def is_fault(payload: Any) -> bool:
    """Whether a parsed body that came with a good status tells of a failure all the same."""
    if not isinstance(payload, dict):
        return isinstance(payload, list) and any(map(is_fault, payload))
    if payload.get("type") == "error" or any(part.get("error") for part in _parts(payload)):
        return True
    state = payload.get("base_resp")
    if isinstance(state, dict) and state.get("status_code"):
        return True
    holds = not payload.keys().isdisjoint(("choices", "content"))
    return not holds and any(map(_message, _parts(payload)))


def _plain(payload: Any) -> str:
    return payload if isinstance(payload, str) else orjson.dumps(payload).decode()


def _parts(payload: Any, depth: int = 0) -> Iterator[Mapping[str, Any]]:
    """The objects of a body that tell of the failure, the outermost first."""
    if isinstance(payload, list):
        for item in payload[:20]:
            yield from _parts(item, depth)
    elif isinstance(payload, dict) and depth < 5:
        yield payload
        for name in filter(payload.get, INNER):
            yield from _parts(payload[name], depth + 1)


def _message(part: Mapping[str, Any]) -> str:
    """The first text of one object that is a message."""
    texts = (part.get(name) for name in MESSAGES)
    return next((text for text in texts if isinstance(text, str) and text.strip()), "")


def _codes(part: Mapping[str, Any]) -> Iterator[str]:
    for name in CODES:
        value = part.get(name)
        if isinstance(value, str | int) and not isinstance(value, bool) and value != "":
            yield str(value).lower()


def _names(part: Mapping[str, Any]) -> Iterator[str]:
    if isinstance(part.get("param"), str):
        yield from part["param"].lower().split(".")
    if isinstance(part.get("loc"), list):
        yield from (str(step).lower() for step in part["loc"] if step not in AROUND)


def _locs(words: str) -> Iterator[str]:
    """The fields that a validator's words name, where its own objects came as text."""
    for steps in re.findall(_LOC, words):
        yield from (step for step in re.findall(_WORD, steps) if step not in AROUND)


def _delay(parts: list[Mapping[str, Any]], words: str) -> float | None:
    for part in parts:
        for name, unit in (("retryDelay", 1.0), ("retry_after", 1.0), ("retry_after_ms", 0.001)):
            wait = seconds(str(part[name])) if name in part else None
            if wait is not None:
                return wait * unit
    return _wait_in(words)


def _wait_in(words: str) -> float | None:
    """Seconds that a text asks to wait: `retry in 1.2s`, `try again in 1m3s`, `resets at: …`."""
    if wait := re.search(_WAITS, words):
        return _duration(wait[1])
    if moment := re.search(_MOMENT, words):
        return seconds(moment[1].upper().replace(" ", "T"))
    return None


def _duration(text: str) -> float:
    return sum(float(amount) * _UNITS[unit] for amount, unit in re.findall(_DURATION, text))


def seconds(text: str, now: datetime | None = None) -> float | None:
    """Seconds from now of a wait: `1s`, `6m0s`, `120ms`, plain seconds, or an ISO time.

    >>> seconds("1m30s"), seconds("120ms"), seconds("2.5"), seconds("soon")
    (90.0, 0.12, 2.5, None)
    """
    text = text.strip()
    if re.fullmatch(r"(\d+(\.\d+)?(ms|s|m|h|d))+", text):
        return _duration(text)
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    with suppress(ValueError):
        moment = datetime.fromisoformat(text)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return max(0.0, (moment - (now or datetime.now(UTC))).total_seconds())
    return None


def retry_after(headers: Mapping[str, str], now: float | None = None) -> float | None:
    """Seconds that the provider's headers ask to wait: in milliseconds, seconds or as a date."""
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        with suppress(ValueError):
            wait = float(headers.get(name, "")) / unit
            if 0 <= wait < 1e9:
                return wait
    with suppress(ValueError, TypeError):
        date = parsedate_to_datetime(headers.get("retry-after", ""))
        return max(0.0, date.timestamp() - (time.time() if now is None else now))
    return None
