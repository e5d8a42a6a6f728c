"""When to stop although calls succeed: the first answers were all refused, for one reason.

Each of three mistakes refuses every answer there will be: a model that answers in prose, a schema
whose own code fails, a prompt that asks for what the validator refuses. A person repairs it in a
minute; without this, they hear of it when every try is paid for.
"""

import re
from dataclasses import dataclass, field

from builder.errors import RefusedError
from builder.records import Reject, Row
from builder.results.step import Standing

# An endpoint whose first so many answers are all no JSON is not what the project means.
PROSE = 20
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


@dataclass(slots=True)
class Breaker:
    """Watches the first verdicts of each endpoint and scenario."""

    holding: frozenset[str]
    """Scenarios that hold rows already: their answers can be accepted."""
    _sequences: dict[tuple[str, str], _Sequence | None] = field(default_factory=dict)
    """By endpoint and by scenario; None where it was broken, for good."""

    def note(self, verdict: Row | Reject, case: Standing, provider: str) -> RefusedError | None:
        """Takes one more verdict; the error that ends the run, if it shows that all will be so."""
        scenario = case.part
        stage = verdict.stage if isinstance(verdict, Reject) else ""
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
        f"of the schema, not of the answers. Mend it; {_FREE}",
    )


def _same(scenario: str, answers: int, reject: Reject) -> RefusedError:
    raw = " ".join(reject.raw.split())
    return RefusedError(
        f"the first {answers} answers of {scenario!r} were all refused for one reason: {reject.reason}",
        hint=f"the last of them: {raw if len(raw) <= 200 else raw[:199] + '…'}\n"
        f"  mend the prompt, or the validator. {_FREE[0].upper() + _FREE[1:]}",
    )
