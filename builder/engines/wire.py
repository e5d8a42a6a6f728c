"""One POST with a deadline and a bounded body, through an SDK's client on its aiohttp backend.

The SDKs' own retries and redirects are off. A body is read in pieces and given up as soon
as it passes the limit, decompressed bytes counted, so that neither an endless answer nor a
compression bomb fills memory. This module imports the HTTP stack: import it when opening.
"""

import asyncio
import ssl
import time
import zlib
from collections.abc import AsyncIterator, Awaitable, Iterator
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import httpx2

from builder.engines.failures import Reply, excerpt, redactor
from builder.engines.protocol import Endpoint, OnHeaders
from builder.errors import EngineError, ProviderError, TransportError

# Bytes of a reply, decompressed: far beyond what any model writes in one answer.
BODY_LIMIT = 4 * 2**20

LOOK = 10.0  # Seconds that a look at the list of models may take.

# How headers begin in which an SDK tells of this machine; nobody asked for them.
ABOUT_US = b"x-stainless-"
# Headers of one request alone: where the SDK sends one, it makes every request.
ONCE = frozenset(("idempotency-key", "transfer-encoding"))

NO_ADDRESS = (httpx2.UnsupportedProtocol, httpx2.InvalidURL, aiohttp.InvalidURL)


class Bounded(httpx2.AsyncByteStream):
    """The decompressed pieces of a body, up to the limit."""

    def __init__(self, stream: httpx2.AsyncByteStream, encoding: str) -> None:
        self._stream = stream
        self._encoding = encoding

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        decoder = zlib.decompressobj(47) if self._encoding in ("gzip", "deflate") else None
        async for chunk in self._stream:
            plain = chunk
            if decoder is not None:
                plain = decoder.decompress(chunk, BODY_LIMIT - size + 1)
            size += len(plain)
            if size > BODY_LIMIT:
                raise TransportError(
                    f"The reply is longer than {BODY_LIMIT // 2**20} MiB", at_most=2
                )
            yield plain
        if decoder is not None and size and not decoder.eof:
            raise TransportError("The compressed reply ends half way")

    async def aclose(self) -> None:
        await self._stream.aclose()


class Wire:
    """Sends bodies to one endpoint. `sdk` is the module whose client and errors are used."""

    def __init__(self, endpoint: Endpoint, sdk: ModuleType, on_headers: OnHeaders | None) -> None:
        self._endpoint = endpoint
        self._sdk = sdk
        self._on_headers = on_headers
        self._base: type[Exception] = getattr(sdk, "OpenAIError", None) or sdk.AnthropicError
        self.host = host_of(endpoint)
        self._redact = redactor(endpoint)
        # Whether the address ever answered: until then, base_url is worth a doubt.
        self._reached = False
        # The SDK's client, set by the engine that opens this wire.
        self.client: Any = None
        # For each path, a request as the SDK made it, without its body.
        self._prepared: dict[str, httpx2.Request] = {}

    def http_client(self) -> httpx2.AsyncClient:
        """The SDK's aiohttp-backed HTTP client with our limits."""
        most = self._endpoint.concurrency + 8
        here = self._endpoint.is_loopback
        in_the_clear = here and urlsplit(self._endpoint.base_url or "").scheme == "http"
        client: httpx2.AsyncClient = self._sdk.DefaultAioHttpClient(
            timeout=self._endpoint.timeout,
            limits=httpx2.Limits(
                max_connections=most, max_keepalive_connections=most, keepalive_expiry=15.0
            ),
            follow_redirects=False,
            trust_env=not here,
            # Trusts nobody; reading all authorities for calls without TLS would take 40 ms.
            verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if in_the_clear else True,
            headers={"accept-encoding": "gzip, deflate"},
            event_hooks={"request": [_strip_machine_headers], "response": [self._bound]},
        )
        self._http = client
        return client

    async def _bound(self, response: httpx2.Response) -> None:
        """Puts the limit around a body before anything reads it."""
        self._reached = True
        # Looking a name up in the client's own headers walks and decodes them all.
        headers = {
            name.lower().decode("latin-1"): value.decode("latin-1")
            for name, value in response.headers.raw
        }
        encoding = headers.get("content-encoding", "identity").strip().lower()
        if encoding not in ("identity", "gzip", "deflate", ""):
            raise TransportError(f"The reply is encoded as {encoding!r}, which was not asked for")
        if encoding not in ("identity", ""):
            del response.headers["content-encoding"]
        if isinstance(response.stream, httpx2.AsyncByteStream):
            response.stream = Bounded(response.stream, encoding)
        if self._on_headers is not None:
            self._on_headers(headers, response.status_code)

    async def post(self, path: str, payload: bytes) -> Reply:
        """The reply to one POST, whatever its status; TransportError when there is none."""
        return await self._reply(self._send(path, payload), self._endpoint.timeout)

    async def get(self, path: str) -> Reply:
        """The reply to one GET, whatever its status; TransportError when there is none."""
        return await self._reply(self._fetch(path), min(self._endpoint.timeout, LOOK))

    async def _fetch(self, path: str) -> tuple[httpx2.Response, bytes]:
        response: httpx2.Response = await self.client.get(path, cast_to=httpx2.Response)
        return response, response.content

    async def _reply(
        self, sending: Awaitable[tuple[httpx2.Response, bytes]], timeout: float
    ) -> Reply:
        started = time.perf_counter()
        failure: EngineError | None = None
        try:
            async with asyncio.timeout(timeout):
                response, body = await sending
        except self._sdk.APIStatusError as error:
            response, body = error.response, error.response.content
        except EngineError as error:
            failure = error
        except (self._base, httpx2.HTTPError, aiohttp.ClientError, OSError, zlib.error) as error:
            failure = self._trouble(error)
        if failure is not None:
            # Whoever waits with this error must not keep the frames in which it arose, and half a
            # reply with them.
            raise failure.with_traceback(None)
        latency = time.perf_counter() - started
        return Reply(response.status_code, response.headers, body, latency)

    async def _send(self, path: str, payload: bytes) -> tuple[httpx2.Response, bytes]:
        """The first call of a path goes through the SDK, which makes address and headers; the
        others send that with their own body: making it costs more than sending it."""
        prepared = self._prepared.get(path)
        if prepared is None:
            response: httpx2.Response = await self.client.post(
                path, cast_to=httpx2.Response, content=payload
            )
            if not ONCE.intersection(response.request.headers):
                self._prepared[path] = _bare(response.request)
            return response, response.content
        # A request made with `content` has its headers normalised twice more.
        request = httpx2.Request(
            "POST",
            prepared.url,
            headers=prepared.headers,
            stream=httpx2.ByteStream(payload),
            extensions=prepared.extensions,
        )
        request.read()
        answer = await self._http.send(request, stream=True)
        try:
            # The answer's own way of reading leads each piece through four more iterators.
            assert isinstance(answer.stream, httpx2.AsyncByteStream)
            return answer, b"".join([piece async for piece in answer.stream])
        finally:
            await answer.aclose()

    def _trouble(self, error: BaseException) -> EngineError:
        """What an exception of the HTTP stack means: its cause, without the SDK's wrapping."""
        who, causes = self._endpoint.provider, list(_causes(error))
        for cause in causes:
            if isinstance(cause, EngineError):
                return cause
            if isinstance(cause, TimeoutError):
                limit = self._endpoint.timeout
                return TransportError(
                    f"{who} gave no whole reply within {limit:g} s",
                    late=True,
                    hint=f"timeout under [tool.builder.providers.{who}] gives calls longer",
                )
            if isinstance(cause, NO_ADDRESS):
                return ProviderError(f"base_url {self._endpoint.base_url} is no http address")
        name, words = type(causes[-1]).__name__, excerpt(str(causes[-1]), self._redact)
        hint = "" if self._reached else f"Is base_url {self._endpoint.base_url} right?"
        refused = any(isinstance(cause, ConnectionRefusedError) for cause in causes)
        absent = refused and self._endpoint.is_loopback
        return TransportError(
            f"No reply from {who} at {self.host}: {name}: {words}",
            free=any(isinstance(cause, aiohttp.ClientConnectorError) for cause in causes),
            absent=absent,
            hint=f"Is {who} running? Start it. {hint}" if absent and hint else hint,
        )

    async def close(self) -> None:
        if self.client is not None:
            await self.client.close()


async def _strip_machine_headers(request: httpx2.Request) -> None:
    sent = request.headers.raw
    headers = [(name, value) for name, value in sent if not name.lower().startswith(ABOUT_US)]
    if len(headers) < len(sent):
        request.headers = httpx2.Headers(headers)


def _bare(request: httpx2.Request) -> httpx2.Request:
    """The request without its body and the headers of that."""
    return httpx2.Request(
        request.method,
        request.url,
        headers=[
            (name, value)
            for name, value in request.headers.raw
            if name.lower() != b"content-length"
        ],
        stream=httpx2.ByteStream(b""),
        extensions=request.extensions,
    )


def host_of(endpoint: Endpoint) -> str:
    """`host:port` of the endpoint's address.

    >>> host_of(Endpoint("openai", base_url="https://api.openai.com/v1"))
    'api.openai.com:443'
    """
    address = urlsplit(endpoint.base_url or "")
    port = address.port or (80 if address.scheme == "http" else 443)
    return f"{address.hostname}:{port}"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """An exception and what it wraps, outermost first."""
    for _ in range(10):
        if error is None:
            return
        yield error
        error = error.__cause__ or error.__context__
