"""The page on the architecture says what the code is."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import builder

ROOT = Path(builder.__file__).parents[1]
PAGE = (ROOT / "docs/architecture.md").read_text("utf-8")
STATIONS = re.findall(r"^\d+\. \*\*`([\w/]+)\.py` `(\w+)`\*\*", PAGE, flags=re.MULTILINE)


def test_each_station_of_the_walk_is_there() -> None:
    for module, name in STATIONS:
        assert hasattr(importlib.import_module(f"builder.{module.replace('/', '.')}"), name)


def test_the_walk_has_at_most_twelve_stations_and_visits_none_twice() -> None:
    assert 10 <= len(STATIONS) <= 12
    assert len(set(STATIONS)) == len({module for module, _ in STATIONS}) == len(STATIONS)


def test_the_map_names_every_folder() -> None:
    folders = {path.parent.name for path in (ROOT / "builder").glob("*/__init__.py")}
    assert folders == set(re.findall(r"^\| `(\w+)` \|", PAGE, flags=re.MULTILINE))
