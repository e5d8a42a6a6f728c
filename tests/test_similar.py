"""Rows held against one another: no near-duplicates, whatever the order of arrival."""

from __future__ import annotations

import json
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from builder.stats import near
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


def grow(site: Site) -> None:
    """A scenario whose rows are judged before those that are there."""
    more = SCENARIO.replace("4 each", "30\nsimilarity_below: 0.28\ntries: 4")
    more = more.replace("[tea, rain, 火车]", "[sea, sun]")
    site.write("scenarios/earlier.yaml", "prompt: notes\n" + more)


def kill_after(site: Site, calls: int) -> bool:
    """Runs, and kills the process once so many calls have reached the provider; whether it did."""
    process = site.start("run", "--concurrency", "4")
    until = site.provider.calls + calls
    while site.provider.calls < until and process.poll() is None:
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    return process.returncode == -signal.SIGKILL


def test_order_of_arrival_and_kills_change_no_row_in_a_first_run_nor_in_growth(
    tmp_path: Path,
) -> None:
    contents: list[list[str]] = []
    for number in range(3):
        folder = tmp_path / str(number)
        folder.mkdir()
        with Provider(latency=(0.0, 0.03)) as provider:
            site = ready(folder, provider)
            rng = random.Random(number)
            kills = sum(kill_after(site, rng.randint(1, 25)) for _ in range(3 * (number > 0)))
            site.run("run", "--concurrency", str(1 + 10 * number))
            first = site.content()
            grow(site)
            kills += sum(kill_after(site, rng.randint(1, 25)) for _ in range(3 * (number > 0)))
            site.run("run", "--concurrency", str(1 + 10 * number))
            contents.append([first, site.content()])
            assert kills >= 4 * (number > 0)
    assert contents[0] == contents[1] == contents[2]


def test_growth_asks_again_only_for_displaced_rows_and_names_them(site: Site) -> None:
    def answered() -> dict[str, str]:
        found = [(row["_scenario"], row["_key"], row["_case"]) for row in site.rows()]
        found += [(one["scenario"], one["key"], one["case"]) for one in site.rejects()]
        return {key: case for scenario, key, case in found if scenario == "notes"}

    site.run("run")
    had = {row["_key"]: row for row in site.rows()}
    before = answered()
    grow(site)
    _, err, _ = site.run("run")
    rows = {row["_key"]: row for row in site.rows()}
    assert len(rows) == 90
    assert len(near.pairs([row["text"] for row in rows.values()], 0.28).i) == 0
    refused = {one["key"]: one["reason"] for one in site.rejects() if one["stage"] == "similar"}
    displaced = sorted(set(had) & set(refused))
    assert f"notes: {len(displaced)} rows were displaced: " in err
    for key in displaced[:5]:
        assert f"{key} ({refused[key]})" in err
    # Of the cases that had answers only theirs were asked again; what else is new was called up by
    # those of them that spent their tries, and fills no more than their places.
    fresh = {key: case for key, case in answered().items() if key not in before}
    again = set(fresh.values()) & set(before.values())
    assert again
    assert again <= {had[key]["_case"] for key in displaced}
    assert 0 < len(fresh.keys() & rows.keys()) <= len(displaced)
    out = json.loads(site.run("plan", "--json")[0])
    assert all(line["to_ask"] == 0 for line in out["scenarios"])


def test_a_run_stopped_in_an_open_round_says_what_it_holds_and_the_next_goes_on(
    site: Site, tmp_path: Path
) -> None:
    site.provider.latency = (0.05, 0.1)
    process = site.start("run", "--concurrency", "4")
    while site.provider.calls < 20:
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    err = process.communicate()[1]
    assert process.returncode == 75, err
    answered = site.provider.calls
    assert f"\n{answered} answers are held, to be judged when their round closes; the next run goes on from them\n" in err  # fmt: skip
    assert "no round was closed: the datasets' folders are as they were" in err
    assert "no row was accepted" not in err
    site.provider.latency = (0.0, 0.0)
    err = site.run("run")[1]
    assert "round closes" not in err
    assert len(texts(site)) == 60
    # What was held is not asked for again: all in all as much is asked as without the stop.
    (tmp_path / "calm").mkdir()
    calm = ready(tmp_path / "calm", site.provider)
    assert calm.run("run")[2] == site.provider.calls / 2


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
