"""The values that flow from plan to dataset: frozen, compared by content, owned by nobody.

    Case -> Request -> Call -> Completion -> Row
                   key                     +-> Reject

A request's digest is its content address; a key adds which repeat of that request and
which try. Whatever must not change a key (timeouts, retries, addresses, the seed that an
engine derives) has no field here, so it cannot reach the digest.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple, Self

import orjson

from builder.errors import Place

Role = Literal["system", "user", "assistant"]
Stop = Literal["end", "length", "refusal", "filter", "reasoning", "empty"]
Stage = Literal["parse", "validate", "similar", "review"]  # Who refused an answer.


class Message(NamedTuple):
    """One turn of a prompt."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of a model, as planned."""

    model: str
    """`provider:model`, by its canonical name."""
    messages: tuple[Message, ...]
    params: Mapping[str, Any] = field(default_factory=dict)
    """As the provider names them, its defaults filled in."""
    schema: Mapping[str, Any] | None = None
    """The validation-mode JSON Schema of the answer; None asks for plain text."""

    @property
    def provider(self) -> str:
        return self.model.partition(":")[0]

    @property
    def model_name(self) -> str:
        return self.model.partition(":")[2]

    def digest(self) -> bytes:
        """The 16 bytes that address this request in the store."""
        head = request_head(self.model, self.params, self.schema)
        return request_digest(head, message_bytes(self.messages))


class Key(NamedTuple):
    """The content address of one completion: request digest, repeat and try."""

    digest: bytes
    """16 bytes, see `digest_of`."""
    repeat: int
    """Which of several identical requests of a dataset, from 0; below 0 where nobody is asked."""
    attempt: int
    """Which answer asked for this case, from 0: the `try` of the glossary."""

    def __str__(self) -> str:
        if self.repeat < 0:
            return f"none-{self.digest.hex()}"
        return f"{self.digest.hex()}-{self.repeat}-{self.attempt}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """The key that `str(key)` wrote.

        >>> Key.parse("00112233445566778899aabbccddeeff-3-1").repeat
        3
        """
        if text.startswith("none-"):
            return cls(bytes.fromhex(text.removeprefix("none-")), -1, 0)
        digest, repeat, attempt = text.split("-")
        return cls(bytes.fromhex(digest), int(repeat), int(attempt))

    def seed(self, again: int = 0) -> int:
        """A number in [0, 2**31) for engines whose sampling takes one, another for each `again`."""
        text = f"{self}-again-{again}" if again else str(self)
        return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest(), "big") >> 1


class Call(NamedTuple):
    """A request with its key: what an engine is asked once."""

    request: Request
    key: Key
    turns: tuple[Message, ...] = ()
    """What is sent behind the planned messages: a refused answer, and what was wrong with it."""
    again: int = 0
    """Replies to this key so far that were no answers: an engine that derives its seed from the
    key takes another for each, or it would be cut off at the same word for ever."""

    @property
    def messages(self) -> tuple[Message, ...]:
        """All that is sent."""
        return self.request.messages + self.turns

    @property
    def sent(self) -> Request:
        """The request as it goes out, the turns of a re-ask in it."""
        return replace(self.request, messages=self.messages) if self.turns else self.request

    @property
    def seed(self) -> int:
        """A number in [0, 2**31) for engines whose sampling takes one."""
        return self.key.seed(self.again)


class Usage(NamedTuple):
    """Tokens of one call, as the provider counted them; None where it did not say."""

    input: int | None = None
    """All input tokens, cached ones included."""
    output: int | None = None
    cached: int | None = None
    """Input tokens read from the provider's prompt cache."""


class Completion(NamedTuple):
    """A model's reply, verbatim. Only one that stopped by itself is an answer."""

    key: Key
    text: str
    model: str
    answered_by: str = ""
    """The model's name as the provider answered it, version included."""
    stop: Stop = "end"
    stop_reason: str = ""
    """The provider's own word for why it stopped."""
    usage: Usage = Usage()
    mode: str = "text"
    """How structure was asked for: json_schema, json_object, prompt or text."""
    host: str = ""
    """Host and port that answered."""
    latency: float = 0.0
    """Seconds from sending to the last byte."""
    time: float = 0.0
    """Seconds since the epoch when the reply was whole."""
    sent: tuple[Message, ...] = ()
    """What was sent beyond the planned messages: the turns of a re-ask."""
    usd: float | None = None
    """What the call cost, when the price is known."""
    reasoning: str = ""
    """What the model thought before it answered, where the provider shows it."""
    kind: str = "answer"
    """Whose call it was: `answer`, `judge` or `turn`."""
    door: str = "online"
    """How it was asked: `online`, `batch` or `file`."""
    ticket: str = ""
    """The batch that brought it; empty online."""

    @property
    def is_answer(self) -> bool:
        """False for a reply that was cut off, refused, filtered, or thoughts alone: an attempt."""
        return self.stop == "end"


class Case(NamedTuple):
    """One planned row, every variable fixed."""

    scenario: str
    combination: Mapping[str, Any]
    """One value per axis."""
    occurrence: int
    variables: Mapping[str, Any]
    """All names that the template and the validators see."""
    columns: Mapping[str, Any]
    """Those of them that become columns of the dataset: what is taken, axes and drawn values."""
    source: str = ""
    """The id of the row that it is made from, of its first source; of equal entries in a list of
    the row, their numbers too."""
    root: float | None = None
    """The number of that row's root, in [0, 1)."""

    @property
    def id(self) -> str:
        """16 hexadecimal digits from scenario, source row, combination and occurrence."""
        made_from = [self.source] if self.source else []
        axes = sorted(self.combination.items())
        return digest_of([self.scenario, *made_from, axes, self.occurrence]).hex()[:16]


class Row(NamedTuple):
    """An accepted row: the fields that the schema gave, beside the case that asked for them."""

    case: Case
    key: Key
    model: str
    fields: Mapping[str, Any]


class Reject(NamedTuple):
    """One refused answer, with the stage that refused it and why."""

    case: Case
    key: Key
    model: str
    stage: Stage
    reason: str
    """One line: where in the answer, what was expected."""
    raw: str
    fault: Place | None = None
    """Where the schema's own code failed, which is no fault of the answer."""


def canonical(value: object) -> bytes:
    """The bytes under every digest: JSON without white space, mapping order as given."""
    return orjson.dumps(value, option=orjson.OPT_PASSTHROUGH_SUBCLASS, default=_plain)


def digest_of(value: object) -> bytes:
    """16 bytes of BLAKE2b over the canonical JSON of `value`.

    >>> digest_of({"a": 1}).hex()[:8]
    '2c6b113b'
    """
    return hashlib.blake2b(canonical(value), digest_size=16).digest()


def request_head(
    model: str, params: Mapping[str, Any], schema: Mapping[str, Any] | None
) -> hashlib.blake2b:
    """The part of a request's digest that all requests of one scenario and model share.

    The order of params is no matter of theirs; that of a schema's fields is what the model sees.
    """
    head = hashlib.blake2b(digest_size=16)
    head.update(orjson.dumps([model, params], option=orjson.OPT_SORT_KEYS, default=_plain))
    head.update(canonical(schema))
    return head


def message_bytes(messages: tuple[Message, ...]) -> bytes:
    """The messages as the digest sees them; their length measures a prompt."""
    return orjson.dumps([[message.role, message.content] for message in messages])


def request_digest(head: hashlib.blake2b, messages: bytes) -> bytes:
    """16 bytes: the digest of `head` with these messages."""
    whole = head.copy()
    whole.update(messages)
    return whole.digest()


def _plain(value: object) -> object:
    """Subclasses as their base: an axis value that carries attributes counts by its text."""
    kinds: tuple[type[Any], ...] = (str, bool, int, float, dict, list, tuple)
    for base in kinds:
        if isinstance(value, base):
            return base(value)
    raise TypeError(f"{type(value).__name__} has no canonical form")
