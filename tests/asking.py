"""One call of a real engine against the loopback provider, for the tests of engines."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field

from builder.engines import registry
from builder.engines.protocol import Endpoint
from builder.errors import EngineError
from builder.project import settings
from builder.records import (
    Call,
    Completion,
    Key,
    Message,
    Request,
)
from tests.provider import Provider

SECRET = "sk-test-0123456789abcdef"
MODELS = {"openai": "openai:gpt-5-mini", "anthropic": "anthropic:claude-sonnet-5"}


class Review(BaseModel):
    title: str = Field(max_length=80)
    stars: int = Field(ge=1, le=5)
    mood: Literal["glad", "sad"]
    notes: list[str] = []
    reply: str | None = None


def request(
    who: str, schema: type[BaseModel] | Mapping[str, Any] | None = Review, **params: Any
) -> Request:
    turns = (Message("system", "You write reviews."), Message("user", "Write one."))
    shape = schema.model_json_schema() if isinstance(schema, type) else schema
    return Request(MODELS[who], turns, params, shape)


def endpoint(provider: Provider, who: str, **options: Any) -> Endpoint:
    path = "/v1" if who == "openai" else ""
    environ = {"OPENAI_API_KEY": SECRET, "ANTHROPIC_API_KEY": SECRET}
    return registry.endpoint(
        who, settings.Provider(base_url=provider.url + path, **options), environ
    )


def ask(
    provider: Provider,
    who: str,
    asked: Request | None = None,
    turns: tuple[Message, ...] = (),
    **options: Any,
) -> Completion:
    """One call of an engine against the provider."""
    asked = asked or request(who)

    async def call() -> Completion:
        where = endpoint(provider, who, **options)
        async with registry.engine_class(where.protocol)(endpoint=where) as engine:
            return await engine.complete(Call(asked, Key(asked.digest(), 0, 0), turns))

    return asyncio.run(call())


def failure(who: str, fault: str, **options: Any) -> EngineError:
    """What an engine raises when the provider shows a fault."""
    with Provider(script=[fault], retry_after=2.0) as provider, pytest.raises(EngineError) as found:
        ask(provider, who, **options)
    return found.value


both = pytest.mark.parametrize("who", ["openai", "anthropic"])
