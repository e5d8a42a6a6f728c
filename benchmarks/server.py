"""A chat-completions server as lean as Python's streams allow, so that the clients are what is measured.

It reads no prompt: every call hears, after `--latency` seconds, one of a few hundred valid
answers. `--refuse` scatters 429s over the calls, `--rate` lets so many calls a second through.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import time
from typing import Any

ANSWERS = 251
"""Different answers."""
WORDS = [
    "parcel",
    "late",
    "refund",
    "please",
    "angry",
    "order",
    "again",
    "broken",
    "support",
    "waiting",
    "answer",
    "money",
    "box",
]


def reply(number: int) -> bytes:
    """A whole HTTP response with a valid answer."""
    rng = random.Random(number)
    answer = {
        "subject": " ".join(rng.choices(WORDS, k=5)),
        "message": " ".join(rng.choices(WORDS, k=30)),
        "urgency": rng.choice(["low", "medium", "high"]),
    }
    body = {
        "id": f"chatcmpl-{number}",
        "object": "chat.completion",
        "created": 1,
        "model": "bench-1",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": json.dumps(answer)},
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 60, "completion_tokens": 45, "total_tokens": 105},
    }
    return _response("200 OK", json.dumps(body).encode())


def _response(status: str, body: bytes, *headers: str) -> bytes:
    lines = [
        f"HTTP/1.1 {status}",
        "content-type: application/json",
        f"content-length: {len(body)}",
        *headers,
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class Provider:
    """What all connections share: counts, and who is let through."""

    def __init__(
        self, latency: float, refuse: float, rate: float | None, retry_after: float
    ) -> None:
        self.latency = latency
        self.refuse = refuse
        self.rate = rate
        self.calls = 0
        self.first = self.last = 0.0
        self._replies = [reply(number) for number in range(ANSWERS)]
        told = json.dumps({"error": {"message": "Rate limit reached", "type": "requests"}}).encode()
        self.refusal = _response("429 Too Many Requests", told, f"retry-after: {retry_after:g}")
        self._rng = random.Random(1)
        self._room = 1.0
        self._seen = time.monotonic()

    def answer(self) -> bytes:
        return self._replies[self.calls % ANSWERS]

    def refuses(self) -> bool:
        """Counts a call and decides on it."""
        self.calls += 1
        self.last = time.monotonic()
        self.first = self.first or self.last
        if self.refuse and self._rng.random() < self.refuse:
            return True
        if self.rate is None:
            return False
        now = time.monotonic()
        most = max(1.0, self.rate / 10)
        self._room = min(most, self._room + (now - self._seen) * self.rate)
        self._seen = now
        if self._room < 1:
            return True
        self._room -= 1
        return False

    def counts(self) -> bytes:
        """What was seen, and the seconds from the first call to the last."""
        seen = {"calls": self.calls, "seconds": self.last - self.first}
        return _response("200 OK", json.dumps(seen).encode())


class Connection(asyncio.Protocol):
    """One client's connection: one request at a time."""

    def __init__(self, provider: Provider) -> None:
        self.provider = provider
        self.loop = asyncio.get_running_loop()
        self.held = b""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.held = data = self.held + data
        end = data.find(b"\r\n\r\n")
        if end < 0:
            return
        if data.startswith(b"GET"):
            self.held = b""
            self.transport.write(self.provider.counts())
            return
        head = data[:end].lower()
        at = head.find(b"content-length:")
        size = int(head[at + 15 :].split(b"\r", 1)[0])
        if len(data) < end + 4 + size:
            return
        self.held = b""
        provider = self.provider
        if provider.refuses():
            self.write(provider.refusal)  # at once, as servers do
        else:
            self.loop.call_later(provider.latency, self.write, provider.answer())

    def write(self, response: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(response)


async def serve(provider: Provider) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(provider), "127.0.0.1", 0, backlog=4096)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


def main() -> None:
    """Serves until it is ended; the first line on stdout is the address."""
    talk = argparse.ArgumentParser(description=__doc__)
    talk.add_argument("--latency", type=float, default=0.05)
    talk.add_argument("--refuse", type=float, default=0.0, metavar="SHARE")
    talk.add_argument("--rate", type=float, metavar="CALLS_PER_SECOND")
    talk.add_argument("--retry-after", type=float, default=1.0, metavar="SECONDS")
    given = talk.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(Provider(given.latency, given.refuse, given.rate, given.retry_after)))


if __name__ == "__main__":
    main()
