"""The pictures of docs/samplers.md come from the commands that the page names."""

from __future__ import annotations

import csv
import io
import re
import runpy
import shlex
import shutil
from pathlib import Path
from xml.dom import minidom

import numpy as np
import pytest

from tests import projects
from tests.test_samplers_figures import are_two_cities

pytest.importorskip("sklearn")

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs/samplers.md").read_text("utf-8")
COMMANDS = re.findall(r"^builder (draw .*--plot.*)$", PAGE, re.MULTILINE)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The documentation's project and the one around it, without what they learned before."""
    for name in ("docs/drawing", "docs/pictures", "scenarios", "prompts", "schemas"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("outputs"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_every_picture_has_its_command() -> None:
    shown = re.findall(r"\]\((pictures/\w+\.svg)\)", PAGE)
    made = [shlex.split(line)[-1].removeprefix("docs/") for line in COMMANDS]
    assert made == shown
    assert {f"pictures/{path.name}" for path in (ROOT / "docs/pictures").iterdir()} == set(shown)


@pytest.mark.parametrize(
    "line",
    [pytest.param(n, marks=[pytest.mark.slow] * ("credit_notes" not in n)) for n in COMMANDS],
)
def test_a_picture_is_what_its_command_writes(folder: Path, line: str) -> None:
    words = shlex.split(line)
    picture = folder / words[-1]
    shipped = picture.read_text("utf-8")
    picture.unlink()
    ran = projects.run(folder, *words)
    assert ran.code == 0, ran.err
    written = picture.read_text("utf-8")
    minidom.parseString(written)
    # Another platform's arithmetic may move a figure's last digit, never what is shown.
    assert [re.sub(r"[\d.]+", "0", text) for text in shown(written)] == [
        re.sub(r"[\d.]+", "0", text) for text in shown(shipped)
    ]


def shown(page: str) -> list[str]:
    """The texts of a picture."""
    return re.findall(r">([^<>]+)</text>", page)


@pytest.mark.slow
def test_the_command_recovers_two_cities_and_mixes_no_point(folder: Path) -> None:
    ran = projects.run(
        folder, "draw", "cities", "--project", "docs/drawing", "--rows", "100000", "--csv"
    )
    assert ran.code == 0, ran.err
    rows = list(csv.DictReader(io.StringIO(ran.out)))
    lat, lon = (np.array([float(row[name]) for row in rows]) for name in ("lat", "lon"))
    assert len(rows) == 100_000
    are_two_cities(lat, lon)


@pytest.mark.slow
def test_the_tables_are_what_their_recipe_writes(folder: Path) -> None:
    tables = folder / "docs/drawing/tables"
    before = {path.name: path.read_text("utf-8") for path in tables.iterdir()}
    for path in tables.iterdir():
        path.unlink()
    runpy.run_path(str(folder / "docs/drawing/tables.py"))
    assert {path.name: path.read_text("utf-8") for path in tables.iterdir()} == before
