"""What a card says of one dataset: its manifest, what the gates found of it, its releases."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FINDING = {"gate", "what", "value", "limit", "verdict", "advice"}
VERDICTS = ("pass", "fail", "warn", "too-few-rows")


@dataclass(frozen=True, slots=True)
class Part:
    """What a card says of one dataset."""

    manifest: Mapping[str, Any]
    report: Mapping[str, Any] | None = None
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

    @property
    def findings(self) -> Sequence[Mapping[str, Any]]:
        return self.report["findings"] if self.report else ()

    def sizes(self, split: str) -> tuple[int, int]:
        """Bytes of a split's files, as stored and unpacked."""
        files = self.manifest["files"].items()
        chosen = [about for name, about in files if name.startswith(f"data/{split}-")]
        stored = sum(about["bytes"] for about in chosen)
        return stored, sum(about.get("unpacked", about["bytes"]) for about in chosen)


def report_of(folder: Path, manifest: Any) -> dict[str, Any] | None:
    """What the gates found of the rows that this manifest is about; None where nobody looked."""
    try:
        report: dict[str, Any] = json.loads((folder / "report.json").read_text("utf-8"))
        same = report["basis"]["records"] == manifest["records"]
        whole = all(
            one.keys() == FINDING and one["verdict"] in VERDICTS for one in report["findings"]
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return report if whole and same else None
