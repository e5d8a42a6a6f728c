"""What a plan lacks: which calls are asked next, and what follows from each answer.

A case stays out until it has its row or has spent its tries; a spent one calls up the next
occurrence of its combination. So the rows follow from the answers alone and not from the order
in which they arrive. Where rows are compared with one another, whole rounds are asked: the next
one begins when every case of the last is back.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from builder.plan.plans import DatasetPlan, Plan
from builder.records import Call, Completion, Key, Reject, Row
from builder.results import settle
from builder.results.judgement import Judgement
from builder.results.settle import Settlement, Settlements
from builder.results.step import Standing
from builder.store import Store

# Replies in a row that may be no answers, while most replies of the run are answers: chance, then,
# and not the case.
CHANCES = 8


@dataclass(slots=True, eq=False)
class Pending:
    """One case that is out for an answer."""

    case: Standing
    call: Call
    once: bool = False
    """Whether its round takes one answer of it."""
    non_answers: int = 0
    """Replies to it in this run that were no answers."""


class Missing:
    """The calls that a plan lacks. Synchronous: whoever fills decides how many are out at a time."""

    def __init__(
        self,
        plan: Plan,
        store: Store,
        judging: Judgement,
        *,
        settled: Settlements | None = None,
        flush: Callable[[], None] = lambda: None,
        end_round: Callable[[Mapping[str, int]], None] = lambda accepted: None,
    ) -> None:
        """Prepares the walk; nothing is read yet.

        Args:
            plan: What is wanted.
            store: What is held.
            judging: Judges each answer by its schema and people's reviews, as it comes.
            settled: Finished walks by dataset, so that none is made twice.
            flush: Puts every answer so far into the store, before a round is judged.
            end_round: Gets the rows that a round has accepted, by scenario; fewer than 0 where
                it displaced some.
        """
        self._plan = plan
        self._store = store
        self._judging = judging
        self._settled = settled or {}
        self._flush = flush
        self._end_round = end_round
        # Scenario to the settlement of its dataset.
        self._settlements: dict[str, Settlement] = {}
        self._ready: deque[Pending] = deque()
        self._left: set[Key] = set()
        self._stream = self._open()
        self._barrier = False
        self._had_attempts = store.count("attempts") > 0
        # Replies that were answers, less those that were none.
        self._surplus = 0
        self.out = 0  # Cases that were handed out and are not back.
        self.ended = False  # Whether no case is left and none can come.

    def take(self) -> Pending | None:
        """The next case that wants an answer. None: nothing can be asked before another is back,
        or, where none is out, at all."""
        while not self.ended:
            pending = self._next()
            if pending is not None:
                self.out += 1
                return pending
            if self.out:
                return None
            if not self._barrier:
                self.ended = True
                return None
            self._flush()
            self._barrier = False
        return None

    def answer(self, pending: Pending, answer: Completion) -> Row | Reject:
        """Judges an answer; what follows from it is handed out by `take`."""
        self._surplus += 1
        verdict = pending.case.take(answer, self._judging)
        if pending.case.open and not pending.once:
            self.out -= 1
            self._ready.appendleft(self._pending(pending.case, non_answers=pending.non_answers))
        else:
            self.close(pending)
        return verdict

    def ask_again(self, pending: Pending) -> bool:
        """Hands a case out again after a reply that was no answer; False where it had enough."""
        pending.non_answers += 1
        self._surplus -= 1
        if pending.non_answers >= max(pending.case.limit, CHANCES * (self._surplus >= 0)):
            self.close(pending)
            return False
        self.out -= 1
        pending.call = pending.call._replace(again=pending.call.again + 1)
        self._ready.appendleft(pending)
        return True

    def close(self, pending: Pending) -> None:
        """Takes a case back that has its row, is spent, or is left to a later run."""
        self.out -= 1
        case = pending.case
        if pending.once:
            if case.tried == len(case.held):
                self._left.add(case.next_key)
        elif not case.open:
            following = self._following(case)
            if following is not None:
                self._ready.append(self._pending(following))

    def _next(self) -> Pending | None:
        if self._ready:
            return self._ready.popleft()
        if not self._barrier:
            for pending in self._stream:
                self._barrier = pending is None
                return pending
        return None

    def _open(self) -> Iterator[Pending | None]:
        """The cases to ask for; None where those before must be answered first."""
        for dataset in self._plan.datasets:
            if dataset.distinct:
                yield from self._rounds(dataset)
                continue
            settlement = self._settled.get(dataset.name)
            if settlement is None:
                settlement = settle.settle(dataset, self._store, self._judging.reviews).exhaust()
            self._settlements |= dict.fromkeys(settlement.tallies, settlement)
            yield from map(self._pending, self._cases(settlement))

    def _cases(self, settlement: Settlement) -> Iterator[Standing]:
        """The cases of a settlement that want an answer and need not wait for others."""
        # Chosen before anything is out: what is closed from then on raises its followers itself.
        raised = [
            case
            for further in settlement.further
            if further.part.name in self._plan.wanted
            for case in map(further.next, list(further.spent))
            if case is not None
        ]
        for number, cases in settlement.open_cases():
            part = settlement.dataset.scenarios[number]
            if part.name in self._plan.wanted:
                yield from settle.judged(part, cases, self._store, self._judging)
        yield from raised

    def _rounds(self, dataset: DatasetPlan) -> Iterator[Pending | None]:
        """Round after round, until one lacks nothing that can be had."""
        asked = True
        accepted: Counter[str] | None = None
        while asked:
            asked = False
            settlement = settle.settle(dataset, self._store, self._judging.reviews)
            wanted, left = self._plan.wanted, self._left
            for case in settlement.missing_round(self._judging, wanted, left):
                asked = True
                yield self._pending(case, once=True)
            gained = Counter(settlement.accepted)
            gained.subtract(gained if accepted is None else accepted)
            self._end_round(gained)
            accepted = settlement.accepted
            yield None

    def _following(self, case: Standing) -> Standing | None:
        """The case to ask for when this one is closed: the reserve that it calls up, or one that
        is tried further."""
        settlement = self._settlements[case.part.name]
        number = settlement.number(case.part)
        further = settlement.further[number]
        current: Standing | None = case
        while current is not None and not current.open:
            further.close(current)
            called_up = current.spent and not current.raised
            cases = settlement.reserves[number].call_up(current) if called_up else None
            current = None
            if cases is not None:
                current = next(settle.judged(case.part, cases, self._store, self._judging))
        return current or further.next(case.combination)

    def _pending(self, case: Standing, *, once: bool = False, non_answers: int = 0) -> Pending:
        before = len(self._store.attempts(case.next_key)) if self._had_attempts else 0
        return Pending(case, case.call(non_answers + before), once, non_answers)
