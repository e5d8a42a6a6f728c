"""One exchange with a provider: mode, body, wire, reply, completion. What both formats share."""

import os
import time
from collections.abc import Awaitable, Callable, Mapping
from types import ModuleType
from typing import Any, ClassVar, NamedTuple, Protocol, Self

import orjson

from builder import jsonschema
from builder.engines import failures, meanings, prices, structured
from builder.engines.protocol import Endpoint, Engine, Mode
from builder.errors import EngineError, ProviderError, TransportError, nearest
from builder.records import Call, Completion, Request, Stop, Usage

# What marks the stop reason of an answer that stood where none is expected.
ELSEWHERE = ("in tool_calls", "in reasoning")
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

    async def get(self, path: str) -> failures.Reply: ...


class Exchange:
    """Asks one endpoint in one format. Safe for many workers of one event loop."""

    def __init__(self, endpoint: Endpoint, wire: Post, format_: Format) -> None:
        self._endpoint = endpoint
        self._wire = wire
        self._format = format_
        self._redact = failures.redactor(endpoint)
        self._fallbacks: dict[tuple[str, bytes], structured.ModeFallback] = {}
        self._prices: dict[str, prices.Price | None] = {}
        self._served: Awaitable[failures.Reply] | None = None

    async def complete(self, call: Call) -> Completion:
        """The reply as a completion; see `Engine.complete`."""
        if call.request.schema is None:
            return await self._completion(call, "text", await self._ask(call, "text"))
        fallback = self._fallback(call.request)
        mode = await fallback.mode()
        try:
            while True:
                reply = await self._ask(call, mode)
                meaning = self._meaning(call.request, mode, reply)
                if meaning == "request":
                    # A refusal without a reason may be about the way: a lower one tells.
                    mode, reply = await self._lower_answer(call, fallback) or (mode, reply)
                    break
                next_mode = fallback.step_down(mode) if meaning == "schema" else None
                if next_mode is None:
                    break
                mode = next_mode
        finally:
            fallback.settle()
        completion = await self._completion(call, mode, reply)
        if completion.is_answer:
            fallback.note(mode, completion.text)
        return completion

    async def _lower_answer(
        self, call: Call, fallback: structured.ModeFallback
    ) -> tuple[Mode, failures.Reply] | None:
        """The first lower way to ask that is answered, with its reply; tried once for a schema."""
        for mode in fallback.guess():
            reply = await self._ask(call, mode)
            if self._meaning(call.request, mode, reply) is None:
                fallback.keep(mode)
                return mode, reply
        return None

    def _meaning(
        self, request: Request, mode: Mode, reply: failures.Reply
    ) -> meanings.Meaning | None:
        """What a reply's status means; None for a good one."""
        if 200 <= reply.status < 300:
            return None
        fault = failures.fault_of(reply, self._redact)
        return meanings.meaning_of(reply.status, fault, _asked(request, mode))

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

    async def _completion(self, call: Call, mode: Mode, reply: failures.Reply) -> Completion:
        content = self._content(reply)
        if isinstance(content, failures.Fault):
            content = await self._outcome(_asked(call.request, mode), reply, content)
        if content.stop == "reasoning" and call.request.schema is not None:
            content = _from_thoughts(content, call.request.schema)
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

    def _content(self, reply: failures.Reply) -> Content | failures.Fault:
        """What the reply holds: an answer, or what it says about a failure."""
        if not 200 <= reply.status < 300:
            return failures.fault_of(reply, self._redact)
        who = self._endpoint.provider
        try:
            payload = orjson.loads(reply.body.removeprefix(b"\xef\xbb\xbf"))
        except orjson.JSONDecodeError:
            text = failures.excerpt(reply.body[:400].decode("utf-8", "replace"), self._redact)
            text = text or f"{len(reply.body)} bytes"
            raise TransportError(
                f"{who} answered {reply.status} without whole JSON: {text}"
            ) from None
        if failures.is_fault(payload):
            return failures.fault_of(reply, self._redact)
        if not isinstance(payload, dict):
            raise TransportError(f"{who} answered {reply.status} with no JSON object")
        return self._format.read(payload)

    async def _outcome(
        self, asked: meanings.Asked, reply: failures.Reply, fault: failures.Fault
    ) -> Content:
        """What a failure is worth: nothing of an answer, a refused answer, or the error it means."""
        meaning = meanings.meaning_of(reply.status, fault, asked)
        code = next(iter(fault.codes), meaning)
        if meaning == "filter":
            return Content("", "filter", code, Usage(input=None, output=0), "")
        if meaning == "generation":
            return Content(fault.written, "end", code, Usage(), "")
        error = meanings.error_of(self._endpoint, asked, reply, fault, self._redact)
        if meaning == "model":
            names = await self._models()
            if names and asked.model not in names:
                hint = f"It serves {', '.join(names[:10])}.{nearest(asked.model, names)}"
                raise ProviderError(error.message, hint=hint)
        raise error

    async def ready(self) -> bool:
        """Whether the server says which models it serves, or at least that it does not say."""
        try:
            return (await self._wire.get(self._listing)).status < 500
        except EngineError:
            return False

    @property
    def _listing(self) -> str:
        path = self._format.path(self._endpoint, "")
        return path.removesuffix("/chat/completions").removesuffix("/messages") + "/models"

    async def _models(self) -> list[str]:
        """The models that the endpoint says it serves; asked once, none where it does not say."""
        if self._served is None:
            import asyncio  # a plan reads this module and calls nobody

            self._served = asyncio.ensure_future(self._wire.get(self._listing))
        try:
            payload = orjson.loads((await self._served).body)
            return [self._redact(str(model["id"])) for model in payload["data"]]
        except (EngineError, orjson.JSONDecodeError, KeyError, TypeError):
            return []

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

    async def ready(self) -> bool:
        return await self._exchange.ready()

    async def complete(self, call: Call) -> Completion:
        return await self._exchange.complete(call)


def _asked(request: Request, mode: Mode) -> meanings.Asked:
    return meanings.Asked(request.model_name, mode, tuple(request.params))


def without_text(content: Content, arguments: str) -> Content:
    """What a reply without text holds: the arguments of a tool, thoughts alone, or nothing.

    Raises TransportError where not even a token was counted.
    """
    if arguments:
        return content._replace(text=arguments, stop_reason=f"{content.stop_reason} {ELSEWHERE[0]}")
    if content.reasoning:
        return content._replace(stop="reasoning")
    if content.usage == Usage():
        raise TransportError("The reply holds no text")
    return content._replace(stop="empty")


def _from_thoughts(content: Content, schema: Mapping[str, Any]) -> Content:
    """The content with its thoughts as the answer, where they are one whole object of the schema."""
    try:
        thoughts = orjson.loads(content.reasoning)
    except orjson.JSONDecodeError:
        return content
    required = jsonschema.unwrap(schema).get("required", ())
    if not isinstance(thoughts, dict) or not thoughts.keys() >= set(required):
        return content
    reason = f"{content.stop_reason} {ELSEWHERE[1]}"
    return content._replace(text=content.reasoning, stop="end", stop_reason=reason, reasoning="")


def custom_headers(sdk: str) -> list[str]:
    """The names of the headers that an SDK adds to every request, by its variable."""
    lines = os.environ.get(f"{sdk}_CUSTOM_HEADERS", "").split("\n")
    return [name for line in lines if (name := line.partition(":")[0].strip())]


def tokens(value: object) -> int | None:
    """A count of tokens, or None for what cannot be one."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_TOKENS:
        return value
    return None
