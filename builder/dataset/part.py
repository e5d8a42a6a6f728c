"""What a card says of one dataset: its manifest, what the gates found of it, its releases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from builder.quality import report_file
from builder.quality.report_file import Report


@dataclass(frozen=True, slots=True)
class Part:
    """What a card says of one dataset."""

    manifest: Mapping[str, Any]
    report: Report | None = None
    releases: Sequence[Mapping[str, Any]] = ()
    prefix: str = ""
    """Where its files stand, seen from the card: empty, or a folder with its slash."""
    repository: str = ""

    @property
    def name(self) -> str:
        return str(self.manifest["dataset"])

    @property
    def title(self) -> str:
        return str(self.manifest["card"]["title"] or self.name.replace("_", " "))

    def sizes(self, split: str) -> tuple[int, int]:
        """Bytes of a split's files, as stored and unpacked."""
        files = self.manifest["files"].items()
        chosen = [about for name, about in files if name.startswith(f"data/{split}-")]
        stored = sum(about["bytes"] for about in chosen)
        return stored, sum(about.get("unpacked", about["bytes"]) for about in chosen)


def report_of(folder: Path, manifest: Any) -> Report | None:
    """The report over the rows that this manifest is about; None where nobody looked."""
    report = report_file.read(folder)
    same = report is not None and report.basis.records == (manifest or {}).get("records")
    return report if same else None
