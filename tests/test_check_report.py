from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import orjson
import pytest

from builder.quality import findings, gates, reports
from builder.table import frame

ATTACK = (
    "</p><script>alert(1)</script><img src=x onerror=alert(2)> \u202e\x1b[31m & 'quoted' \"text\""
)


def evidence() -> findings.Evidence:
    base = [
        "the parcel came late again and nobody answered my calls for three whole weeks now",
        "the speaker crackles at every volume and the charging case will not close any more",
        "my refund was promised for monday and the bank still shows nothing on the statement",
    ]
    texts = [f"{base[k % 3]} {chr(97 + k % 26) * 9} {chr(97 + k // 26) * 7}" for k in range(120)]
    texts[4], texts[5] = f"{ATTACK} {texts[4]}", f"{ATTACK} {texts[4]} card 4111 1111 1111 1111"
    ours: dict[str, Sequence[str | float]] = {
        "text": texts,
        "amount": [float(k % 37) + 0.5 for k in range(120)],
        f"label {ATTACK}": [f"<b>{k % 3}</b>" for k in range(120)],
        "kind": ["a", "b"] * 60,
        "_scenario": ["calm", "<i>angry</i>"] * 60,
    }
    rows = frame.build(ours)
    reference = frame.build({**ours, "text": [f"{t} {k}" for k, t in enumerate(reversed(texts))]})
    context = findings.Context(rejects={f"validate: {ATTACK}": 3})
    return findings.Evidence(rows, reference, context)


@pytest.fixture(scope="module")
def page() -> str:
    held = evidence()
    return reports.html(f"set {ATTACK}", held, gates.judge(held, findings.limits_of()))


def test_texts_are_escaped_and_nothing_is_loaded_or_run(page: str) -> None:
    tags = {tag.lower() for tag in re.findall(r"<([a-zA-Z0-9]+)", page)}
    assert not tags & {
        "script",
        "img",
        "iframe",
        "object",
        "embed",
        "link",
        "base",
        "form",
        "i",
        "b",
    } - {"b"}
    assert not re.search(r"<[^>]*\s(on\w+|style|src|href)\s*=", page)
    assert "<b>0" not in page
    assert "\u202e" not in page
    assert "\x1b" not in page
    assert "http" not in page.replace("http-equiv", "")
    assert "default-src 'none'; style-src 'sha256-" in page
    assert "unsafe" not in page


def test_personal_data_is_masked(page: str) -> None:
    assert "Nearest pairs" in page
    assert "4111 1111 1111 1111" not in page
    assert "41•" in page


def test_every_section_has_its_plot(page: str) -> None:
    for title in ("Findings", "Columns", "Coverage of the reference", "Combinations", "Rejects"):
        assert f"<h2>{title}</h2>" in page
    assert page.count("<svg") >= 6


def test_combinations_are_shown_as_filled_of_planned() -> None:
    rows = frame.build({"tone": ["glad", "glad", "sad"], "kind": ["a", "b", "a"]})
    planned = {
        ("glad", "a", 1.0): 1,
        ("glad", "b", 1.0): 2,
        ("sad", "a", 1.0): 40,
        ("sad", "a", 2.0): 2,
    }
    context = findings.Context(axes=("tone", "kind", "size"), planned=planned)
    page = reports.html("set", findings.Evidence(rows, None, context), [])
    assert all(f">{cell}</text>" in page for cell in ("1/1", "1/2", "1/42", "0/0"))


def test_the_same_rows_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        held = evidence()
        reports.write(tmp_path / name, "set", held, gates.judge(held, findings.limits_of()))
    for name in ("report.html", "report.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == [
        "report.html",
        "report.json",
    ]
    read = orjson.loads((tmp_path / "a" / "report.json").read_bytes())
    assert read["rows"] == 120
    assert not read["passed"]
    assert {one["verdict"] for one in read["findings"]} <= {"pass", "fail", "warn", "too-few-rows"}


def test_a_report_without_texts_or_reference_is_still_one() -> None:
    held = findings.Evidence(frame.build({"x": [1.0, 2.0, None]}), None, findings.Context())
    page = reports.html("bare", held, gates.judge(held, findings.limits_of()))
    assert "Every gate holds" in page


def test_the_verdict_stands_on_top_in_all_and_by_family(page: str) -> None:
    head = page[page.index("<header>") : page.index("<main>")]
    assert re.search(r'<p class="outcome fail">\d+ gates failed: not to be published', head)
    for family in ("Diversity", "Coverage", "Drift", "Privacy", "Labels"):
        assert f"<li><b>{family}</b>" in head
    assert re.search(r'<b>Privacy</b><span class="verdict fail">\d failed</span>', head)


def test_too_few_rows_are_not_called_a_pass() -> None:
    held = findings.Evidence(frame.build({"text": ["a b c d e f g"] * 3}), None, findings.Context())
    found = [f for f in gates.judge(held, findings.limits_of()) if f.verdict != "fail"]
    page = reports.html("few", held, found)
    assert '<p class="outcome pass">No gate failed; 1 gate had too few rows to tell.</p>' in page


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("chromium"), reason="no Chromium here")
def test_a_browser_shows_the_page_and_runs_none_of_it(tmp_path: Path, page: str) -> None:
    (tmp_path / "report.html").write_text(page, "utf-8")
    command = [
        "chromium",
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--no-first-run",
        "--disable-background-networking",
        f"--user-data-dir={tmp_path / 'profile'}",
        "--window-size=1100,2400",
        f"--screenshot={tmp_path / 'report.png'}",
        (tmp_path / "report.html").as_uri(),
    ]
    done = subprocess.run(command, capture_output=True, timeout=120, check=False)
    assert done.returncode == 0
    assert (tmp_path / "report.png").stat().st_size > 50_000
    assert b"Refused" not in done.stderr
