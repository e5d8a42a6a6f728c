"""export: the folders that people load, from what the store holds. No call is made."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from builder import store, text
from builder.dataset import exports, files, shapes
from builder.dataset.exports import Export, Form
from builder.verbs import result, scope


@dataclass(frozen=True, slots=True, repr=False)
class ExportResult(result.Result):
    """The folders that were written; one record a dataset."""

    exports: Sequence[Export]

    @property
    def folders(self) -> list[Path]:
        """The folder of each dataset that is as its files and answers make it."""
        return [export.folder for export in self.exports if not export.kept]

    @property
    def kept(self) -> list[str]:
        """The datasets whose folders were left alone, for they hold more rows."""
        return [export.name for export in self.exports if export.kept]

    def summary(self) -> str:
        exported = [export for export in self.exports if not export.kept]
        rows = text.counted(sum(export.rows for export in exported), "row")
        summary = f"{rows} in {', '.join(map(str, self.folders)) or 'no folder'}"
        return f"{summary}; left alone: {', '.join(self.kept)}" if self.kept else summary

    def records(self) -> Iterator[Mapping[str, object]]:
        for export in self.exports:
            yield {
                "dataset": export.name,
                "rows": export.rows,
                "rejects": sum(tally.rejects for tally in export.tallies.values()),
                "splits": ", ".join(f"{name} {count}" for name, count in export.splits.items()),
                "folder": str(export.folder),
                "left alone": export.kept,
            }


def write(
    folder: str | Path,
    datasets: Sequence[str] = (),
    *,
    format: files.Format | None = None,  # noqa: A002  (the word that people use)
    shape: shapes.Name | None = None,
    raw: bool = False,
    partial: bool = False,
    rows: int | None = None,
    model: str | None = None,
) -> ExportResult:
    """Writes the folders of these datasets, of all when none is named.

    `format` and `shape` are the project's when left out; `raw` leaves CSV cells that a spreadsheet
    would run as they are. A folder that would lose rows which a run would ask for is left alone unless
    `partial`. With `rows` or `model` it is the folder of that trial.
    """
    plan = scope.plan_of(folder, rows=rows, model=model)
    chosen = scope.datasets(plan, datasets)
    project = plan.project
    with store.locked(project.outputs), store.reading(project.store) as answers:
        form = Form(format, shape, raw)
        return ExportResult(
            [exports.write(plan, d, answers, form, partial=partial) for d in chosen]
        )
