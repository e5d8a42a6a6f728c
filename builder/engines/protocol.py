"""What every engine looks like, and what the project tells one about its endpoint."""

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol, Self
from urllib.parse import urlsplit

from builder.project.settings import Prices, Structured
from builder.records import Call, Completion, Request

# How structure is asked for: the whole schema, the part of it that strict modes take, any object,
# words in the prompt; or no structure at all.
Mode = Structured | Literal["text"]
# Called with the headers and status of each response, for whoever sets the pace.
OnHeaders = Callable[[Mapping[str, str], int], None]


def is_own(host: str) -> bool:
    """Whether a host is of a network of one's own: its name has no dot, or its address is private.

    >>> is_own("localhost"), is_own("10.0.0.5"), is_own("gpu.local"), is_own("api.openai.com")
    (True, True, True, False)
    """
    try:
        address = ip_address(host)
    except ValueError:
        return "." not in host or host.endswith((".local", ".internal", ".lan"))
    return address.is_private


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One provider as configured: where it is and how it is spoken to. Never part of a key."""

    provider: str
    """The name before the colon: openai, anthropic, local, fake, or one of the project's own."""
    protocol: str = "openai"
    base_url: str | None = None
    others: tuple[str, ...] = ()
    """Further addresses that answer for the same models."""
    api_key: str | None = field(default=None, repr=False)
    api_key_env: str | None = None
    """The name of the variable that the key came from, for messages."""
    structured: Structured | None = None
    """How structure is asked for; None finds out once and remembers it for the run."""
    timeout: float = 75.0
    """Seconds that a whole call may take."""
    concurrency: int = 64
    """Calls in flight at most, for connection pools."""
    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    usd_per_million: Prices | None = None
    """What the project says that the provider takes, over any price list."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """What else the project's table for this provider holds (api_version, n_ctx, …)."""
    folder: Path = Path()
    """The project's folder, where relative paths begin."""
    written: str = ""
    """The model's name as a person wrote it, where its canonical name says less."""

    def each(self) -> tuple["Endpoint", ...]:
        """The endpoint at each of its addresses."""
        return (self, *(replace(self, base_url=url) for url in self.others))

    @property
    def is_loopback(self) -> bool:
        """Whether it is on this machine, where no proxy belongs in between."""
        name = urlsplit(self.base_url or "").hostname or ""
        return name in ("localhost", "::1") or name.startswith("127.")

    @property
    def is_own(self) -> bool:
        """Whether it is on this machine or in a network of one's own."""
        return is_own(urlsplit(self.base_url or "").hostname or "localhost")


class Engine(Protocol):
    """Answers requests of one provider. Opened by `async with`, used by many workers at once.

    Only `complete` must be written; an engine that inherits from this class has the rest.
    """

    endpoint: Endpoint
    """Where it asks; for the engine alone."""
    english_only: ClassVar[tuple[str, ...]] = ()
    """Models that a plan in another language warns of."""
    on_headers: OnHeaders | None = None
    """Set before the engine is opened."""

    @classmethod
    def canonical_name(cls, model: str) -> str:
        """The model's name as the digest counts it and as rows, manifest and card show it."""
        return model

    @classmethod
    def defaults(cls, endpoint: Endpoint, model: str) -> Mapping[str, Any]:
        """Params that the provider needs and the user left out; they count in the digest."""
        return {}

    @classmethod
    def problems(cls, endpoint: Endpoint, request: Request) -> list[str]:
        """What is wrong with this request's model, params or schema for the provider, a line each."""
        return []

    @classmethod
    def not_installed(cls, endpoint: Endpoint, model: str) -> str:
        """What this machine lacks to ask the model, and the one command that brings it; empty where
        nothing is lacking. Only what asks needs it: plans and exports do without."""
        return ""

    @classmethod
    def body(cls, endpoint: Endpoint, request: Request, mode: Mode) -> dict[str, Any]:
        """The JSON that would be sent. Pure, and free of the SDK."""
        turns = [{"role": turn.role, "content": turn.content} for turn in request.messages]
        return {"model": request.model_name, "messages": turns, **request.params}

    def __init__(self, *, endpoint: Endpoint) -> None:
        self.endpoint = endpoint

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *failure: object) -> None:
        """Gives back what was opened."""

    async def ready(self) -> bool:
        """Whether calls are taken now: a server may take minutes to load its model."""
        return True

    @abstractmethod
    async def complete(self, call: Call) -> Completion:
        """The provider's reply to the call.

        Raises TransportError when trying again may help, ProviderError when it cannot.
        """
