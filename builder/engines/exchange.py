"""One exchange with a provider: mode, body, wire, reply, completion. What both formats share."""

import os
import time
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any, ClassVar, NamedTuple, Protocol, Self

import orjson

from builder.engines import failures, prices, structured
from builder.engines.protocol import Endpoint, Engine, Mode
from builder.errors import EngineError, TransportError
from builder.records import Call, Completion, Request, Stop, Usage

MOST_TOKENS = 10**8  # A count above this is no count of one call's tokens.


class Content(NamedTuple):
    """What a reply of either format holds."""

    text: str
    stop: Stop
    stop_reason: str
    usage: Usage
    answered_by: str
    cache_written: int = 0
    reasoning: str = ""
    """What the model thought before it answered, where the provider shows it."""


class Format(NamedTuple):
    """What tells one wire format from another: pure functions."""

    path: Callable[[Endpoint, str], str]
    body: Callable[[Endpoint, Request, Mode], dict[str, Any]]
    read: Callable[[Mapping[str, Any]], Content]
    """Raises TransportError for a payload that holds no reply."""
    modes: Callable[[Endpoint, Mapping[str, Any]], tuple[Mode, ...]]
    seeded: bool = False
    """Whether the key's seed is sent, where the user gave none."""


class Post(Protocol):
    """Where bodies go: see `wire.Wire`."""

    host: str

    async def post(self, path: str, payload: bytes) -> failures.Reply: ...


class Exchange:
    """Asks one endpoint in one format. Safe for many workers of one event loop."""

    def __init__(self, endpoint: Endpoint, wire: Post, format_: Format) -> None:
        self._endpoint = endpoint
        self._wire = wire
        self._format = format_
        self._redact = failures.redactor(endpoint)
        self._fallbacks: dict[tuple[str, bytes], structured.ModeFallback] = {}
        self._prices: dict[str, prices.Price | None] = {}

    async def complete(self, call: Call) -> Completion:
        """The reply as a completion; see `Engine.complete`."""
        if call.request.schema is None:
            return self._completion(call, "text", await self._ask(call, "text"))
        fallback = self._fallback(call.request)
        mode = await fallback.mode()
        try:
            while True:
                reply = await self._ask(call, mode)
                if reply.status == 200:
                    break
                fault = failures.fault_of(reply, self._redact)
                refused = failures.refuses_mode(reply, fault, mode)
                lower = fallback.step_down(mode) if refused else None
                if lower is None:
                    break
                mode = lower
        finally:
            fallback.settle()
        return self._completion(call, mode, reply)

    def _fallback(self, request: Request) -> structured.ModeFallback:
        assert request.schema is not None
        address = (request.model, orjson.dumps(request.schema))
        fallback = self._fallbacks.get(address)
        if fallback is None:
            modes = self._format.modes(self._endpoint, request.schema)
            fallback = self._fallbacks[address] = structured.ModeFallback(modes)
        return fallback

    async def _ask(self, call: Call, mode: Mode) -> failures.Reply:
        body = self._format.body(self._endpoint, call.sent, mode)
        if self._format.seeded:
            body.setdefault("seed", call.seed)
        path = self._format.path(self._endpoint, call.request.model_name)
        return await self._wire.post(path, orjson.dumps(body, default=dict))

    def _completion(self, call: Call, mode: Mode, reply: failures.Reply) -> Completion:
        content = self._read(call.request, reply)
        return Completion(
            key=call.key,
            text=self._redact(content.text),
            model=call.request.model,
            answered_by=self._redact(content.answered_by),
            stop=content.stop,
            stop_reason=self._redact(content.stop_reason),
            usage=content.usage,
            mode=mode,
            host=self._wire.host,
            latency=reply.latency,
            time=time.time(),
            sent=call.turns,
            usd=self._usd(call.request, content),
            reasoning=self._redact(content.reasoning),
        )

    def _read(self, request: Request, reply: failures.Reply) -> Content:
        """What the reply holds; raises the error that it means otherwise."""
        if reply.status != 200:
            fault = failures.fault_of(reply, self._redact)
            if failures.is_filter(reply, fault):
                reason = fault.code or "content_filter"
                return Content("", "filter", reason, Usage(input=None, output=0), "")
            raise failures.classify(self._endpoint, request.model_name, reply, fault, self._redact)
        try:
            payload = orjson.loads(reply.body.removeprefix(b"\xef\xbb\xbf"))
        except orjson.JSONDecodeError:
            text = failures.excerpt(reply.body[:400].decode("utf-8", "replace"), self._redact)
            who, size = self._endpoint.provider, f"{len(reply.body)} bytes"
            raise TransportError(f"{who} answered 200 without whole JSON: {text or size}") from None
        if not isinstance(payload, dict):
            raise TransportError(f"{self._endpoint.provider} answered 200 with no JSON object")
        if payload.get("error") or payload.get("type") == "error":
            raise self._error_inside(request, reply, payload)
        return self._format.read(payload)

    def _error_inside(
        self, request: Request, reply: failures.Reply, payload: Mapping[str, Any]
    ) -> EngineError:
        """An error told with status 200: trouble, unless its own code says that it is final."""
        fault = failures.fault(payload, self._redact)
        code = int(fault.code) if fault.code.isdigit() else 0
        money = any(word in fault.words for word in failures.NO_MONEY)
        if code in (401, 402, 403, 404, 429) or money:
            inner = reply._replace(status=code or 429)
            return failures.classify(self._endpoint, request.model_name, inner, fault, self._redact)
        return TransportError(
            f"{self._endpoint.provider} answered 200 with an error inside: {fault.message}",
            after=failures.retry_after(reply.headers),
            limited="rate_limit" in fault.kind or "overloaded" in fault.kind,
        )

    def _usd(self, request: Request, content: Content) -> float | None:
        if request.model not in self._prices:
            self._prices[request.model] = prices.lookup(self._endpoint, request.model_name)
        price = self._prices[request.model]
        return price.usd(content.usage, written=content.cache_written) if price else None


class HttpEngine(Engine):
    """An engine that asks over HTTP, through its provider's SDK and in one format."""

    format: ClassVar[Format]

    @classmethod
    def body(cls, endpoint: Endpoint, request: Request, mode: Mode) -> dict[str, Any]:
        return cls.format.body(endpoint, request, mode)

    def _open(self, sdk: ModuleType, client: Callable[[Endpoint, Any, Any], object]) -> Self:
        """The engine with its wire: `client` makes the SDK's one, given the HTTP client to use."""
        from builder.engines.wire import Wire

        self._wire = Wire(self.endpoint, sdk, self.on_headers)
        self._wire.client = client(self.endpoint, sdk, self._wire.http_client())
        self._exchange = Exchange(self.endpoint, self._wire, self.format)
        return self

    async def __aexit__(self, *failure: object) -> None:
        await self._wire.close()

    async def complete(self, call: Call) -> Completion:
        return await self._exchange.complete(call)


def custom_headers(sdk: str) -> list[str]:
    """The names of the headers that an SDK adds to every request, by its variable."""
    lines = os.environ.get(f"{sdk}_CUSTOM_HEADERS", "").split("\n")
    return [name for line in lines if (name := line.partition(":")[0].strip())]


def tokens(value: object) -> int | None:
    """A count of tokens, or None for what cannot be one."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_TOKENS:
        return value
    return None
