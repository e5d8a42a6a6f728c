"""A server on loopback whose every reply is written in a test, and a project that asks it."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Self

from aiohttp import web

from tests import projects

Body = Mapping[str, Any]

CASES = "schema: Letter\nrows: {rows}\nvary:\n  doc: [{docs}]\n"
PROMPT = "Write letter {{ doc }}.\n"


class Refusal(NamedTuple):
    """A reply with a status of its own."""

    status: int
    body: Any
    headers: Mapping[str, str] = {}


Script = Callable[[int, Body], Mapping[str, Any] | Refusal | None]


class Scripted:
    """Answers POSTs by `script(number, body)`, in a thread of its own between `with` and its end.

    A script gives a reply's JSON, a Refusal, or None for a connection that is cut. So many calls as
    `slots` are served at once, each in `latency` seconds; the others wait in line.
    """

    def __init__(
        self, script: Script, *, latency: float = 0.0, slots: int = 10_000, listing: Any = None
    ) -> None:
        self.script, self.latency, self.slots = script, latency, slots
        self.listing = listing
        self.bodies: list[Body] = []
        self.answers = 0
        """Replies that were sent whole."""
        self.cancelled = 0
        """Calls whose caller left before the reply."""
        self.peak = 0
        """Most calls that were served or waited at once."""
        self.alive = True
        """Whether calls are answered; else their connections are cut."""
        self._flying = 0

    @property
    def calls(self) -> int:
        return len(self.bodies)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(10)
        return self

    def __exit__(self, *failure: object) -> None:
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _start(self) -> None:
        self._room = asyncio.Semaphore(self.slots)
        app = web.Application()
        app.router.add_post("/{path:.*}", self._post)
        app.router.add_get("/{path:.*}", self._get)
        self._runner = web.AppRunner(
            app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def _post(self, request: web.Request) -> web.StreamResponse:
        number = len(self.bodies)
        self.bodies.append(await request.json())
        self._flying += 1
        self.peak = max(self.peak, self._flying)
        try:
            async with self._room:
                await asyncio.sleep(self.latency)
            reply = self.script(number, self.bodies[number]) if self.alive else None
            return self._sent(request, reply)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self._flying -= 1

    def _sent(
        self, request: web.Request, reply: Mapping[str, Any] | Refusal | None
    ) -> web.StreamResponse:
        if reply is None:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        self.answers += 1
        refusal = reply if isinstance(reply, Refusal) else Refusal(200, reply)
        text = refusal.body if isinstance(refusal.body, str) else json.dumps(refusal.body)
        return web.Response(
            text=text,
            status=refusal.status,
            content_type="application/json",
            headers=dict(refusal.headers),
        )

    async def _get(self, request: web.Request) -> web.StreamResponse:
        """What it says when it is asked for its models."""
        return self._sent(request, (self.listing or Refusal(404, {})) if self.alive else None)


def chat(text: str | None, finish: str = "stop", **message: Any) -> Mapping[str, Any]:
    """A chat completion that used 20 and 10 tokens."""
    turn = {"role": "assistant", "content": text, **message}
    return {
        "model": "m",
        "choices": [{"index": 0, "finish_reason": finish, "message": turn}],
        "usage": {"prompt_tokens": 20, "completion_tokens": 10},
    }


def letter(number: int) -> Mapping[str, Any]:
    """A good answer."""
    return chat(json.dumps({"text": f"letter number {number}"}))


def error(message: str, code: str | int | None = None, kind: str = "invalid_request_error") -> Any:
    """A body of an error as OpenAI writes it."""
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def prompt(body: Body) -> str:
    """The last turn of a request."""
    return str(body["messages"][-1]["content"])


def project(
    folder: Path,
    *servers: Scripted | str,
    rows: str = "1 each",
    docs: int = 10,
    params: str = "",
    extra: str = "",
    settings: str = "",
    files: Mapping[str, str] | None = None,
) -> Path:
    """A project that asks the model `m` of one provider, `lab`, at these servers; `files` stand
    over its own."""
    urls = [server if isinstance(server, str) else server.url for server in servers]
    own = {
        "pyproject.toml": (
            f'[tool.builder]\nmodel = "lab:m"\n{settings}\n[tool.builder.params]\n{params}\n'
            f"[tool.builder.providers.lab]\nbase_url = {json.dumps(urls if len(urls) > 1 else urls[0])}\n{extra}\n"
        ),
        "prompts/letters.j2": PROMPT,
        "scenarios/letters.yaml": CASES.format(
            rows=rows, docs=", ".join(f"d{number}" for number in range(docs))
        ),
    }
    return projects.write(folder, {**own, **(files or {})})
