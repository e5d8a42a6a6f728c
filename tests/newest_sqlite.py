"""A pytest plugin, `-p tests.newest_sqlite`: the store on the SQLite of pysqlite3's wheel, not Python's own."""

from __future__ import annotations

import importlib
import sys

import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests() -> None:
    """Puts the newer module in place of Python's before anything of the project is imported."""
    assert "builder" not in sys.modules
    for name in ("", ".dbapi2"):
        sys.modules[f"sqlite3{name}"] = importlib.import_module(f"pysqlite3{name}")


def pytest_report_header() -> str:
    return f"SQLite {sys.modules['sqlite3'].sqlite_version}"
