"""Scenarios crossed with prompt templates become a Hugging Face dataset.

The public names are those of `__all__`; importing this package loads nothing else.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from builder.api import (
        export_dataset,
        fill,
        init_project,
        open_project,
        read_rejects,
        read_rows,
        survey,
    )
    from builder.errors import BuilderError, InputError
    from builder.export.dataset import Exported
    from builder.project import Project
    from builder.records import Reject
    from builder.run.engines.fake import Fake
    from builder.run.progress import Progress
    from builder.run.survey import Survey

__all__ = [
    "init_project",
    "open_project",
    "survey",
    "fill",
    "export_dataset",
    "read_rows",
    "read_rejects",
    "Project",
    "Survey",
    "Progress",
    "Exported",
    "Reject",
    "Fake",
    "BuilderError",
    "InputError",
]
_HOMES = {
    **dict.fromkeys(__all__[:7], "builder.api"),
    "Project": "builder.project",
    "Survey": "builder.run.survey",
    "Progress": "builder.run.progress",
    "Exported": "builder.export.dataset",
    "Reject": "builder.records",
    "Fake": "builder.run.engines.fake",
    "BuilderError": "builder.errors",
    "InputError": "builder.errors",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'builder' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
