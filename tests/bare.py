"""A manifest of nothing, with what a test says over it."""

from __future__ import annotations

from typing import Any

from builder.dataset.manifests import Manifest, ScenarioCounts


def manifest(**more: Any) -> Manifest:
    return Manifest.model_validate(
        {
            "dataset": "some_letters", "content": "", "records": "r", "format": "jsonl", "raw": False,
            "shape": "columns", "rows": 0, "splits": {}, "features": [], "scenarios": {}, "origins": {},
            "card": {"title": None, "about": None, "languages": [], "license": None, "tasks": []},
            "models": [], "answered_by": [], "usd": 0.0, "answers_without_price": 0,
            "output_tokens": 0, "first_answer": None, "last_answer": None, "reject_reasons": [],
            "sources": {}, "versions": {}, "axes": {}, "example": {}, "files": {}, **more,
        }
    )  # fmt: skip


def counts(**more: Any) -> ScenarioCounts:
    return ScenarioCounts.model_validate(
        {
            "about": "", "wanted": 0, "accepted": 0, "rejects": 0, "answers": 0,
            "short_combinations": 0, "short_rows": 0, "open": 0, **more,
        }
    )  # fmt: skip
