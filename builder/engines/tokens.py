"""How many tokens a call takes, as far as it can be told before it is answered."""

from collections.abc import Mapping
from typing import Any

from builder.records import Call, Request, canonical, message_bytes

# About right for English (4 letters a token) and for Chinese (3 bytes a letter, most of a token).
PER_BYTE = 1 / 3.6
# Tokens of an answer where neither held answers nor max_tokens say better.
OUTPUT = 200


def most(params: Mapping[str, Any]) -> int:
    """Tokens of the longest answer that the params allow; 0 where they set no bound."""
    return int(params.get("max_tokens") or params.get("max_completion_tokens") or 0)


def typical_output(params: Mapping[str, Any]) -> int:
    """Tokens of an answer, before any was seen."""
    return min(OUTPUT, most(params) or OUTPUT)


def typical(call: Call) -> float:
    """Tokens of a call, before any was seen."""
    size = len(message_bytes(call.messages)) + schema_bytes(call.request)
    return size * PER_BYTE + typical_output(call.request.params)


def schema_bytes(request: Request) -> int:
    """UTF-8 bytes of the schema that goes with a request."""
    return len(canonical(request.schema)) if request.schema is not None else 0
