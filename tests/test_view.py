"""The results of verbs as text, value by value."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from builder.cli import console, layout, stderr, view
from builder.cli.application import ordered
from builder.dataset.history import Change, Release
from builder.fill.progress import Progress
from builder.hub.comparison import Difference, Side
from builder.hub.releases import Publication
from builder.quality.findings import Finding
from builder.quality.topups import Proposal, Thin
from builder.records import Case, Key, Reject
from builder.results.tally import Tally
from builder.text import visible
from builder.verbs.topup import Round


def test_a_table_puts_numbers_to_the_right_and_cuts_at_the_widest() -> None:
    assert layout.table(["name", "rows"], [["a", 1200], ["bcdef", 3]]).split("\n") == [
        "name    rows", "a      1,200", "bcdef      3",
    ]  # fmt: skip
    assert layout.table(["n"], [["x" * 50]], widest=4).split("\n") == ["n", "xxx…"]
    assert layout.table(["a", "b"], []) == "a  b"


def test_a_sample_leaves_half_of_its_room_to_texts() -> None:
    records: list[dict[str, object]] = [
        {"tone": "t" * 30, "text": "x" * 90, "_key": "k", "n": None}
    ]
    lines = layout.sample(records, 60).split("\n")
    assert lines[0].split() == ["tone", "text"]
    assert all(len(line) <= 60 for line in lines)
    narrow = layout.sample([{"label": "l" * 24, "text": "x" * 90}], 40).split("\n")[1]
    assert [len(rule) for rule in narrow.split()] == [19, 19]
    assert layout.sample([], 60) == "no rows"


def test_control_characters_are_shown_and_not_obeyed() -> None:
    assert visible("a\x1b[2J\nb\tc") == "a\\x1b[2J\nb\tc"
    assert layout.readable({"a": "愤"}) == '{"a": "愤"}'


def test_a_path_is_shown_from_here_where_it_lies_here(tmp_path: Path) -> None:
    assert stderr.shown_path(Path.cwd() / "a/b") == "a/b"
    assert stderr.shown_path(tmp_path) == str(tmp_path)


def test_options_before_the_verb_come_behind_it() -> None:
    assert ordered(["--quiet", "--project", "D", "run", "x"]) == ["run", "--quiet", "--project", "D", "x"]  # fmt: skip
    assert ordered([]) == ["--help"]
    assert ordered(["--version"]) == ["--version"]


def test_progress_tells_counts_rate_and_what_is_left() -> None:
    state = Progress(to_ask=100, accepted=50, rejects=1, failures=2, input_tokens=12_000, usd=0.05)
    state.started = time.monotonic() - 10
    line = view.progress(state)
    assert line.startswith("50/100 rows · 1 reject · 5.0 rows/s · 12.0 k tokens · 0.0500 usd")
    assert line.endswith("2 failed calls · about 10 s left")
    done = Progress(to_ask=2, accepted=2, unpriced=1)
    assert "usd" not in view.progress(done)
    assert "left" not in view.progress(done)


def test_a_summary_tells_cost_failures_and_replies_without_an_answer() -> None:
    state = Progress(
        accepted=4, calls=5, input_tokens=1000, output_tokens=20, usd=2.0, unpriced=1,
        non_answers=Counter(length=2, filter=1), cut_at=20, unfilled=1, failures=1, trouble={"rare": 1, "often": 3}, limits={"m:x": "9 calls"},
    )  # fmt: skip
    lines = view.summary(state, [])
    assert lines.split("\n") == [
        "asked: 5 replies · 1,000 + 20 tokens · 0.50 usd a row · 2.00 usd and 1 reply of unknown price",
        "3 replies were no answers, logged with their cost: 2 cut off at max_tokens = 20, 1 stopped by"
        " the provider's filter",
        "1 row left to the next run",
        "1 call failed and was tried again; most often: often",
        "m:x allows 9 calls",
    ]
    assert view.summary(Progress(), []) == ""


def test_displaced_rows_are_named_the_first_five_of_each_scenario() -> None:
    keys = [Key(bytes([n]) * 16, 0, 0) for n in range(7)]
    before = {"s": Tally(rows=set(keys)), "t": Tally()}
    after = {"s": Tally(similar=dict.fromkeys(keys, "near x")), "t": Tally(), "new": Tally()}
    (line,) = view.displaced(before, after)
    assert line.startswith(f"s: 7 rows were displaced: {keys[0]} (near x); ")
    assert line.endswith("; and 2 more, all among the rejects.")


def test_findings_come_by_urgency_with_their_advice() -> None:
    judged = [
        Finding("diversity.distinct", "", 0.3, 0.4, "warn", "say more"),
        Finding("privacy.pii", "text", 2.0, 0.0, "fail"),
        Finding("drift.ks", "age", float("nan"), None, "too-few-rows"),
        Finding("labels.majority", "", 0.5, 0.9, "pass"),
        Finding("labels.shown", "", 0.5, None, "pass"),
    ]
    lines = view.findings(judged).split("\n")
    assert [line.split()[0] for line in lines] == ["verdict", "fail", "warn", "say", "too-few-rows", "1"]  # fmt: skip
    assert lines[2].split() == ["warn", "diversity.distinct", "all", "rows", "0.3", "0.4"]
    assert lines[4].split() == ["too-few-rows", "drift.ks", "age", "–", "–"]
    assert lines[-1] == "1 gate holds"
    assert view.findings(judged[3:4] * 2) == "2 gates hold"
    assert view.findings([]).startswith("nothing to judge")


def test_rows_and_rejects_are_readable_records() -> None:
    row: dict[str, object] = {"text": "a\x07", "n": None, "tags": ["x"], "_scenario": "s", "_model": "m"}  # fmt: skip
    assert view.record(1, row) == '── row 1 · s · m\ntext  a\\x07\ntags  ["x"]'
    case = Case("s", {"tone": "glad"}, 0, {"tone": "glad"}, {"tone": "glad"})
    key = Key(b"0" * 16, 0, 1)
    text = view.reject(2, Reject(case, key, "fake:any", "parse", "no JSON", "raw\x07"))
    assert text.split("\n") == [
        f"── reject 2 · s · parse · {key}", "case    tone = glad", "reason  no JSON", "raw     raw\\x07",
    ]  # fmt: skip


def measured(**changes: Any) -> str:
    thin = (Thin(("parcel", "late"), 0.25, 0.1, 0.2),)
    values = {"number": 1, "proposal": Proposal(0.5, 0.8, thin), "gained": None, "rows": 12}
    return view.measured(Round(file=Path("x.yaml"), **{**values, **changes}), "x.yaml")


def test_a_round_tells_coverage_and_what_it_asks_for() -> None:
    assert measured().split("\n") == [
        "coverage 0.50 of at most 0.80",
        "round 1: 12 rows for 1 thin clusters, in x.yaml:",
        "  parcel, late (10% covered)",
    ]
    assert measured(gained=0.1, end="3 rounds are done", rows=0).split("\n") == [
        "coverage 0.50 of at most 0.80, +0.10", "3 rounds are done.",
    ]  # fmt: skip


def test_a_publication_tells_what_is_sent_and_what_changed() -> None:
    changes = {"a": Change(added=1200), "b": Change()}
    release = Release(tag="v2", date="", rows=3, since="v1", changes=changes)
    planned = Publication(
        "me/x",
        "x",
        True,
        3000,
        4096,
        None,
        {"a": b""},
        ["b", "c"],
        2048,
        1,
        7,
        "v2",
        False,
        release,
    )
    assert list(view.publication(planned)) == [
        "me/x on the Hub: private, to be made",
        "x: 3,000 rows, 4,096 bytes",
        "to send: 2,048 bytes in 1 files, 1 of them data; 7 data files stay, 2 files go",
        "release v2, since v1:",
        "  a: 1,200 added, 0 removed, 0 changed",
    ]


def test_a_difference_shows_the_largest_changes_of_an_axis_first() -> None:
    values: list[tuple[str, float | None, float | None]] = [
        (f"v{n}", 0.5, 0.5 + n / 100) for n in range(13)
    ]
    text = view.difference(
        Difference(
            Side("one", ()), Side("two", ()), {"s": Change(removed=2)}, 0,
            {"tone": [*values, ("gone", 0.25, None)]}, [("drift.ks", "age", 0.12345, None)],
        )
    )  # fmt: skip
    head, rows, axis, gates = text.split("\n\n")
    assert head == "one → two: 0 added, 2 removed, 0 changed"
    assert rows.split("\n")[1].split() == ["s", "0", "2", "0"]
    assert [line.split()[0] for line in axis.split("\n")][:3] == ["tone", "gone", "v12"]
    assert axis.split("\n")[1].split() == ["gone", "25.0%", "-"]
    assert len(axis.split("\n")) == 1 + view.SHARES
    assert gates.split("\n")[1].split() == ["drift.ks", "age", "0.1235", "-"]


@pytest.mark.parametrize(
    ("state", "missing", "short", "neighbours", "code", "words"),
    [
        (
            Progress(stopped="interrupted"),
            3,
            0,
            [],
            75,
            "stopped: interrupted; 3 rows are missing.",
        ),
        (Progress(failures=1), 1, 0, [], 75, "1 row is missing, for calls failed."),
        (Progress(failures=1), 0, 2, [], 5, "2 rows are missing."),
        (Progress(), 1, 2, [], 5, "3 rows are missing."),
        (Progress(), 0, 0, ["b"], None, "next:  builder run b "),
        (Progress(), 0, 0, [], None, "next:  go on"),
    ],
)
def test_the_exit_code_follows_from_what_is_missing(
    capsys: pytest.CaptureFixture[str],
    state: Progress,
    missing: int,
    short: int,
    neighbours: list[str],
    code: int | None,
    words: str,
) -> None:
    ended = None
    try:
        console.finish(state, missing, short, neighbours, "go on", quiet=False)
    except SystemExit as end:
        ended = end.code
    assert ended == code
    assert words in capsys.readouterr().err
