"""draw: the values that a scenario's rows would get, without any model, and how true they are."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from builder import io, text
from builder.errors import InputError
from builder.plan import preview
from builder.plan.planned import ScenarioPlan
from builder.sampling import pages
from builder.verbs import result, scope

LEAST = 1000  # rows drawn at least to be compared with a table


@dataclass(frozen=True, slots=True, repr=False)
class DrawResult(result.Result):
    """Drawn rows of one scenario; one record a row. Empty where it draws nothing."""

    scenario: ScenarioPlan
    rows: Sequence[dict[str, Any]]

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self.rows)

    @property
    def notes(self) -> list[str]:
        """How tables were read, and what the draws did otherwise than written; a line each."""
        return self.scenario.notes()

    def compare(self) -> list[preview.Comparison]:
        """Each line of `draw` that learns from a table, compared with that table."""
        return preview.compare(self.scenario, max(len(self.rows), LEAST)) if self.rows else []

    def plot(self, path: Path, comparisons: Sequence[preview.Comparison]) -> list[Path]:
        """Writes a page (SVG) of marginals and pairs for each comparison; gives the files.

        Raises InputError where nothing is drawn from a table.
        """
        if not comparisons:
            raise InputError(
                f"{self.scenario.name} draws from no table; there is nothing to compare its draws with"
            )
        files = []
        for number, comparison in enumerate(comparisons, 1):
            file = path if number == 1 else path.with_stem(f"{path.stem}-{number}")
            source = comparison.draw.table.source if comparison.draw.table else None
            title = f"{self.scenario.name}: {comparison.draw.sampler} on {source.name if source else 'its table'}"
            page = pages.page(
                title, comparison.drawn, comparison.reference, np.random.default_rng(0), comparison.found
            )  # fmt: skip
            with io.writing(file):
                io.write(file, page)
            files.append(file)
        return files

    def summary(self) -> str:
        return f"{text.counted(len(self.rows), 'row')} drawn for {self.scenario.name}"

    def records(self) -> Sequence[Mapping[str, object]]:
        return self.rows


def draw(folder: str | Path, scenario: str, *, rows: int = 1000) -> DrawResult:
    """The values that so many rows of a scenario would get; no model is asked."""
    drawn = next(iter(scope.plan_of(folder, [scenario], rows=rows).scenarios()))
    return DrawResult(drawn, preview.rows(drawn) if drawn.scenario.draws else [])
