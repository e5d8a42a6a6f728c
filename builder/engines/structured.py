"""How structure is asked for: transforms of a schema for the wire, and the order in which modes are tried.

The original schema is the request's; what stands here never reaches a digest. Each
transform only removes what a provider refuses: what it accepts beyond that, Pydantic judges.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import lru_cache, partial
from typing import Any

import orjson

from builder import jsonschema
from builder.engines.protocol import Mode
from builder.records import Message

Schema = dict[str, Any]

STRICT_KEYS = frozenset(
    [
        "type",
        "description",
        "enum",
        "const",
        "pattern",
        "format",
        "multipleOf",
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "minItems",
        "maxItems",
    ]
)
WHOLE_KEYS = STRICT_KEYS | {"minLength", "maxLength", "prefixItems", "uniqueItems"}
PLAIN_KEYS = frozenset(["type", "description", "enum", "const", "format"])
FORMATS = frozenset(
    ["date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"]
)
# Keywords that hold schemas.
PARTS = ("anyOf", "oneOf", "allOf", "properties", "prefixItems", "items", "additionalProperties")
# Keywords without a meaning for the answer: left out and not described.
SILENT = frozenset(
    ["title", "default", "examples", "discriminator", "$defs", "definitions", "deprecated"]
)
LOOKAROUND = re.compile(r"\(\?[=!<]|\\[bB1-9]")

PROSE = 5  # First answers without JSON that show a server to ignore how structure is asked for.
# Characters of a text that the schema leaves unbounded: small models never stop by themselves.
SMALL_TEXT = 300
SMALL_LIST = 6
LONGEST = 1000  # Repetitions that llama.cpp's grammar takes.


def strict(schema: Mapping[str, Any]) -> Schema:
    """The schema as OpenAI's strict mode takes it: every property required, none beyond them.

    A property with a default is required without becoming nullable: null would be no valid
    value of it. Treat the result as read-only, it is shared between calls.
    """
    return _turned(orjson.dumps(schema), STRICT)


def whole(schema: Mapping[str, Any]) -> Schema:
    """The schema as servers take it that enforce lengths, places and the like by a grammar."""
    return _turned(orjson.dumps(schema), WHOLE)


def unenforced(schema: Mapping[str, Any]) -> list[str]:
    """The names of fields whose pattern looks around: no provider enforces it."""
    return [
        name
        for node in _nodes(dict(schema))
        for name, field in node.get("properties", {}).items()
        if any(LOOKAROUND.search(str(part.get("pattern", ""))) for part in _nodes(field))
    ]


def constrained(schema: Mapping[str, Any]) -> Schema:
    """The schema as Anthropic takes it: bounds and patterns move into descriptions."""
    return _turned(orjson.dumps(schema), CONSTRAINED)


def small(schema: Mapping[str, Any]) -> Schema:
    """The schema for the embedded model's grammar: bounded texts, no keyword it chokes on."""
    return _turned(orjson.dumps(schema), _shrink)


@lru_cache(maxsize=512)
def _turned(source: bytes, turn: Callable[[object], Schema]) -> Schema:
    """The turned schema; a root that is a reference is written out, as providers ask."""
    schema = orjson.loads(source)
    root = turn(jsonschema.unwrap(schema))
    if definitions := schema.get("$defs"):
        root["$defs"] = {name: turn(node) for name, node in definitions.items()}
    return root


@lru_cache(maxsize=256)
def _fit(source: bytes) -> tuple[bool, bool]:
    schema = orjson.loads(source)
    root = jsonschema.unwrap(schema)
    closed = all(not node.get("additionalProperties") for node in _nodes(schema))
    return root.get("type") == "object" and "properties" in root, closed


def is_object(schema: Mapping[str, Any]) -> bool:
    """Whether the answer is an object of named fields, as providers' structured output asks."""
    return _fit(orjson.dumps(schema))[0]


def is_closed(schema: Mapping[str, Any]) -> bool:
    """Whether no object in the schema takes names of the model's own choosing."""
    return _fit(orjson.dumps(schema))[1]


def described(messages: Iterable[Message], schema: Mapping[str, Any]) -> tuple[Message, ...]:
    """The messages with the schema in the system turn, for modes that do not carry it."""
    instruction = (
        "Answer with one JSON value and nothing else: no fences, no comment. "
        "It must obey this JSON Schema:\n" + orjson.dumps(schema).decode()
    )
    messages = tuple(messages)
    if messages and messages[0].role == "system":
        return (Message("system", f"{messages[0].content}\n\n{instruction}"), *messages[1:])
    return (Message("system", instruction), *messages)


class ModeFallback:
    """Finds out once which mode an endpoint takes, and remembers it.

    The first caller goes ahead alone; the others wait until its call is over, at most
    `PATIENCE` seconds, so that they need not each hear the same refusal. No lock is held
    while a call is under way, and a refusal steps down only from the mode it was about.
    """

    PATIENCE = 3.0

    def __init__(self, modes: tuple[Mode, ...]) -> None:
        import asyncio  # a plan reads this module and calls nobody

        self._modes = modes
        self._found = asyncio.Event()
        self._scouted = len(modes) == 1
        self._guessed = self._answered = False
        self._prose = 0
        if self._scouted:
            self._found.set()

    async def mode(self) -> Mode:
        """The mode to ask with now; whoever gets the first one must call `settle` after it."""
        if not self._found.is_set():
            if self._scouted:
                import asyncio

                with suppress(TimeoutError):
                    await asyncio.wait_for(self._found.wait(), self.PATIENCE)
                self._found.set()
            self._scouted = True
        return self._modes[0]

    def step_down(self, refused: Mode) -> Mode | None:
        """The next mode after one that the endpoint refused; None when there is none left."""
        if self._modes == (refused,):
            return None
        if self._modes[0] == refused:
            self._modes = self._modes[1:]
        return self._modes[0]

    def guess(self) -> tuple[Mode, ...]:
        """The lower ways, for a refusal without a reason; once, and before any call was answered."""
        lower = () if self._guessed else self._modes[1:]
        self._guessed = True
        return lower

    def keep(self, mode: Mode) -> None:
        """From now on this way is the first."""
        if mode in self._modes:
            self._modes = self._modes[self._modes.index(mode) :]

    def note(self, mode: Mode, text: str) -> None:
        """Takes an answer; first ones without any JSON show a server that ignores how it is asked."""
        if self._answered or mode != self._modes[0]:
            return
        self._answered = "{" in text
        self._prose += not self._answered
        if self._prose >= PROSE:
            self._modes = self._modes[-1:]

    def settle(self) -> None:
        """A call is over: nobody needs to wait any longer."""
        self._found.set()


def _nodes(value: dict[str, Any] | list[Any]) -> Iterable[Schema]:
    if isinstance(value, dict):
        yield value
    for child in [*value.values()] if isinstance(value, dict) else value:
        if isinstance(child, dict | list):
            yield from _nodes(child)


def _tidy(source: object, keys: frozenset[str], formats: frozenset[str], *, every: bool) -> Schema:
    """One node with only the given keywords; what else it says goes into its description, as JSON."""
    if not isinstance(source, dict):
        return {}
    turn = partial(_tidy, keys=keys, formats=formats, every=every)
    node = _merged(source, places="prefixItems" in keys)
    out: Schema = {}
    described: Schema = {}
    for key, value in node.items():
        if key in PARTS:
            out["anyOf" if key == "oneOf" else key] = _turn_parts(key, value, turn)
        elif _is_kept(key, value, keys, formats):
            out[key] = _plain(value) if key == "pattern" else value
        elif key not in SILENT:
            described[key] = value
    if out.get("type") == "object" and not node.get("additionalProperties"):
        out.setdefault("properties", {})
        out["additionalProperties"] = False
        out["required"] = list(out["properties"]) if every else out.get("required", [])
    if described:
        rest = orjson.dumps(described).decode()
        out["description"] = f"{out.get('description', '')} {rest}".strip()
    if "$ref" in out and len(out) > 1:
        out["anyOf"] = [{"$ref": out.pop("$ref")}]
    return out


STRICT = partial(_tidy, keys=STRICT_KEYS, formats=FORMATS, every=True)
WHOLE = partial(_tidy, keys=WHOLE_KEYS, formats=FORMATS, every=True)
CONSTRAINED = partial(_tidy, keys=PLAIN_KEYS, formats=FORMATS | {"uri"}, every=False)


def _turn_parts(key: str, value: Any, turn: Callable[[object], Schema]) -> object:
    """What a keyword of PARTS holds, each schema in it turned."""
    if isinstance(value, list):
        return [turn(child) for child in value]
    if key == "properties":
        return {name: turn(child) for name, child in value.items()}
    return turn(value) if isinstance(value, dict) else value


def _is_kept(key: str, value: object, keys: frozenset[str], formats: frozenset[str]) -> bool:
    if key in ("$ref", "required") or (key == "minItems" and value in (0, 1)):
        return True
    if key not in keys or (key == "format" and value not in formats):
        return False
    if key in ("minLength", "maxLength") and isinstance(value, int) and value > LONGEST:
        return False
    return key != "pattern" or LOOKAROUND.search(str(value)) is None


def _merged(node: Schema, *, places: bool = False) -> Schema:
    """An allOf of one written out, and a tuple as a list whose places all take any of its types,
    unless `places` can be told apart."""
    if len(node.get("allOf", ())) == 1:
        node = {**node, **node["allOf"][0]}
        node.pop("allOf")
    if "prefixItems" in node and not places:
        node = dict(node)
        types = node.pop("prefixItems")
        node.update(items={"anyOf": types}, minItems=len(types), maxItems=len(types))
    return node


def _shrink(node: object) -> Schema:
    if not isinstance(node, dict):
        return {}
    out: Schema = {
        key: _turn_parts(key, value, _shrink) if key in PARTS else value
        for key, value in _merged(node).items()
        if key not in SILENT
    }
    if out.get("type") == "string" and "enum" not in out and "const" not in out:
        _shrink_text(out)
    elif out.get("type") == "array":
        least = min(int(out.get("minItems", 0)), LONGEST)
        out["maxItems"] = min(int(out.get("maxItems", max(least, SMALL_LIST))), LONGEST)
    return out


def _plain(pattern: str) -> str:
    r"""The pattern without `\d` and `\w`, which some grammars take for letters.

    >>> _plain(r"^[\d.]+-\w$")
    '^[0-9.]+-[A-Za-z0-9_]$'
    """
    for class_, plain in (("\\d", "0-9"), ("\\w", "A-Za-z0-9_")):
        pieces = re.split(r"(\[[^\]]*\])", pattern)
        pattern = "".join(
            piece.replace(class_, plain if piece.startswith("[") else f"[{plain}]")
            for piece in pieces
        )
    return pattern


def _shrink_text(node: Schema) -> None:
    """Bounds for a text, and its pattern in the words that the grammar knows."""
    pattern = _plain(str(node.pop("pattern", ""))).replace("\\s", " ")
    if pattern.startswith("^") and pattern.endswith("$") and not LOOKAROUND.search(pattern):
        node["pattern"] = pattern
        return
    if node.get("format") in ("date", "time", "date-time", "uuid"):
        return
    least = min(int(node.get("minLength", 0)), LONGEST - 1)
    node["maxLength"] = min(int(node.get("maxLength", max(least + 1, SMALL_TEXT))), LONGEST)
    if least:
        node["minLength"] = least
