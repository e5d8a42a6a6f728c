"""What is known of one dataset: its manifest, what the gates found of it, its releases."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from builder.dataset.history import Release
from builder.dataset.manifests import Manifest

FINDING = {"gate", "what", "value", "limit", "verdict", "advice"}
VERDICTS = ("pass", "fail", "warn", "too-few-rows")


@dataclass(frozen=True, slots=True)
class Facts:
    """All that the card of a dataset is written from."""

    manifest: Manifest
    report: Mapping[str, Any] | None = None
    releases: Sequence[Release] = ()
    prefix: str = ""
    """Where its files stand, seen from the card: empty, or a folder with its slash."""
    repository: str = ""

    @property
    def name(self) -> str:
        """The dataset's name."""
        return self.manifest.dataset

    @property
    def title(self) -> str:
        """What people call it."""
        return self.manifest.card.title or self.name.replace("_", " ")

    @property
    def findings(self) -> Sequence[Mapping[str, Any]]:
        """What the gates found; nothing where nobody looked."""
        return self.report["findings"] if self.report else ()

    def sizes(self, split: str) -> tuple[int, int]:
        """Bytes of a split's files, as stored and as loaded."""
        listed = self.manifest.files.items()
        chosen = [file for name, file in listed if name.startswith(f"data/{split}-")]
        return sum(file.bytes for file in chosen), sum(file.loaded for file in chosen)


def report_of(folder: Path, manifest: Manifest | None) -> dict[str, Any] | None:
    """What the gates found of the rows that this manifest is about; None where nobody looked."""
    try:
        report: dict[str, Any] = json.loads((folder / "report.json").read_text("utf-8"))
        same = manifest is not None and report["basis"]["records"] == manifest.records
        whole = all(
            finding.keys() == FINDING and finding["verdict"] in VERDICTS
            for finding in report["findings"]
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return report if whole and same else None
