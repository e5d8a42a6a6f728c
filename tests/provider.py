"""A provider on loopback that speaks both wire formats and misbehaves on request.

    with Provider(faults={"429-seconds": 0.05, "reset": 0.02}, latency=0.05) as provider:
        ...  # base_url = provider.url + "/v1"; then provider.calls, provider.bodies, …

or in a process of its own, for benchmarks: `python -m tests.provider --port 8900`.
Answers follow from the request's body alone, so every run that asks the same hears the
same; faults follow from the seed and the number of the call.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import random
import threading
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Any, Self

import orjson
from aiohttp import web

from builder.engines import generate, lexicon
from tests.provider_faults import BODY_FAULTS, FAULTS, STOP_FAULTS, misbehave

MODES = ("json_schema", "json_object")
KEPT = 20_000
"""Bodies and headers that are remembered."""


class Provider:
    """The server in a thread of its own, between `with` and its end.

    faults: share of calls that meet each fault of `provider_faults.FAULTS`.
    script: faults of the first calls in order, None for a call without one.
    latency: seconds before each reply; a pair draws between the two.
    structured: response formats that are understood; the others are refused with 400.
    malformed: share of bodies whose answer breaks the schema, always the same bodies.
    rate: calls a second that are let through; more hear 429 with `retry_after`.
    outage: seconds since the start, from and to, in which every call hears 503.
    retry_after: seconds that a 429 asks for.
    key: the API key that must be sent; others hear 401. None takes any.
    """

    def __init__(
        self,
        *,
        faults: Mapping[str, float] | None = None,
        script: Sequence[str | None] = (),
        latency: float | tuple[float, float] = 0.0,
        structured: Iterable[str] = MODES,
        malformed: float = 0.0,
        rate: float | None = None,
        outage: tuple[float, float] | None = None,
        retry_after: float = 1.0,
        key: str | None = None,
        usage: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        seed: int = 0,
        port: int = 0,
    ) -> None:
        self.faults = dict(faults or {})
        unknown = (set(self.faults) | set(script) - {None}) - set(FAULTS)
        if unknown:
            raise ValueError(f"no such faults: {sorted(map(str, unknown))}")
        self.script = deque(script)
        self.latency = latency if isinstance(latency, tuple) else (latency, latency)
        self.structured = frozenset(structured)
        self.malformed = malformed
        self.rate = rate
        self.outage = outage
        self.retry_after = retry_after
        self.key = key
        self.usage = usage
        self.headers = dict(headers or {})
        self.port = port
        self._rng = random.Random(seed)
        self.calls = 0
        """Calls that arrived, refused and broken ones included."""
        self.answers = 0
        """Calls that were answered as asked."""
        self.hits: Counter[str] = Counter()
        """How often each fault struck."""
        self.undercut = 0
        """Calls that came again before the time that a 429 had asked for."""
        self.in_flight = 0
        self.peak = 0
        """Most calls in flight at once."""
        self.bodies: deque[dict[str, Any]] = deque(maxlen=KEPT)
        self.paths: deque[str] = deque(maxlen=KEPT)
        self.sent_headers: deque[dict[str, str]] = deque(maxlen=KEPT)
        self.times: deque[float] = deque(maxlen=KEPT)
        """Seconds since the start at which each call arrived."""
        self._promised: dict[bytes, float] = {}
        self._allowed = 0.0
        self._filled = time.monotonic()
        self.started = time.monotonic()

    @property
    def url(self) -> str:
        """The address, without a path."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self.start(), self._loop).result(10)
        return self

    def __exit__(self, *failure: object) -> None:
        asyncio.run_coroutine_threadsafe(self.stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def start(self) -> None:
        """Listens on the running loop, for servers in a process of their own."""
        app = web.Application(client_max_size=64 * 2**20)
        app.router.add_post("/{path:.*}", self._serve)
        app.router.add_get("/{path:.*}", self._count)
        self._runner = web.AppRunner(
            app, access_log=None, shutdown_timeout=0.2, handler_cancellation=True
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, backlog=4096)
        await site.start()
        assert site._server is not None
        self.port = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
        self.started = self._filled = time.monotonic()

    async def stop(self) -> None:
        await self._runner.cleanup()

    async def _count(self, request: web.Request) -> web.Response:
        """What was seen so far, for benchmarks that run in another process."""
        return web.json_response(
            {
                "calls": self.calls,
                "answers": self.answers,
                "hits": dict(self.hits),
                "undercut": self.undercut,
                "peak": self.peak,
            }
        )

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        arrived = time.monotonic()
        self.calls += 1
        raw = await request.read()
        body = orjson.loads(raw)
        self.bodies.append(body)
        self.paths.append(request.path_qs)
        self.sent_headers.append({name.lower(): value for name, value in request.headers.items()})
        self.times.append(arrived - self.started)
        mark = hashlib.blake2b(raw, digest_size=16).digest()
        if self._promised and self._promised.pop(mark, 0.0) > arrived + 0.001:
            self.undercut += 1
        async with self._flying():
            if self.latency[1] > 0:
                await asyncio.sleep(self._rng.uniform(*self.latency))
            fault = self._fault(request, body)
            if fault is None:
                self.answers += 1
                return web.Response(
                    body=self._reply(request, body, mark, None),
                    content_type="application/json",
                    headers=self.headers,
                )
            self.hits[fault] += 1
            if fault.startswith("429"):
                self._promised[mark] = time.monotonic() + self.retry_after
            made = b""
            if fault in STOP_FAULTS or fault in BODY_FAULTS:
                made = self._reply(request, body, mark, fault)
            return await misbehave(fault, request, made, self.retry_after)

    @contextlib.asynccontextmanager
    async def _flying(self) -> AsyncIterator[None]:
        self.in_flight += 1
        self.peak = max(self.peak, self.in_flight)
        try:
            yield
        finally:
            self.in_flight -= 1

    def _fault(self, request: web.Request, body: Mapping[str, Any]) -> str | None:
        """What goes wrong with this call, if anything."""
        if self.script:
            return self.script.popleft()
        now = time.monotonic() - self.started
        if self.outage is not None and self.outage[0] <= now < self.outage[1]:
            return "503"
        if self.key is not None and self.key not in (
            request.headers.get("x-api-key"),
            request.headers.get("api-key"),
            request.headers.get("authorization", "").removeprefix("Bearer "),
        ):
            return "401"
        if self.rate is not None and not self._let_through():
            return "429-seconds"
        drawn = self._rng.random() if self.faults else 1.0
        for name, share in self.faults.items():
            if drawn < share:
                return name
            drawn -= share
        asked = asked_format(body)
        return f"no-{asked}" if asked in MODES and asked not in self.structured else None

    def _let_through(self) -> bool:
        """A bucket of one second's worth of calls."""
        assert self.rate is not None
        now = time.monotonic()
        burst = max(1.0, self.rate / 10)
        self._allowed = min(burst, self._allowed + (now - self._filled) * self.rate)
        self._filled = now
        if self._allowed < 1:
            return False
        self._allowed -= 1
        return True

    def _reply(
        self, request: web.Request, body: Mapping[str, Any], mark: bytes, fault: str | None
    ) -> bytes:
        """The body of a 200 in the format of the path."""
        text = answer(body, mark, malformed=self.malformed)
        if fault == "prose":
            text = "Certainly! Here are some thoughts on your request, in plain words."
        elif fault == "malformed":
            text = '{"unexpected": [1, 2'
        elif fault == "length":
            text = text[: len(text) // 2]
        elif fault in ("refusal", "filter"):
            text = ""
        sent, made = sum(map(len, prompts(body))) // 4 + 1, len(text) // 4 + 1
        if request.path.endswith("/messages"):
            return message(body, text, fault, self.usage, sent, made)
        return completion(body, text, fault, self.usage, sent, made)


def prompts(body: Mapping[str, Any]) -> list[str]:
    """The texts of all turns."""
    turns = [str(turn.get("content", "")) for turn in body.get("messages", ())]
    return [str(body.get("system", "")), *turns]


def asked_format(body: Mapping[str, Any]) -> str:
    """json_schema, json_object or text: how the body asks for structure."""
    wanted = body.get("response_format") or body.get("output_config", {}).get("format") or {}
    return str(wanted.get("type", "text"))


def schema_of(body: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The schema that the answer must obey: in the format, or told in the prompt."""
    wanted = body.get("response_format") or body.get("output_config", {}).get("format") or {}
    schema: Mapping[str, Any] | None = wanted.get("schema") or wanted.get("json_schema", {}).get(
        "schema"
    )
    if schema is None:
        for text in prompts(body):
            if "JSON Schema:\n" in text:
                with contextlib.suppress(orjson.JSONDecodeError):
                    schema = orjson.loads(text.partition("JSON Schema:\n")[2])
    return schema


def answer(body: Mapping[str, Any], mark: bytes, *, malformed: float = 0.0) -> str:
    """The answer that belongs to a body, always the same one."""
    rng = random.Random(mark)
    chinese = lexicon.is_chinese("".join(prompts(body)))
    schema = _bounded(schema_of(body))
    if schema is None:
        return lexicon.text(rng, 1, 400, chinese=chinese)
    text = orjson.dumps(generate.value(schema, rng, chinese=chinese)).decode()
    if malformed and random.Random(mark[::-1]).random() < malformed:
        return rng.choice(['{"unexpected": true}', text[: len(text) // 2], "Sorry, no JSON today."])
    return text


def _bounded(node: Any) -> Any:
    """The schema with the bounds that its descriptions tell, as an attentive model reads it."""
    if isinstance(node, list):
        return [_bounded(child) for child in node]
    if not isinstance(node, dict):
        return node
    out = {name: _bounded(child) for name, child in node.items()}
    told = str(node.get("description", ""))
    if told.endswith("}") and "{" in told:
        with contextlib.suppress(orjson.JSONDecodeError):
            out.update(orjson.loads(told[told.index("{") :]))
    return out


def completion(
    body: Mapping[str, Any],
    text: str,
    fault: str | None,
    usage: Mapping[str, Any] | None,
    sent: int,
    made: int,
) -> bytes:
    """A chat completion."""
    turn: dict[str, Any] = {"role": "assistant", "content": text, "refusal": None}
    if fault == "refusal":
        turn.update(content=None, refusal="I cannot help with that.")
    stops = {"length": "length", "filter": "content_filter"}
    counted = {
        "prompt_tokens": sent,
        "completion_tokens": made,
        "total_tokens": sent + made,
        "prompt_tokens_details": {"cached_tokens": 0},
    }
    choice = {"index": 0, "message": turn, "finish_reason": stops.get(fault or "", "stop")}
    return orjson.dumps(
        {
            "id": "chatcmpl-loopback",
            "object": "chat.completion",
            "created": 0,
            "model": f"{body.get('model')}-loopback",
            "choices": [choice],
            "usage": counted if usage is None else usage,
        }
    )


def message(
    body: Mapping[str, Any],
    text: str,
    fault: str | None,
    usage: Mapping[str, Any] | None,
    sent: int,
    made: int,
) -> bytes:
    """A message of Anthropic's format."""
    stops = {"length": "max_tokens", "refusal": "refusal", "filter": "refusal"}
    counted = {
        "input_tokens": sent,
        "output_tokens": made,
        "cache_read_input_tokens": 0,
        "cache_creation_input_tokens": 0,
    }
    return orjson.dumps(
        {
            "id": "msg_loopback",
            "type": "message",
            "role": "assistant",
            "model": f"{body.get('model')}-loopback",
            "content": [{"type": "text", "text": text}] if text else [],
            "stop_reason": stops.get(fault or "", "end_turn"),
            "stop_sequence": None,
            "usage": counted if usage is None else usage,
        }
    )


async def _run(provider: Provider) -> None:
    await provider.start()
    print(provider.url, flush=True)
    await asyncio.Event().wait()


def main() -> None:
    """Serves until it is ended; the first line on stdout is the address."""
    talk = argparse.ArgumentParser(description="A provider on loopback that can misbehave.")
    talk.add_argument("--port", type=int, default=0)
    talk.add_argument("--latency", type=float, nargs="+", default=[0.0], metavar="SECONDS")
    talk.add_argument("--fault", action="append", default=[], metavar="NAME=SHARE")
    talk.add_argument("--malformed", type=float, default=0.0, metavar="SHARE")
    talk.add_argument("--rate", type=float, metavar="CALLS_PER_SECOND")
    talk.add_argument("--outage", type=float, nargs=2, metavar=("FROM", "TO"))
    talk.add_argument("--retry-after", type=float, default=1.0, metavar="SECONDS")
    talk.add_argument("--structured", nargs="*", default=list(MODES), choices=MODES)
    talk.add_argument("--key", help="the API key that must be sent")
    talk.add_argument("--seed", type=int, default=0)
    given = talk.parse_args()
    provider = Provider(
        faults={name: float(share) for name, _, share in (f.partition("=") for f in given.fault)},
        latency=(given.latency[0], given.latency[-1]),
        structured=given.structured,
        malformed=given.malformed,
        rate=given.rate,
        outage=tuple(given.outage) if given.outage else None,
        retry_after=given.retry_after,
        key=given.key,
        seed=given.seed,
        port=given.port,
    )
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_run(provider))


if __name__ == "__main__":
    main()
