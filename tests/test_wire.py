"""The limits around a body, and what an address says."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator

import httpx2
import pytest

from builder.engines import wire
from builder.engines.protocol import Endpoint
from builder.errors import TransportError


class Pieces(httpx2.AsyncByteStream):
    def __init__(self, *pieces: bytes) -> None:
        self.pieces = pieces
        self.closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            yield piece

    async def aclose(self) -> None:
        self.closed = True


def read(*pieces: bytes, encoding: str = "") -> bytes:
    async def body() -> bytes:
        return b"".join([piece async for piece in wire.Bounded(Pieces(*pieces), encoding)])

    return asyncio.run(body())


def test_a_body_is_whole_up_to_the_limit_and_refused_beyond_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(wire, "BODY_LIMIT", 10)
    assert read(b"12345", b"67890") == b"1234567890"
    with pytest.raises(TransportError, match="longer than") as caught:
        read(b"12345", b"678901")
    assert caught.value.at_most == 2


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_compressed_body_is_counted_as_it_unpacks(
    encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pack = gzip.compress if encoding == "gzip" else zlib.compress
    assert read(pack(b"hello"), encoding=encoding) == b"hello"
    with pytest.raises(TransportError, match="ends half way"):
        read(pack(b"hello")[:-6], encoding=encoding)
    monkeypatch.setattr(wire, "BODY_LIMIT", 1000)
    assert len(read(pack(b"0" * 1000), encoding=encoding)) == 1000
    with pytest.raises(TransportError, match="longer than"):
        read(pack(b"0" * 1001), encoding=encoding)


def test_closing_a_bounded_body_closes_what_is_under_it() -> None:
    pieces = Pieces()
    asyncio.run(wire.Bounded(pieces, "").aclose())
    assert pieces.closed


@pytest.mark.parametrize(
    ("address", "host", "loopback"),
    [
        ("http://localhost:8000/v1", "localhost:8000", True),
        ("http://127.1.2.3/v1", "127.1.2.3:80", True),
        ("http://[::1]:9/v1", "::1:9", True),
        ("https://api.example.com/v1", "api.example.com:443", False),
        ("http://api.example.com", "api.example.com:80", False),
    ],
)
def test_an_address_says_host_port_and_whether_it_is_here(
    address: str, host: str, loopback: bool
) -> None:
    where = Endpoint("x", base_url=address)
    assert wire.host_of(where) == host
    assert where.is_loopback is loopback


def test_headers_that_tell_of_this_machine_are_taken_out() -> None:
    request = httpx2.Request("POST", "http://x/", headers={"X-Stainless-OS": "o", "accept": "a"})
    asyncio.run(wire._strip_machine_headers(request))
    assert "x-stainless-os" not in request.headers
    assert request.headers["accept"] == "a"
