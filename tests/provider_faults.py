"""The faults that the loopback provider can show, by name."""

from __future__ import annotations

import asyncio
import contextlib
import time
import zlib
from collections.abc import Callable, Mapping
from email.utils import formatdate
from functools import lru_cache
from typing import Any, NamedTuple

import orjson
from aiohttp import web

HUGE = 20 * 2**20


class Refused(NamedTuple):
    """A plain error: status, message, code and type."""

    status: int
    message: str
    code: str | None = None
    kind: str = "invalid_request_error"


STATUS: Mapping[str, Refused] = {
    "400": Refused(400, "Something in the request is not right."),
    "401": Refused(401, "Incorrect API key provided.", "invalid_api_key"),
    "403": Refused(403, "Your key has no access to this model.", "forbidden"),
    "404": Refused(404, "The model does not exist.", "model_not_found"),
    "408": Refused(408, "The request took too long to arrive."),
    "409": Refused(409, "The resource is being changed."),
    "429": Refused(429, "Rate limit reached.", "rate_limit_exceeded", "rate_limit_error"),
    "500": Refused(500, "The server had an error.", None, "server_error"),
    "502": Refused(502, "Bad gateway."),
    "503": Refused(503, "The engine is overloaded.", None, "server_error"),
    "529": Refused(529, "Overloaded", None, "overloaded_error"),
    "quota": Refused(
        429, "You exceeded your current quota.", "insufficient_quota", "insufficient_quota"
    ),
    "context": Refused(
        400, "This model's maximum context length is 8192 tokens.", "context_length_exceeded"
    ),
    "filter-400": Refused(400, "The prompt triggered the content policy.", "content_filter"),
    "max-tokens": Refused(
        400,
        "Unsupported parameter: 'max_tokens' is not supported with this model. "
        "Use 'max_completion_tokens' instead.",
        "unsupported_parameter",
    ),
    "no-json_schema": Refused(
        400, "Invalid parameter: 'response_format' of type 'json_schema' is not supported."
    ),
    "no-json_object": Refused(
        400, "Invalid parameter: 'response_format' of type 'json_object' is not supported."
    ),
}
STOP_FAULTS = ("length", "refusal", "filter", "prose", "malformed")
"""Whole replies that are no answer, or no good one."""

BODY_FAULTS = ("half", "lying", "cut", "encoding", "drip")
"""Replies whose good body is spoilt on the way."""

FAULTS = (
    *STATUS,
    *STOP_FAULTS,
    *BODY_FAULTS,
    "429-seconds",
    "429-ms",
    "429-date",
    "reset",
    "html",
    "xml",
    "empty",
    "error-200",
    "hang",
    "huge",
    "gzip",
    "redirect",
    "echo",
)


async def misbehave(
    fault: str, request: web.Request, made: bytes, retry_after: float
) -> web.StreamResponse:
    """The reply of a fault; `made` is the body that would have been good."""
    if fault in STATUS:
        return _refused(STATUS[fault], {})
    if fault.startswith("429-"):
        return _refused(STATUS["429"], _wait(fault, retry_after))
    if fault in STOP_FAULTS:
        return _json(made)
    if fault in ("reset", "half", "lying", "hang", "drip"):
        return await _break_off(fault, request, made)
    return WHOLE[fault](request, made)


def _json(body: bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.Response(
        body=body, status=status, content_type="application/json", headers=dict(headers or {})
    )


def _refused(refused: Refused, headers: Mapping[str, str]) -> web.Response:
    error: dict[str, Any] = {
        "message": refused.message,
        "type": refused.kind,
        "param": None,
        "code": refused.code,
    }
    return _json(orjson.dumps({"error": error}), refused.status, headers)


def _wait(fault: str, seconds: float) -> dict[str, str]:
    """Retry-After in one of its three forms; dates round up to whole seconds."""
    if fault == "429-ms":
        return {"retry-after-ms": str(int(seconds * 1000))}
    if fault == "429-date":
        return {"retry-after": formatdate(int(time.time() + seconds) + 1, usegmt=True)}
    return {"retry-after": f"{seconds:g}"}


async def _break_off(fault: str, request: web.Request, made: bytes) -> web.StreamResponse:
    """Replies that never come, come slowly, or end before their end."""
    transport = request.transport
    assert transport is not None
    if fault == "reset":
        transport.abort()
        return web.Response()
    if fault == "hang":
        await asyncio.sleep(3600)
    response = web.StreamResponse(headers={"content-type": "application/json"})
    if fault == "drip":
        await response.prepare(request)
        with contextlib.suppress(ConnectionError):
            for byte in made:
                await response.write(bytes((byte,)))
                await asyncio.sleep(0.2)
        return response
    response.content_length = len(made) + (1000 if fault == "lying" else 0)
    await response.prepare(request)
    await response.write(made if fault == "lying" else made[: len(made) // 2])
    transport.close()
    return response


def _html(request: web.Request, made: bytes) -> web.Response:
    return web.Response(text="<html><body>Please sign in</body></html>", content_type="text/html")


def _xml(request: web.Request, made: bytes) -> web.Response:
    return web.Response(text="<?xml version='1.0'?><busy/>", content_type="application/xml")


def _empty(request: web.Request, made: bytes) -> web.Response:
    return _json(b"")


def _cut(request: web.Request, made: bytes) -> web.Response:
    return _json(made[: len(made) // 2])


def _encoding(request: web.Request, made: bytes) -> web.Response:
    return _json(made.decode().encode("utf-16"))


def _error_200(request: web.Request, made: bytes) -> web.Response:
    return _json(b'{"error": {"message": "Upstream gave up.", "type": "server_error"}}')


def _huge(request: web.Request, made: bytes) -> web.Response:
    return _json(b'{"choices": [{"message": {"content": "' + b"a" * HUGE + b'"}}]}')


def _gzip(request: web.Request, made: bytes) -> web.Response:
    return _json(_bomb(), headers={"content-encoding": "gzip"})


@lru_cache(maxsize=1)
def _bomb() -> bytes:
    """256 MiB of spaces in a quarter of one."""
    packer, piece = zlib.compressobj(6, wbits=31), b" " * 2**20
    return b"".join(packer.compress(piece) for _ in range(256)) + packer.flush()


def _redirect(request: web.Request, made: bytes) -> web.Response:
    return web.Response(status=307, headers={"location": "http://127.0.0.1:9/v1/elsewhere"})


def _echo(request: web.Request, made: bytes) -> web.Response:
    """A refusal that repeats the key, as some servers do."""
    key = request.headers.get("x-api-key", request.headers.get("authorization", ""))
    error = {"message": f"Key {key.removeprefix('Bearer ')} is not known.", "code": key}
    return _json(orjson.dumps({"error": error}), 401)


WHOLE: Mapping[str, Callable[[web.Request, bytes], web.Response]] = {
    "html": _html,
    "xml": _xml,
    "empty": _empty,
    "cut": _cut,
    "encoding": _encoding,
    "error-200": _error_200,
    "huge": _huge,
    "gzip": _gzip,
    "redirect": _redirect,
    "echo": _echo,
}
