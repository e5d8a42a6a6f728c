"""An engine that asks a program of yours: `model: program:./answer.py`."""

from __future__ import annotations

import asyncio
import json
import time
from asyncio.subprocess import PIPE
from pathlib import Path

from builder.engines.protocol import Endpoint, Engine
from builder.errors import ProviderError, TransportError
from builder.records import Call, Completion, Request


class Program(Engine):
    """Writes each request as JSON to a program's standard input; what it prints is the answer."""

    @classmethod
    def canonical_name(cls, model: str) -> str:
        """The program's file name: where it lies is no part of a key, and is never published."""
        return Path(model).name

    @classmethod
    def problems(cls, endpoint: Endpoint, request: Request) -> list[str]:
        file = endpoint.folder / request.model_name
        return [] if file.is_file() else [f"model {request.model!r}: no program {file}"]

    async def complete(self, call: Call) -> Completion:
        file = self.endpoint.folder / (self.endpoint.written or call.request.model_name)
        body = self.body(self.endpoint, call.sent, "prompt")
        body["schema"] = call.request.schema
        started = time.perf_counter()
        try:
            async with asyncio.timeout(self.endpoint.timeout):
                process = await asyncio.create_subprocess_exec(
                    file.resolve(), stdin=PIPE, stdout=PIPE, stderr=PIPE
                )
                printed, complaint = await process.communicate(json.dumps(body).encode())
        except TimeoutError:
            raise TransportError(f"{file.name} took too long", late=True) from None
        except OSError as error:
            raise ProviderError(f"{file.name} does not start: {error}") from error
        if process.returncode:
            raise TransportError(f"{file.name} failed: {complaint.decode(errors='replace')}")
        return Completion(
            key=call.key,
            text=printed.decode(errors="replace"),
            model=call.request.model,
            answered_by=file.name,
            mode="prompt",
            host="program",
            latency=time.perf_counter() - started,
            time=time.time(),
            sent=call.turns,
            usd=0.0,
        )
