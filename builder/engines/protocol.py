"""What every engine looks like, and what the project tells one about its endpoint."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from builder.records import (
    Completion,
    Key,
    Message,
    Request,
)

Mode = Literal["json_schema", "json_object", "prompt", "text"]
OnHeaders = Callable[[Mapping[str, str], int], None]
"""Called with the headers and status of each response, for whoever sets the pace."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One provider as configured: where it is and how it is spoken to. Never part of a key."""

    provider: str
    """The name before the colon: openai, anthropic, local, fake, or one of the project's own."""
    protocol: str = "openai"
    base_url: str | None = None
    api_key: str | None = field(default=None, repr=False)
    api_key_env: str | None = None
    """The name of the variable that the key came from, for messages."""
    structured: Literal["json_schema", "json_object", "prompt"] | None = None
    """How structure is asked for; None finds out once and remembers it for the run."""
    timeout: float = 75.0
    """Seconds that a whole call may take."""
    concurrency: int = 64
    """Calls in flight at most, for connection pools."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """What else the project's table for this provider holds (api_version, n_ctx, …)."""


class Engine(Protocol):
    """Answers requests of one provider. Opened by `async with`, used by many workers at once."""

    @classmethod
    def defaults(cls, endpoint: Endpoint, model: str) -> Mapping[str, Any]:
        """Params that the provider needs and the user left out; they count in the digest."""
        ...

    @classmethod
    def problems(cls, endpoint: Endpoint, request: Request) -> list[str]:
        """What is wrong with this request's model, params or schema for the provider, a line each."""
        ...

    @classmethod
    def body(cls, endpoint: Endpoint, request: Request, mode: Mode) -> dict[str, Any]:
        """The JSON that would be sent. Pure, and free of the SDK."""
        ...

    def __init__(self, endpoint: Endpoint) -> None: ...

    async def __aenter__(self) -> Engine: ...

    async def __aexit__(self, *failure: object) -> None: ...

    async def complete(
        self, request: Request, key: Key, extra: tuple[Message, ...] = (), again: int = 0
    ) -> Completion:
        """The provider's reply to the request and the turns of a re-ask behind it.

        `again` counts the replies to this key that were no answers: an engine that derives its
        seed from the key takes another, or it would be cut off at the same word for ever.

        Raises TransportError when trying again may help, ProviderError when it cannot.
        """
        ...
