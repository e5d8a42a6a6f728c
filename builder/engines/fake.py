"""A public engine without a model: answers that obey the schema, the same for the same key.

For first steps, for tests and for rehearsing a run: nothing is asked, nothing costs money.
Faults come from settings or from a script:

    [tool.builder.providers.fake]
    faults = {malformed = 0.2, error = 0.05, length = 0.01}
    latency = 0.05
"""

import asyncio
import random
import time
from collections.abc import Callable, Mapping, Sequence

import orjson

from builder.engines import generate, lexicon, params
from builder.engines.protocol import Endpoint, Engine
from builder.errors import EngineError, TransportError, nearest
from builder.records import Call, Completion, Key, Request, Stop, Usage

# A text, a whole completion, an error to raise, or None for the usual answer.
Answer = str | Completion | EngineError | None
# The answer to each call; of a list, the next one, and the usual answers when it is used up.
Script = Callable[[Call], Answer] | Sequence[Answer]

# malformed breaks the answer for good; the others pass when the key is asked again.
FAULTS = ("malformed", "error", "limited", "length", "refusal", "filter")
STOPS: Mapping[str, Stop] = {"length": "length", "refusal": "refusal", "filter": "filter"}
KNOWN = {**params.OPENAI, **params.ANTHROPIC, **params.SAMPLING, **params.LOCAL}


class Fake(Engine):
    """Answers from the key's seed, or from a script.

    Fake(['{"stars": 5}', "no JSON"])
    Fake(lambda call: f"{len(call.messages)} messages were sent")
    """

    @classmethod
    def problems(cls, endpoint: Endpoint, request: Request) -> list[str]:
        lines = [
            f"faults.{name}: unknown.{nearest(name, FAULTS)}"
            for name in endpoint.options.get("faults", {})
            if name not in FAULTS
        ]
        return lines + params.problems("fake", request.params, KNOWN, extras=False)

    def __init__(self, script: Script = (), *, endpoint: Endpoint | None = None) -> None:
        endpoint = self.endpoint = endpoint or Endpoint("fake", "fake")
        answers = iter(() if callable(script) else script)
        self._script = script if callable(script) else lambda _: next(answers, None)
        self._faults: Mapping[str, float] = endpoint.options.get("faults", {})
        self._latency = float(endpoint.options.get("latency", 0.0))
        self._asked: dict[Key, int] = {}

    async def __aexit__(self, *failure: object) -> None:
        self._asked.clear()

    async def complete(self, call: Call) -> Completion:
        started = time.perf_counter()
        await asyncio.sleep(self._latency)
        scripted = self._script(call)
        if isinstance(scripted, EngineError):
            raise scripted
        if isinstance(scripted, Completion):
            return scripted
        key, request = call.key, call.request
        fault = self._fault(key) if scripted is None else None
        text = answer(request, key) if scripted is None else scripted
        if fault == "malformed":
            text = malformed(text, random.Random(key.seed()))
        elif fault in ("error", "limited"):
            raise TransportError(
                "The fake engine failed, as its settings ask", limited=fault == "limited"
            )
        elif fault is not None:
            text = text[: len(text) // 2] if fault == "length" else ""
        completion = Completion(
            key=key,
            text=text,
            model=request.model,
            answered_by="fake",
            stop=STOPS.get(fault or "", "end"),
            stop_reason=fault if fault and fault in STOPS else "end",
            usage=Usage(
                sum(len(turn.content) for turn in call.messages) // 4 + 1, len(text) // 4 + 1, 0
            ),
            mode="text" if request.schema is None else "json_schema",
            host="fake",
            sent=call.turns,
            usd=0.0,
        )
        return completion._replace(latency=time.perf_counter() - started, time=time.time())

    def _fault(self, key: Key) -> str | None:
        """The fault of this call, if any: by the key, and by how often it was asked here."""
        if not self._faults:
            return None
        if random.Random(key.seed() ^ 0x5EED).random() < self._faults.get("malformed", 0.0):
            return "malformed"
        asked = self._asked.get(key, 0)
        drawn = random.Random(key.seed() + asked * 2**31).random()
        for name in FAULTS[1:]:
            share = self._faults.get(name, 0.0)
            if drawn < share:
                self._asked[key] = asked + 1
                return name
            drawn -= share
        return None


def answer(request: Request, key: Key) -> str:
    """The fake's answer to a request: JSON that obeys its schema, or plain text without one."""
    rng = random.Random(key.seed())
    chinese = lexicon.is_chinese("".join(turn.content for turn in request.messages))
    if request.schema is None:
        return lexicon.text(rng, 1, 600, chinese=chinese)
    return orjson.dumps(generate.value(request.schema, rng, chinese=chinese)).decode()


def malformed(text: str, rng: random.Random) -> str:
    """The answer broken in one of the ways that models break answers."""
    return rng.choice(
        [
            text[: len(text) // 2],
            "Sure! I would be happy to help with that.",
            '{"unexpected": ' + text + "}",
            "[]",
            '{"": null}',
        ]
    )
