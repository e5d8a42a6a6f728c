"""What is known of one dataset: its manifest, what the gates found of it, its releases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from builder.dataset import history, manifests
from builder.quality import report_file


@dataclass(frozen=True, slots=True)
class Facts:
    """All that the card of a dataset is written from."""

    manifest: manifests.Manifest
    report: report_file.Report | None = None
    releases: Sequence[history.Release] = ()
    prefix: str = ""
    """Where its files stand, seen from the card: empty, or a folder with its slash."""
    repository: str = ""

    @property
    def name(self) -> str:
        return self.manifest.dataset

    @property
    def title(self) -> str:
        return self.manifest.card.title or self.name.replace("_", " ")

    def sizes(self, split: str) -> tuple[int, int]:
        """Bytes of a split's files, as stored and as loaded."""
        listed = self.manifest.files.items()
        chosen = [file for name, file in listed if name.startswith(f"data/{split}-")]
        return sum(file.bytes for file in chosen), sum(file.loaded for file in chosen)


def report_of(folder: Path, manifest: manifests.Manifest | None) -> report_file.Report | None:
    """The report over the rows that this manifest is about; None where nobody looked."""
    report = report_file.read(folder)
    if report is None or manifest is None or report.basis.records != manifest.records:
        return None
    return report
