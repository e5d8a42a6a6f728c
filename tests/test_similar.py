"""Rows held against one another: no near-duplicates, whatever the order of arrival."""

from __future__ import annotations

import json
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from builder import near
from tests.provider import Provider
from tests.test_run import SCENARIO, Site, bytes_of

pytestmark = pytest.mark.slow

SCHEMA = """
from pydantic import BaseModel, Field

class Note(BaseModel):
    text: str = Field(min_length=3, max_length=60)
"""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with Provider(latency=(0.0, 0.02)) as provider:
        yield ready(tmp_path, provider)


def ready(folder: Path, provider: Provider) -> Site:
    """A project whose provider often says the same: short texts of few words."""
    site = Site(folder, provider)
    site.write("schemas/note.py", SCHEMA)
    site.replace(
        "scenarios/notes.yaml", "rows: 4 each", "rows: 60\nsimilarity_below: 0.28\ntries: 4"
    )
    site.replace("scenarios/notes.yaml", "integer: [5, 30]", "integer: [5, 3000000]")
    return site


def texts(site: Site) -> list[str]:
    return [row["text"] for row in site.rows()]


def test_no_two_rows_are_nearer_than_allowed_and_the_rejects_say_to_which(site: Site) -> None:
    site.run("run")
    found = texts(site)
    assert len(found) == 60
    assert len(near.pairs(found, 0.28).i) == 0
    similar = [reject for reject in site.rejects() if reject["stage"] == "similar"]
    assert similar
    keys = {row["_key"] for row in site.rows()}
    for reject in similar:
        assert reject["reason"].startswith("near-duplicate of ")
        assert reject["reason"].split()[2].rstrip(",") in keys
    before = bytes_of(site.root / "outputs/note")
    assert site.run("run")[2] == 0
    assert bytes_of(site.root / "outputs/note") == before


@pytest.mark.slow
def test_order_of_arrival_and_kills_change_no_row(tmp_path: Path) -> None:
    contents = []
    for number in range(2):
        folder = tmp_path / str(number)
        folder.mkdir()
        with Provider(latency=(0.0, 0.05)) as provider:
            site = ready(folder, provider)
            rng = random.Random(number)
            for _ in range(3 * number):
                process = site.start("run", "--concurrency", "4")
                time.sleep(rng.uniform(0.7, 1.3))
                process.send_signal(signal.SIGKILL)
                process.communicate()
            site.run("run", "--concurrency", str(1 + 20 * number))
            contents.append(site.content())
    assert contents[0] == contents[1]


@pytest.mark.slow
def test_growth_asks_again_only_for_displaced_rows_and_names_them(site: Site) -> None:
    site.run("run")
    had = {row["_key"]: row for row in site.rows()}
    more = SCENARIO.replace("4 each", "30\nsimilarity_below: 0.28\ntries: 4").replace(
        "[tea, rain, 火车]", "[sea, sun]"
    )
    site.write("scenarios/earlier.yaml", "prompt: notes\n" + more)
    _, err, _ = site.run("run")
    rows = {row["_key"]: row for row in site.rows()}
    assert len(rows) == 90
    lost = set(had) - set(rows)
    out = json.loads(site.run("plan", "--json")[0])
    assert all(line["to_ask"] == 0 for line in out["scenarios"])
    assert len(lost) < 30
    refused = {reject["key"] for reject in site.rejects() if reject["stage"] == "similar"}
    cases = {row["_case"] for row in rows.values()}
    for key in lost - refused:
        # The row that an earlier answer of this case was near to is gone: that answer stands now.
        assert had[key]["_case"] in cases
    assert len(near.pairs([row["text"] for row in rows.values()], 0.28).i) == 0
    assert err


def test_rows_near_to_a_named_file_are_refused(site: Site) -> None:
    site.run("run")
    taken = texts(site)[:5]
    site.write("benchmark.txt", "\n".join(taken) + "\n")
    site.replace("scenarios/notes.yaml", "tries: 4", "tries: 4\nunlike: [../benchmark.txt]")
    _, err, calls = site.run("run")
    assert calls >= 5
    assert "displaced" in err
    assert "benchmark.txt:1" in err
    assert not set(taken) & set(texts(site))
    assert len(texts(site)) == 60


def test_a_file_to_be_unlike_is_checked_before_anything_is_asked(site: Site) -> None:
    site.replace("scenarios/notes.yaml", "tries: 4", "tries: 4\nunlike: [../nothing.txt]")
    _, err, calls = site.run("run", code=2)
    assert calls == 0
    assert "notes.yaml:6:10" in err
