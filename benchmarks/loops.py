"""The least that a client can do for a row, three ways: render, ask, validate, journal.

    python -m benchmarks.loops aiohttp|sdk|pool URL PROJECT ROWS FLIGHT

`aiohttp` is a bare session; `sdk` is the openai SDK on its aiohttp backend, asked by raw post;
`pool` is the same SDK on the pool it takes by itself. No retries, no pace, no plan, no export.
"""

from __future__ import annotations

import asyncio
import importlib.util
import random
import sqlite3
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import jinja2
import orjson
from pydantic import BaseModel

Ask = Callable[[bytes], Awaitable[bytes]]
TOPICS = ("a refund", "a late parcel", "a broken box", "a wrong bill")
GROUP = 256


class Journal:
    """Answers into SQLite, committed in groups as safely as the store's."""

    def __init__(self, path: Path) -> None:
        self.db = sqlite3.connect(path, isolation_level=None)
        self.db.execute("PRAGMA journal_mode = WAL")
        self.db.execute("PRAGMA synchronous = FULL")
        self.db.execute("CREATE TABLE answers (key INTEGER PRIMARY KEY, text TEXT, tokens INTEGER)")
        self.waiting: list[tuple[int, str, int]] = []

    def add(self, key: int, text: str, tokens: int) -> None:
        self.waiting.append((key, text, tokens))
        if len(self.waiting) >= GROUP:
            self.flush()

    def flush(self) -> None:
        self.db.execute("BEGIN")
        self.db.executemany("INSERT INTO answers VALUES (?, ?, ?)", self.waiting)
        self.db.execute("COMMIT")
        self.waiting = []


def schema(folder: Path) -> type[BaseModel]:
    """The project's own class."""
    spec = importlib.util.spec_from_file_location("message", folder / "schemas/message.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: type[BaseModel] = module.Message
    return found


async def work(ask: Ask, folder: Path, rows: int, flight: int) -> None:
    """So many workers over so many rows."""
    model = schema(folder)
    template = jinja2.Environment(autoescape=False).from_string(
        (folder / "prompts/messages.j2").read_text("utf-8")
    )
    shape = {"name": "answer", "strict": True, "schema": model.model_json_schema()}
    rng = random.Random(1)
    numbers = iter(range(rows))
    with tempfile.TemporaryDirectory() as scratch:
        journal = Journal(Path(scratch) / "journal.sqlite")

        async def worker() -> None:
            for number in numbers:
                prompt = template.render(
                    topic=rng.choice(TOPICS), tone="angry", channel="email",
                    amount=rng.randrange(900_000), days=rng.randrange(400),
                )  # fmt: skip
                body = {
                    "model": "bench-1",
                    "messages": [{"role": "user", "content": prompt}],
                    "response_format": {"type": "json_schema", "json_schema": shape},
                }
                payload = orjson.loads(await ask(orjson.dumps(body)))
                text = payload["choices"][0]["message"]["content"]
                model.model_validate_json(text)
                journal.add(number, text, payload["usage"]["total_tokens"])

        await asyncio.gather(*(worker() for _ in range(flight)))
        journal.flush()


async def bare(address: str, folder: Path, rows: int, flight: int) -> None:
    import aiohttp

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=flight)) as session:

        async def ask(body: bytes) -> bytes:
            headers = {"content-type": "application/json", "authorization": "Bearer none"}
            url = address + "/v1/chat/completions"
            async with session.post(url, data=body, headers=headers) as answer:
                return await answer.read()

        await work(ask, folder, rows, flight)


async def sdk(address: str, folder: Path, rows: int, flight: int, *, backend: bool) -> None:
    import httpx2
    import openai

    limits = httpx2.Limits(max_connections=flight, max_keepalive_connections=flight)
    own: Any = openai.DefaultAioHttpClient(limits=limits) if backend else None
    client = openai.AsyncOpenAI(
        base_url=address + "/v1", api_key="none", max_retries=0, http_client=own
    )

    async def ask(body: bytes) -> bytes:
        answer = await client.post("/chat/completions", cast_to=httpx2.Response, content=body)
        return answer.content

    async with client:
        await work(ask, folder, rows, flight)


def main() -> None:
    kind, address, folder, rows, flight = sys.argv[1:]
    given = (address, Path(folder), int(rows), int(flight))
    asyncio.run(bare(*given) if kind == "aiohttp" else sdk(*given, backend=kind == "sdk"))


if __name__ == "__main__":
    main()
