"""The notebook of examples/, executed: every verb in at most 30 lines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from builder.cli.application import VERBS

nbformat = pytest.importorskip("nbformat", reason="nbclient is not installed")
nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed")
NOTEBOOK = Path(__file__).parent.parent / "examples/verbs.ipynb"


Notebook = Any


@pytest.fixture
def notebook() -> Notebook:
    return nbformat.read(NOTEBOOK, as_version=4)


def test_the_notebook_names_every_verb_in_at_most_30_lines(
    notebook: Notebook,
) -> None:
    cells = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    assert sum(len(cell.splitlines()) for cell in cells) <= 30
    text = "\n".join(cells)
    assert [verb for verb in VERBS if f".{verb}(" not in text] == []


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_the_notebook_runs_offline_and_shows_tables_and_a_bar(
    notebook: Notebook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    nbclient.NotebookClient(
        notebook,
        timeout=120,
        kernel_name="python3",
        resources={"metadata": {"path": str(tmp_path)}},
    ).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    pages = [str(output["data"].get("text/html", "")) for output in outputs if "data" in output]
    assert sum("<table>" in page for page in pages) >= 6
    assert any("<progress" in page for page in pages)
