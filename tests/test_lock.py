"""The lock on a project's outputs: one writer at a time, who is named to others."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from builder import store
from builder.errors import BusyError, StoreError


def test_outputs_have_one_writer_who_is_named_to_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["/usr/bin/builder", "run", "two words"])
    outputs = tmp_path / "a" / "outputs"
    with store.locked(outputs):
        with (
            pytest.raises(BusyError, match=rf"is in use by pid {os.getpid()} since ") as busy,
            store.locked(outputs),
        ):
            pass
        assert str(busy.value).partition("\n")[0].endswith(": builder run 'two words'")
        (outputs / ".lock.owner").unlink()
        with pytest.raises(BusyError, match="in use by another process"), store.locked(outputs):
            pass
    assert not (outputs / ".lock.owner").exists()
    with store.locked(outputs):
        pass


def test_outputs_that_cannot_be_made_or_locked_are_named(tmp_path: Path) -> None:
    (tmp_path / "outputs").write_text("")
    with pytest.raises(StoreError, match="cannot make"), store.locked(tmp_path / "outputs"):
        pass
    (tmp_path / "other" / ".lock").mkdir(parents=True)
    with pytest.raises(StoreError, match="cannot lock"), store.locked(tmp_path / "other"):
        pass
