"""why: the walk of one row: what it is made from, its tries, what hangs on it. No call is made."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from builder import store
from builder.errors import InputError, nearest
from builder.plan.plans import Plan
from builder.project.settings import Project
from builder.records import Key
from builder.results import levels
from builder.results.step import Standing
from builder.results.trace import Dependents, Fate, Origin, Trace, Tracer, Try
from builder.store import Store
from builder.verbs import result, scope

_CASE = re.compile(r"[0-9a-f]{16}")
_KEY = re.compile(r"none-[0-9a-f]{32}|[0-9a-f]{32}-[0-9]+-[0-9]+")
_HINT = (
    "`_case` and `_key` stand in every exported row; `builder show DATASET` prints the one, "
    "`--rejects` the other; a trial's need its --model"
)
ALIKE = 4  # Digits in which a case agrees with one that is meant, at its beginning or its end.


@dataclass(frozen=True, slots=True, repr=False)
class WhyResult(result.Result):
    """The walk of one case; one record a try."""

    trace: Trace

    @property
    def case(self) -> str:
        """Its `_case`."""
        return self.trace.standing.planned.case.id

    @property
    def scenario(self) -> str:
        return self.trace.standing.part.name

    @property
    def fate(self) -> Fate:
        return self.trace.fate

    @property
    def tries(self) -> tuple[Try, ...]:
        return self.trace.tries

    @property
    def origins(self) -> tuple[Origin, ...]:
        """The rows that it is made from, each with its own."""
        return self.trace.origins

    @property
    def dependents(self) -> tuple[Dependents, ...]:
        """What is made from it, by scenario."""
        return self.trace.dependents

    def summary(self) -> str:
        return f"{self.scenario} {self.case}: {self.fate.kind}, {self.fate.why}"

    def records(self) -> Iterator[Mapping[str, object]]:
        for number, (key, reply, verdict, reason) in enumerate(self.tries, 1):
            yield {
                "reply": number,
                "key": str(key),
                "verdict": verdict,
                "reason": reason,
                "model": reply.answered_by or reply.model,
                "stop": reply.stop,
                "input_tokens": reply.usage.input,
                "output_tokens": reply.usage.output,
                "usd": reply.usd,
                "text": reply.text,
            }

    def document(self) -> Mapping[str, object]:
        """All of it as plain values, for JSON."""
        standing, trace = self.trace.standing, self.trace
        return {
            "case": self.case,
            "key": str(standing.row.key if standing.row else standing.first),
            "scenario": self.scenario,
            "dataset": trace.dataset.name if trace.dataset.exported else None,
            "combination": dict(standing.planned.case.combination),
            "occurrence": standing.planned.case.occurrence,
            "columns": dict(standing.planned.case.columns),
            "fate": self.fate.kind,
            "why": self.fate.why,
            "split": trace.split or None,
            "tries": list(self.records()),
            "made_from": list(map(_origin, self.origins)),
            "key_follows_from": trace.basis._asdict(),
            "hangs_on_it": [dependents._asdict() for dependents in self.dependents],
            "drawn_by": trace.drawn_by,
            "alike": trace.alike,
        }


def _origin(origin: Origin) -> Mapping[str, object]:
    place = {"scenario": origin.scenario} if origin.scenario else {"table": origin.file}
    return {
        "source": origin.source,
        "id": origin.id,
        **place,
        "made_from": list(map(_origin, origin.origins)),
    }


def why(
    folder: str | Path, word: str, *, rows: int | None = None, model: str | None = None
) -> WhyResult:
    """The walk of the case that a `_case` or a `_key` names, by the files as they are now.

    Raises InputError where the word is neither, or no case of the files bears it.
    """
    project = Project.find(folder)
    word = word.strip().lower()
    is_key = _KEY.fullmatch(word) is not None
    if not is_key and not _CASE.fullmatch(word):
        raise InputError(f"{word!r} is neither a _case (16 hex digits) nor a _key", hint=_HINT)
    with store.reading(project.store) as answers:
        plan, _ = levels.plan(project, (), scope.overrides(rows=rows, model=model), answers)
        trace = _by_key(plan, answers, Key.parse(word)) if is_key else _by_case(plan, answers, word)
    return WhyResult(trace)


def _by_case(plan: Plan, answers: Store, word: str) -> Trace:
    similar: list[str] = []

    def is_wanted(case: Standing) -> bool:
        name = case.planned.case.id
        if name[:ALIKE] == word[:ALIKE] or name[-ALIKE:] == word[-ALIKE:]:
            similar.append(name)
        return name == word

    trace = Tracer(plan, answers).trace(is_wanted)
    if trace is None:
        raise InputError(f"no case {word} in the plan.{nearest(word, similar)}", hint=_HINT)
    return trace


def _by_key(plan: Plan, answers: Store, key: Key) -> Trace:
    def is_wanted(case: Standing) -> bool:
        first = case.first
        return first.digest == key.digest and (first.repeat == key.repeat or first.repeat < 0)

    trace = Tracer(plan, answers).trace(is_wanted)
    if trace is None:
        replies = [answers.whole(key), *answers.attempts(key)] if key.repeat >= 0 else []
        reply = next(filter(None, replies), None)
        if reply is None:
            raise InputError(f"no case of the plan has the key {key}", hint=_HINT)
        raise InputError(
            f"a reply of {reply.model} is held under {key}, and no case of the plan asks for it: it "
            "is from before an edit, or of a trial",
            hint="bring the edit back, or add --model and --rows of the trial",
        )
    return trace
