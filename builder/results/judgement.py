"""What judges the answers of a dataset: its schemas and, where rows are compared, the rows before."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import NamedTuple

from builder.limits import alarm
from builder.plan.planned import Planned, ScenarioPlan
from builder.plan.plans import DatasetPlan
from builder.records import Completion, Key, Reject, Row
from builder.results import similar, validate
from builder.results.similar import AcceptedTexts
from builder.results.validate import Alarm


class Review(NamedTuple):
    """A person's refusal of one answer."""

    reason: str


Reviews = Mapping[Key, Review]
NO_REVIEWS: Reviews = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Judgement:
    """All that a verdict follows from, beside the case and its answer."""

    alarm: Alarm
    """Sets the time limit of validators."""
    texts: AcceptedTexts | None = None
    """The rows accepted so far, where a row near to one of them is refused; the order counts then."""
    reviews: Reviews = field(default_factory=lambda: NO_REVIEWS)

    def verdict(
        self, part: ScenarioPlan, planned: Planned, key: Key, answer: Completion
    ) -> Row | Reject:
        """The row that this answer is, or the reject with its stage and reason."""
        if self.reviews and (review := self.reviews.get(key)) is not None:
            case, model = planned.case, answer.model
            return Reject(case, key, model, "review", review.reason, answer.text)
        verdict = validate.verdict(part, planned, key, answer, self.alarm)
        if isinstance(verdict, Reject) or self.texts is None:
            return verdict
        return self.texts.refuse(part, verdict, answer.text) or verdict


@contextmanager
def of_schemas(reviews: Reviews = NO_REVIEWS) -> Iterator[Judgement]:
    """The judgement by schemas alone: of each row by itself, in any order."""
    with alarm() as limit:
        yield Judgement(limit, reviews=reviews)


def of_dataset(dataset: DatasetPlan, judging: Judgement) -> Judgement:
    """The judgement of a dataset, before any row was accepted, within the same limit of time."""
    texts = similar.accepted_texts(dataset) if dataset.distinct else None
    return replace(judging, texts=texts)
