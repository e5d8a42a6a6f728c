"""One case and its answers: what follows from them. Pure, and never stored.

The first try, the re-ask that shows the model what was wrong, the fresh try after it: each is a
call that follows from the answers so far. Whoever fills, fills by asking just these.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from builder.plan.planned import Planned, ScenarioPlan
from builder.records import Call, Completion, Key, Message, Reject, Row
from builder.results.judgement import Judgement


class Ask(NamedTuple):
    """The case wants answers to these calls."""

    calls: tuple[Call, ...]


class Spent(NamedTuple):
    """The tries of the case are used up without a row."""

    rejects: tuple[Reject, ...]


Step = Ask | Row | Spent


@dataclass(slots=True)
class Standing:
    """How one case stands by the answers that were judged so far."""

    part: ScenarioPlan
    planned: Planned
    first: Key
    """The key of its first try."""
    combination: int
    size: int
    """UTF-8 bytes of its messages, a measure of its tokens."""
    position: int = -1
    """Which of its scenario's planned cases it is; -1 for a reserve."""
    held: Sequence[Completion] = ()
    """What the store holds for it, in order of tries."""
    answers: list[Completion] = field(default_factory=list)
    """Those that were judged."""
    rejects: list[Reject] = field(default_factory=list)
    row: Row | None = None
    raised: bool = False
    """Whether it gets the further tries that a run was told to allow."""

    @property
    def limit(self) -> int:
        """Answers that may be asked for this case."""
        return self.part.limit if self.raised else self.part.tries

    @property
    def tried(self) -> int:
        """Answers that were judged."""
        return len(self.answers)

    @property
    def open(self) -> bool:
        """Whether it wants an answer."""
        return self.row is None and len(self.answers) < self.limit

    @property
    def spent(self) -> bool:
        """Whether its own tries are used up without a row."""
        return self.row is None and len(self.answers) >= self.part.tries

    @property
    def similar(self) -> bool:
        """Whether its last answer was refused for being near to another row."""
        return self.row is None and bool(self.rejects) and self.rejects[-1].stage == "similar"

    @property
    def next_key(self) -> Key:
        """The key of its next try."""
        return Key(self.first.digest, self.first.repeat, len(self.answers))

    def take(self, answer: Completion, judgement: Judgement) -> Row | Reject:
        """Judges one more answer and remembers the verdict."""
        verdict = judgement.verdict(self.part, self.planned, self.next_key, answer)
        self.answers.append(answer)
        if isinstance(verdict, Row):
            self.row = verdict
        else:
            self.rejects.append(verdict)
        return verdict

    def take_held(self, judgement: Judgement, most: int | None = None) -> None:
        """Judges the next answers that the store holds, at most so many, until one is a row."""
        first = len(self.answers)
        for answer in self.held[first : None if most is None else first + most]:
            if isinstance(self.take(answer, judgement), Row):
                break

    def call(self, again: int = 0) -> Call:
        """The call for its next try; `again` counts the replies to it that were no answers."""
        return Call(self.planned.request, self.next_key, _turns(self), again)

    def step(self) -> Step:
        """What follows from the answers that were judged."""
        if self.row is not None:
            return self.row
        return Ask((self.call(),)) if self.open else Spent(tuple(self.rejects))


def step(case: Standing, completions: Sequence[Completion], judgement: Judgement) -> Step:
    """What follows when a case that no answer was judged for gets these, in order of tries.

    The same as taking them one by one, whenever they arrive: nothing else is remembered.
    """
    for completion in completions:
        if not case.open:
            break
        case.take(completion, judgement)
    return case.step()


def _turns(case: Standing) -> tuple[Message, ...]:
    """The turns of a re-ask: every second try shows the model its answer and what was wrong."""
    if case.tried % 2 == 0 or not case.rejects:
        return ()
    refused = case.rejects[-1]
    if case.similar:
        why = "it is nearly the same as another one. Write something clearly different, in the same form."
    else:
        why = f"{refused.reason}\nAnswer again, whole and corrected, in the same form, without any comment."
    return (
        Message("assistant", refused.raw or "(empty)"),
        Message("user", f"That answer was refused: {why}"),
    )
