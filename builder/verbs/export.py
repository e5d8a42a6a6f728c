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
        """The folder of each dataset."""
        return [export.folder for export in self.exports]

    def summary(self) -> str:
        rows = text.counted(sum(export.rows for export in self.exports), "row")
        return f"{rows} in {', '.join(map(str, self.folders))}"

    def records(self) -> Iterator[Mapping[str, object]]:
        for export in self.exports:
            yield {
                "dataset": export.name,
                "rows": export.rows,
                "rejects": sum(tally.rejects for tally in export.tallies.values()),
                "splits": ", ".join(f"{name} {count}" for name, count in export.splits.items()),
                "folder": str(export.folder),
            }


def write(
    folder: str | Path,
    datasets: Sequence[str] = (),
    *,
    format: files.Format | None = None,  # noqa: A002  (the word that people use)
    shape: shapes.Name | None = None,
    raw: bool = False,
    rows: int | None = None,
    model: str | None = None,
) -> ExportResult:
    """Writes the folders of these datasets, of all when none is named.

    `format` and `shape` are the project's when left out; `raw` leaves CSV cells that a spreadsheet
    would run as they are. With `rows` or `model` it is the folder of that trial.
    """
    plan = scope.plan_of(folder, rows=rows, model=model)
    chosen = scope.datasets(plan, datasets)
    project = plan.project
    with store.locked(project.outputs), store.reading(project.store) as answers:
        form = Form(format, shape, raw)
        return ExportResult([exports.write(plan, d, answers, form) for d in chosen])
