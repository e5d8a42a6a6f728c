"""Whole runs over several addresses and models, of which some die, start late or are slow."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests import projects
from tests.scripted import Refusal, Scripted, error, letter, project


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """The waits of a pool, at a tenth of their length or less."""
    monkeypatch.setattr("builder.fill.pool.PROBE", 0.3)
    monkeypatch.setattr("builder.fill.pool.OUTAGE", 1.5)
    monkeypatch.setattr("builder.fill.pool.ABSENT", 0.3)
    monkeypatch.setattr("builder.fill.pool.LOOK", 0.1)
    monkeypatch.setattr("builder.fill.retry.FIRST", 0.05)


def later(seconds: float, act: Callable[[], None]) -> None:
    timer = threading.Timer(seconds, act)
    timer.daemon = True
    timer.start()


@pytest.mark.slow
@pytest.mark.usefixtures("hurried")
def test_an_address_that_dies_and_comes_back_costs_no_row_and_hardly_any_time(
    tmp_path: Path,
) -> None:
    ends: dict[str, int] = {}

    def answering(number: int, body: Mapping[str, Any]) -> Mapping[str, Any]:
        if number == 20:  # the run is under way
            later(0.3, die)
            later(2.3, live)
        return letter(number)

    with (
        Scripted(answering, latency=0.1, slots=8) as living,
        Scripted(lambda n, b: letter(n), latency=0.1, slots=8) as dying,
    ):
        folder = project(tmp_path, living, dying, rows="60 each")

        def die() -> None:
            dying.alive, ends["before"], ends["began"] = False, living.answers, dying.answers

        def live() -> None:
            dying.alive, ends["after"] = True, living.answers

        ran = projects.run(folder, "run", "--concurrency", "32")
        back = dying.answers - ends["began"]
    assert ran.code == 0, ran.err
    assert len(projects.rows(folder)) == 600
    assert ends["after"] - ends["before"] >= 0.9 * 2.0 * 80  # 8 slots of 0.1 s for 2 s
    assert back > 0


TWO = """\
[tool.builder.providers.one]
base_url = "{}"
[tool.builder.providers.two]
base_url = "{}"
"""


def of_two(folder: Path, one: Scripted | str, two: Scripted | str, rows: int = 4) -> Path:
    """A project that asks two models of two providers."""
    urls = [place if isinstance(place, str) else place.url for place in (one, two)]
    project(folder, *urls, rows=f"{rows} each")
    (folder / "pyproject.toml").write_text(TWO.format(*urls), "utf-8")
    with (folder / "scenarios/letters.yaml").open("a", encoding="utf-8") as file:
        file.write("model: [one:m, two:m]\n")
    return folder


@pytest.mark.usefixtures("hurried")
def test_a_model_that_is_not_there_loses_its_own_share_alone(tmp_path: Path) -> None:
    with Scripted(lambda n, b: letter(n)) as one, Scripted(lambda n, b: letter(n)) as two:
        two.alive = False
        folder = of_two(tmp_path, one, two)
        ran = projects.run(folder, "run")
        assert ran.code == 75, ran.err
        assert ran.err.count("two:m was given up") == 1
        share = one.answers
        assert 10 < len(projects.rows(folder)) == share < 30
        two.alive = True
        assert projects.run(folder, "run").code == 0
        assert (one.answers, two.answers) == (share, 40 - share)
        assert len(projects.rows(folder)) == 40


@pytest.mark.usefixtures("hurried")
def test_a_model_whose_address_nobody_listens_at_loses_its_own_share_alone(tmp_path: Path) -> None:
    with Scripted(lambda n, b: letter(n)) as one:
        with Scripted(lambda n, b: letter(n)) as two:
            nowhere = two.url
        folder = of_two(tmp_path, one, nowhere)
        ran = projects.run(folder, "run")
        assert ran.code == 75, ran.err
        assert ran.err.count("two:m was given up") == 1
        assert 10 < len(projects.rows(folder)) == one.answers < 30


@pytest.mark.slow
@pytest.mark.usefixtures("hurried")
def test_a_model_that_dies_in_mid_run_keeps_what_it_answered(tmp_path: Path) -> None:
    with Scripted(lambda n, b: letter(n)) as one, Scripted(lambda n, b: letter(n)) as two:
        two.script = lambda n, b: letter(n) if n < 7 else None
        folder = of_two(tmp_path, one, two)
        ran = projects.run(folder, "run")
        assert ran.code == 75, ran.err
        assert ran.err.count("two:m was given up") == 1
        share = one.answers
        assert len(projects.rows(folder)) == share + 7
        two.script = lambda n, b: letter(n)
        assert projects.run(folder, "run").code == 0
        assert (one.answers, two.answers) == (share, 40 - share)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (401, error("Incorrect API key provided.", "invalid_api_key")),
        (402, error("Insufficient Balance")),
        (404, error("The model `m` does not exist", "model_not_found")),
    ],
)
@pytest.mark.usefixtures("hurried")
def test_a_model_that_refuses_for_good_loses_its_own_share_alone(
    status: int, body: object, tmp_path: Path
) -> None:
    with (
        Scripted(lambda n, b: letter(n), latency=0.05) as one,
        Scripted(lambda n, b: Refusal(status, body)) as two,
    ):
        folder = of_two(tmp_path, one, two, rows=10)
        ran = projects.run(folder, "run")
        assert ran.code in (5, 75)
        assert 30 < len(projects.rows(folder)) == one.answers < 70, ran.err
        assert two.calls <= 16
        two.script = lambda n, b: letter(n)
        assert projects.run(folder, "run").code == 0


@pytest.mark.parametrize("silent", [False, True])
@pytest.mark.usefixtures("hurried")
def test_a_server_that_starts_is_waited_for(silent: bool, tmp_path: Path) -> None:
    loading = Refusal(503, error("Loading model", 503, "unavailable_error"))
    with Scripted(lambda n, b: loading, listing=loading) as server:
        server.alive = not silent

        def start() -> None:
            server.alive, server.listing = True, {"data": [{"id": "m"}]}
            server.script = lambda n, b: letter(n)

        later(0.6, start)
        began = time.monotonic()
        ran = projects.run(project(tmp_path, server), "run", "--wait", "20")
        assert ran.code == 0, ran.err
        assert server.calls == 10
        assert time.monotonic() - began < 3.0


@pytest.mark.slow
@pytest.mark.parametrize(("slots", "seconds", "rows"), [(4, 0.2, "10 each"), (1, 0.1, "3 each")])
def test_servers_of_few_slots_lose_no_answer_to_a_timeout_and_are_filled(
    slots: int, seconds: float, rows: str, tmp_path: Path
) -> None:
    """As 4 slots of 2 s and 1 slot of 1 s under a timeout of 75 s."""
    with Scripted(lambda n, b: letter(n), latency=seconds, slots=slots) as server:
        folder = project(tmp_path, server, rows=rows, extra="timeout = 7.5")
        began = time.monotonic()
        ran = projects.run(folder, "run")
        lasted = time.monotonic() - began
        wanted = len(projects.rows(folder))
    assert ran.code == 0, ran.err
    assert (server.cancelled, server.calls) == (0, wanted)
    assert wanted * seconds / slots >= 0.9 * (lasted - 2 * seconds - 0.6)
