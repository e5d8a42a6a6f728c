"""Scenarios crossed with prompt templates become a Hugging Face dataset.

The public names are those of `__all__`; importing this package loads nothing else.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from builder.dataset.exports import Export
    from builder.engines.fake import Fake
    from builder.errors import BuilderError, InputError
    from builder.fill.progress import Progress
    from builder.project.settings import Project
    from builder.records import Reject
    from builder.results.estimates import Estimate
    from builder.verbs.api import (
        export_dataset,
        fill_missing,
        init_project,
        open_project,
        read_rejects,
        read_rows,
        survey,
    )

__all__ = [
    "init_project",
    "open_project",
    "survey",
    "fill_missing",
    "export_dataset",
    "read_rows",
    "read_rejects",
    "Project",
    "Estimate",
    "Progress",
    "Export",
    "Reject",
    "Fake",
    "BuilderError",
    "InputError",
]
_HOMES = {
    **dict.fromkeys(__all__[:7], "builder.verbs.api"),
    "Project": "builder.project.settings",
    "Estimate": "builder.results.estimates",
    "Progress": "builder.fill.progress",
    "Export": "builder.dataset.exports",
    "Reject": "builder.records",
    "Fake": "builder.engines.fake",
    "BuilderError": "builder.errors",
    "InputError": "builder.errors",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'builder' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
