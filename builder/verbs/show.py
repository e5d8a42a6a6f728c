"""show: the rows and the rejects of datasets, straight from the store."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from builder import store
from builder.dataset import exports
from builder.plan.plans import DatasetPlan, Plan
from builder.records import Reject
from builder.results import rows as results_rows
from builder.results import settle
from builder.verbs import result, scope


@dataclass(frozen=True, slots=True, repr=False)
class Rows(result.Result):
    """The rows of datasets, read from the store whenever somebody iterates; one record a row."""

    plan: Plan
    datasets: Sequence[DatasetPlan]

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for batch in self._batches():
            if not isinstance(batch, Reject):
                yield from results_rows.records(batch.columns)

    def rejects(self) -> Iterator[Reject]:
        """Every refused answer, with its stage, reason and raw text."""
        return (batch for batch in self._batches() if isinstance(batch, Reject))

    def _batches(self) -> Iterator[results_rows.Batch | Reject]:
        with store.reading(self.plan.project.store) as answers:
            for dataset in self.datasets:
                yield from results_rows.read(settle.settle(dataset, answers)).batches()

    def first(self, number: int) -> list[list[dict[str, Any]]]:
        """The first so many rows of each dataset, a turn for each of its scenarios."""
        with store.reading(self.plan.project.store) as answers:
            return [results_rows.first(d, answers, number) for d in self.datasets]

    def first_rejects(self, number: int) -> list[list[Reject]]:
        """The first so many rejects of each dataset, a turn for each of its scenarios."""
        with store.reading(self.plan.project.store) as answers:
            return [results_rows.first_rejects(d, answers, number) for d in self.datasets]

    def earlier(self) -> list[exports.Earlier | None]:
        """What stands in the folder of each dataset, whatever the files of now ask for."""
        return [exports.earlier(self.plan, dataset) for dataset in self.datasets]

    def trials(self) -> list[tuple[str, str]]:
        """Dataset and model of every trial that holds rows."""
        return [(d.name, model) for d in self.datasets for model in exports.trials(self.plan, d)]

    def summary(self) -> str:
        return f"rows of {', '.join(dataset.name for dataset in self.datasets)}"

    def records(self) -> Iterator[Mapping[str, object]]:
        return iter(self)


def read(
    folder: str | Path,
    datasets: Sequence[str] = (),
    *,
    rows: int | None = None,
    model: str | None = None,
) -> Rows:
    """The rows of these datasets, of all when none is named; of a trial with `rows` or `model`."""
    plan = scope.plan_of(folder, rows=rows, model=model)
    return Rows(plan, scope.datasets(plan, datasets, between=True))
