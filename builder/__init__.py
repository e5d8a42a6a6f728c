"""Scenarios crossed with prompt templates become a Hugging Face dataset.

The public names are those of `__all__`; importing this package loads nothing else.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from builder.engines.fake import Fake
    from builder.errors import BuilderError, InputError
    from builder.fill.progress import Progress
    from builder.quality.findings import Finding
    from builder.records import Call, Completion, Key, Message, Reject, Request
    from builder.verbs.check import CheckResult
    from builder.verbs.diff import DiffResult
    from builder.verbs.draw import DrawResult
    from builder.verbs.export import ExportResult
    from builder.verbs.plan import PlanResult
    from builder.verbs.publish import PublishResult
    from builder.verbs.run import RunResult
    from builder.verbs.show import Rows
    from builder.verbs.topup import TopUpResult
    from builder.verbs.why import WhyResult
    from builder.verbs.workspace import Workspace
    from builder.verbs.workspace import init_folder as init
    from builder.verbs.workspace import open_folder as open  # noqa: A004  (said as builder.open)

__all__ = [
    "open",
    "init",
    "Workspace",
    "PlanResult",
    "RunResult",
    "Rows",
    "WhyResult",
    "DrawResult",
    "CheckResult",
    "TopUpResult",
    "ExportResult",
    "PublishResult",
    "DiffResult",
    "Progress",
    "Finding",
    "Reject",
    "Fake",
    "Call",
    "Request",
    "Message",
    "Key",
    "Completion",
    "BuilderError",
    "InputError",
]
# Module and name of each public name.
_HOMES = {
    "open": "verbs.workspace:open_folder",
    "init": "verbs.workspace:init_folder",
    "Workspace": "verbs.workspace:Workspace",
    "PlanResult": "verbs.plan:PlanResult",
    "RunResult": "verbs.run:RunResult",
    "Rows": "verbs.show:Rows",
    "WhyResult": "verbs.why:WhyResult",
    "DrawResult": "verbs.draw:DrawResult",
    "CheckResult": "verbs.check:CheckResult",
    "TopUpResult": "verbs.topup:TopUpResult",
    "ExportResult": "verbs.export:ExportResult",
    "PublishResult": "verbs.publish:PublishResult",
    "DiffResult": "verbs.diff:DiffResult",
    "Progress": "fill.progress:Progress",
    "Finding": "quality.findings:Finding",
    "Reject": "records:Reject",
    "Fake": "engines.fake:Fake",
    "Call": "records:Call",
    "Request": "records:Request",
    "Message": "records:Message",
    "Key": "records:Key",
    "Completion": "records:Completion",
    "BuilderError": "errors:BuilderError",
    "InputError": "errors:InputError",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'builder' has no attribute {name!r}")
    module, _, attribute = _HOMES[name].partition(":")
    return getattr(importlib.import_module(f"builder.{module}"), attribute)


def __dir__() -> list[str]:
    return sorted(__all__)
