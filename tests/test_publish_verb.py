"""Publishing from this process to a loopback Hub: what is refused before anything is sent."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import builder
from builder import InputError
from builder.errors import GateError
from builder.hub.releases import Publication
from builder.verbs import publish
from tests import projects
from tests.hub import TOKEN, Hub, asked_here

REPO = "acme/letters"
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")  # the client's


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A Hub that the client of this process asks, with the token that it knows."""
    with asked_here(monkeypatch) as hub:
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        yield hub


@pytest.fixture
def site(tmp_path: Path) -> builder.Workspace:
    """A project whose two rows are exported."""
    work = builder.open(projects.write(tmp_path))
    work.run()
    return work


def test_a_dataset_is_private_and_stays_so_until_somebody_says_public(
    site: builder.Workspace, hub: Hub
) -> None:
    result = site.publish("letter", REPO)
    assert hub.repos[REPO].private
    assert (result.rows, result.planned.rows, result.planned.private) == (2, 2, True)
    assert result.url
    assert result.summary().startswith("letter: 2 rows at ")
    assert [record["bytes to send"] for record in result.records()] == [result.planned.sent]
    again = site.publish("letter", REPO)
    assert publish.unchanged(again.planned)
    tagged = site.publish("letter", REPO, tag="v1")
    assert not publish.unchanged(tagged.planned)
    assert tagged.published is not None
    assert tagged.published.tagged
    hub.repos[REPO].private = False
    with pytest.raises(InputError) as refused:
        site.publish("letter", REPO)
    assert "--public" in str(refused.value) + refused.value.hint


def test_a_dry_run_and_a_review_that_refuses_send_nothing(
    site: builder.Workspace, hub: Hub
) -> None:
    result = site.publish("letter", REPO, dry_run=True)
    assert (result.url, result.published) == ("", None)
    assert result.summary() == "letter: 2 rows, nothing was sent"

    def refuse(planned: Publication) -> None:
        assert planned.sent > 0
        raise InputError("not published")

    with pytest.raises(InputError, match="not published"):
        publish.publish(site.root, "letter", REPO, review=refuse)
    assert hub.repos == {}


def test_without_a_token_a_dry_run_looks_at_what_is_here_and_no_more(
    site: builder.Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_TOKEN", raising=False)
    result = site.publish("letter", REPO, dry_run=True)
    assert (result.planned.looked_at, result.rows, len(result.sizes) > 0) == (False, 2, True)
    assert [record["bytes to send"] for record in result.records()] == [None]
    with pytest.raises(InputError, match="no token: HF_TOKEN is not set"):
        site.publish("letter", REPO)


def test_a_dry_run_lists_the_files_and_without_a_token_all_that_an_empty_repository_would_get(
    site: builder.Workspace, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    def listed() -> dict[str, int]:
        ran = projects.run(site.root, "publish", "letter", REPO, "--dry-run")
        assert (ran.code, ran.out) == (0, "")
        assert "nothing was sent" in ran.err
        assert ("HF_TOKEN" in ran.err) == (not os.environ["HF_TOKEN"])
        lines = re.findall(r"^  (\S+) +([\d,]+) bytes$", ran.err, re.MULTILINE)
        return {path: int(size.replace(",", "")) for path, size in lines}

    token = os.environ["HF_TOKEN"]
    monkeypatch.setenv("HF_TOKEN", "")
    blind = listed()
    assert hub.repos == {}
    monkeypatch.setenv("HF_TOKEN", token)
    assert listed() == blind
    site.publish("letter", REPO)
    # The Hub makes .gitattributes by itself.
    sent = {
        p: len(f.content)
        for p, f in hub.repos[REPO].commits[-1].files.items()
        if p != ".gitattributes"
    }
    assert blind == sent
    assert listed() == {}
    monkeypatch.setenv("HF_TOKEN", "")
    assert listed() == blind


def test_what_is_not_what_the_files_ask_for_is_not_published(
    site: builder.Workspace, hub: Hub
) -> None:
    projects.write(site.root, {"scenarios/letters.yaml": projects.SCENARIO + "rows: 5 each\n"})
    with pytest.raises(InputError, match="letter is not published: "):
        site.publish("letter", REPO)
    site.export()
    with pytest.raises(InputError, match="8 of its rows are planned and not asked for yet"):
        site.publish("letter", REPO)
    assert hub.repos == {}


def test_a_failing_gate_keeps_the_dataset_at_home_and_is_measured_once(
    site: builder.Workspace, hub: Hub
) -> None:
    moods = "tone\n" + "glad\n" * 80
    strict = "[tool.builder.datasets.letter]\nexpect = {drift = {table = 'moods.csv'}}\n"
    files = {
        "pyproject.toml": projects.SETTINGS + strict,
        "moods.csv": moods,
        "scenarios/letters.yaml": projects.SCENARIO + "rows: 40 each\n",
    }
    work = builder.open(projects.write(site.root, files))
    work.run()
    measured: list[str] = []
    for _ in range(2):
        with pytest.raises(GateError, match="drift"):
            publish.publish(work.root, "letter", REPO, measuring=lambda: measured.append("again"))
    assert len(measured) == 1
    report = json.loads((work.root / "outputs/letter/report.json").read_text("utf-8"))
    assert report["rows"] == 80
    assert hub.repos == {}


def test_the_command_prints_what_is_sent_and_the_address_alone_to_stdout(
    site: builder.Workspace, hub: Hub
) -> None:
    unasked = projects.run(site.root, "publish", "letter", REPO)
    assert (unasked.code, unasked.out) == (2, "")
    assert "nobody is here to be asked" in unasked.err
    dry = projects.run(site.root, "publish", "letter", REPO, "--dry-run")
    assert (dry.code, dry.out) == (0, "")
    assert "nothing was sent" in dry.err
    assert hub.repos == {}
    ran = projects.run(site.root, "publish", "letter", REPO, "--yes", "--tag", "v1")
    assert ran.code == 0, ran.err
    assert ran.out.strip().endswith(REPO) or REPO in ran.out
    assert "committed " in ran.err
    assert "tagged v1" in ran.err
    assert "private, to be made" in ran.err
    again = projects.run(site.root, "publish", "letter", REPO, "--yes")
    assert "nothing changed" in again.err
    assert "committed " not in again.err
