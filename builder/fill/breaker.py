"""When to stop although calls succeed: nothing that came first can become a row, for one reason.

A model that answers in prose, replies that are all cut off or all thoughts, a schema whose own code
fails, a prompt that asks for what the validator refuses, requests that the provider refuses: each
spoils every answer there will be. A person repairs it in a minute; without this, they hear of it
when every try is paid for.
"""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from builder.engines import tokens
from builder.errors import EngineError, ProviderError, RefusedError, RequestError
from builder.records import Completion, Key, Reject, Request, Row, Stop
from builder.results.step import Standing

# An endpoint whose first so many answers are all no JSON is not what the project means.
PROSE = 20
# The first replies of a scenario that are all no answers, or no JSON.
NOTHING = 20
# The first cases of a scenario whose requests are all refused.
SCOUTS = 8
# The first answers of a scenario, all refused because the schema's own code failed.
FAULTS = 5
# The first answers of a scenario, all refused by its schema for the same reason.
SAME = 40
# Combinations of a scenario that must be among them, if it has so many: one that no answer can
# please is no reason to stop.
SPREAD = 5
_FREE = "run again then: the answers are kept, and judging them anew is free"


@dataclass(slots=True)
class _Sequence:
    """Refusals for one reason, from the first answer on."""

    reason: str
    length: int = 0
    combinations: set[int] = field(default_factory=set)
    stops: Counter[Stop] = field(default_factory=Counter)


@dataclass(slots=True)
class Breaker:
    """Watches the first verdicts of each endpoint and scenario."""

    holding: frozenset[str]
    """Scenarios that hold rows already: their answers can be accepted."""
    to_ask: int
    """Rows that are missing."""
    _scouts: dict[str, dict[Key, bool]] = field(default_factory=dict)
    """Scenario to its first cases, and whether the request of each was refused."""
    _sequences: dict[tuple[str, str], _Sequence | None] = field(default_factory=dict)
    """By endpoint and by scenario; None where it was broken, for good."""

    def note_sent(self, case: Standing) -> None:
        """Remembers the first cases of each scenario."""
        scouts = self._scouts.setdefault(case.part.name, {})
        if len(scouts) < SCOUTS:
            scouts.setdefault(case.first, False)

    def note_refusal(self, case: Standing, error: RequestError) -> EngineError | None:
        """Takes a refused request; the error that ends the run, if all first ones are refused."""
        name, scouts = case.part.name, self._scouts[case.part.name]
        if case.first in scouts:
            scouts[case.first] = True
        enough = len(scouts) >= min(SCOUTS, self.to_ask) and all(scouts.values())
        if name in self.holding or not enough:
            return None
        return ProviderError(error.message, hint=error.hint)

    def note_non_answer(
        self, reply: Completion, case: Standing, request: Request
    ) -> RefusedError | None:
        """Takes a reply that is no answer; the error that ends the run, if all first ones are none."""
        nothing = self._grown(("replies", case.part.name), "nothing", case)
        if nothing is None or case.part.name in self.holding:
            return None
        nothing.stops[reply.stop] += 1
        if nothing.length < NOTHING or len(nothing.combinations) < min(SPREAD, case.part.kept):
            return None
        return _nothing(case.part.name, nothing, request)

    def note(self, verdict: Row | Reject, case: Standing, provider: str) -> RefusedError | None:
        """Takes one more verdict; the error that ends the run, if it shows that all will be so."""
        scenario = case.part
        stage = verdict.stage if isinstance(verdict, Reject) else ""
        self._grown(("replies", scenario.name), "nothing" * (stage == "parse"), case)
        prose = self._grown(("provider", provider), "prose" * (stage == "parse"), case)
        if prose and prose.length == PROSE and not self.holding:
            return _prose(provider)
        reason = _kind(verdict) if isinstance(verdict, Reject) and stage == "validate" else ""
        same = self._grown(("scenario", scenario.name), reason, case)
        if same is None or scenario.name in self.holding or not isinstance(verdict, Reject):
            return None
        enough = SAME if verdict.fault is None else FAULTS
        if same.length < enough or len(same.combinations) < min(SPREAD, scenario.kept):
            return None
        if verdict.fault is None:
            return _same(scenario.name, same.length, verdict)
        return _fault(scenario.name, same.length, verdict)

    def _grown(self, whose: tuple[str, str], reason: str, case: Standing) -> _Sequence | None:
        """The sequence with one more answer; None once another reason, or a row, has broken it."""
        sequence = self._sequences.setdefault(whose, _Sequence(reason))
        if sequence is None or not reason or sequence.reason != reason:
            self._sequences[whose] = None
            return None
        sequence.length += 1
        sequence.combinations.add(case.combination)
        return sequence


def _kind(reject: Reject) -> str:
    """What makes two refusals the same: whatever the schema's code raised; else the reason, its
    numbers and what was found aside."""
    if reject.fault is not None:
        return "fault"
    return re.sub(r"\d+", "0", re.sub(r" \(found .*?\)(?=; |$)", "", reject.reason))


def _nothing(scenario: str, nothing: _Sequence, request: Request) -> RefusedError:
    """The error of replies that are no answers: what most of them are, and what to set."""
    (stop, count), *_ = nothing.stops.most_common()
    limit = tokens.most(request.params)
    at = f"max_tokens = {limit}" if limit else "the server's own limit of tokens"
    texts: Mapping[str, tuple[str, str]] = {
        "length": (
            f"cut off at {at}",
            f"{'raise' if limit else 'set'} max_tokens under params: models that think need thousands",
        ),
        "reasoning": (
            "reasoning alone, without an answer",
            "raise max_tokens, or turn thinking off under params: "
            "chat_template_kwargs: {enable_thinking: false} for vLLM and llama.cpp, reasoning_effort elsewhere",
        ),
        "filter": (
            "stopped by the provider's filter",
            "change what the prompt asks for, or the filter of the account",
        ),
        "refusal": ("refusals of the model", "change what the prompt asks for, or the model"),
        "empty": (
            "empty",
            "does the prompt fit into the server's context, and does the server have a chat template?",
        ),
    }
    what, hint = texts[stop]
    most = "all" if count == nothing.length else f"no answers, {count} of them"
    return RefusedError(
        f"the first {nothing.length} replies of {scenario!r} were {most} {what}",
        hint=f"{hint}; what they cost is logged",
    )


def _prose(provider: str) -> RefusedError:
    return RefusedError(
        f"the first {PROSE} answers of {provider} were all no JSON",
        hint='does this model follow instructions? structured = "json_object" or "prompt" under '
        f"[tool.builder.providers.{provider}] asks in another way; `answer: text` takes prose",
    )


def _fault(scenario: str, answers: int, reject: Reject) -> RefusedError:
    return RefusedError(
        f"{reject.fault}: {reject.reason}",
        hint=f"so it went with each of the first {answers} answers of {scenario!r}: this is a fault "
        f"of the schema, not of the answers. Repair it; {_FREE}",
    )


def _same(scenario: str, answers: int, reject: Reject) -> RefusedError:
    raw = " ".join(reject.raw.split())
    return RefusedError(
        f"the first {answers} answers of {scenario!r} were all refused for one reason: {reject.reason}",
        hint=f"the last of them: {raw if len(raw) <= 200 else raw[:199] + '…'}\n"
        f"  change the prompt, or the validator. {_FREE[0].upper() + _FREE[1:]}",
    )
