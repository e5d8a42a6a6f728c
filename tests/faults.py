"""Trials of faults: endpoints that fail in every way, hostile answers, budgets, secrets. Each
measures one promise, in the size that it is given; tests run them short and `make soak` long."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests import sites
from tests.provider import Provider
from tests.sites import SECRET, Found, Told

TRANSPORT = (
    "429-seconds", "429-ms", "429-date", "500", "502", "503", "529", "408", "reset", "half",
    "lying", "html", "xml", "empty", "cut", "encoding", "error-200", "hang", "drip",
)  # fmt: skip
FINAL = {
    "401": "NOTES_KEY", "403": "NOTES_KEY", "404": "base_url", "quota": "NOTES_KEY",
    "redirect": "base_url",
}  # fmt: skip
HOSTILE = (
    "\ud800 half a letter", "NUL \x00 inside", "\u202eright to left", "\x1b[2J\x1b]0;title\x07",
    "{{ 7 * 7 }} {% raw %}", "<script>alert(1)</script>", "=HYPERLINK(1)", "@SUM(1)", "| a | b |",
    "line\r\nline\u2028line", "'; DROP TABLE completions; --", "𝔘𝔫𝔦 🏳️‍🌈 e\u0301", "`" * 50,
)  # fmt: skip


def transport(folder: Path, *, rows: int, share: float = 0.15, limit: float = 3.0) -> Found:
    """A share of the calls fails in every transport way."""
    faults = dict.fromkeys(TRANSPORT, share / len(TRANSPORT))
    with Provider(faults=faults, retry_after=1.0, latency=(0.0, 0.02), seed=3) as provider:
        at = sites.site(folder, provider, rows=str(rows), timeout=limit)
        ran = sites.apart(at, "run", "--concurrency", "32")
        failed = sum(provider.hits.values())
        rows_made, rejects = len(at.rows()), len(at.rejects())
        ways, undercut = len(provider.hits), provider.undercut
    return Found(
        f"{rows_made} of {rows} rows, {rejects} rejects; {failed} faults of {ways} kinds, "
        f"{ran.calls} calls (allowed {rows + failed} + 2 %); Retry-After undercut {undercut} times",
        ran.code == 0 and rows_made == rows and not rejects and not undercut
        and ran.calls <= 1.02 * (rows + failed),
    )  # fmt: skip


def outage(folder: Path, *, rows: int, begin: float, end: float) -> Found:
    """The endpoint is away for a while in mid-run."""
    with Provider(latency=0.05) as provider:
        at = sites.site(folder, provider, rows=str(rows))
        process = sites.Process(at, ("run", "--concurrency", "4"))
        process.after(1)
        now = time.monotonic() - provider.started
        provider.outage = (now + begin, now + end)
        ran = process.wait()
        rows_made, rejects = len(at.rows()), len(at.rejects())
    return Found(
        f"{end - begin:.0f} s of 503: {rows_made} of {rows} rows, {rejects} rejects, "
        f"exit {ran.code}, {ran.calls} calls",
        ran.code == 0 and rows_made == rows and not rejects and provider.hits["503"] > 0,
    )


def only(
    folder: Path, fault: str, *, rows: int = 60, limit: float = 90.0, **settings: Any
) -> Found:
    """An endpoint that shows one fault and nothing else."""
    with Provider(faults={fault: 1.0}, retry_after=1.0) as provider:
        at = sites.site(folder, provider, rows=str(rows), **settings)
        ran = sites.apart(at, "run")
    good = ran.code == 75 and ran.clean and bool(ran.error)
    return Found(f"{fault} {ran.seconds:.0f} s (exit {ran.code})", good, ran.seconds <= limit)


def final(folder: Path, *, flying: int = 16) -> Found:
    """Errors that no second try mends."""
    shown, good, slowest = [], True, 0.0
    for fault, setting in FINAL.items():
        with Provider(faults={fault: 1.0}) as provider:
            at = sites.site(folder, provider, rows="200", api_key_env="NOTES_KEY")
            at.environ = {"NOTES_KEY": SECRET}
            ran = sites.here(at, "run", "--concurrency", str(flying))
            shown.append(f"{fault} {ran.calls} calls {ran.seconds:.1f} s")
            slowest = max(slowest, ran.seconds)
            good &= ran.code == 75 and ran.calls <= flying
            good &= setting in ran.error and SECRET not in ran.err + ran.out
    return Found(f"{', '.join(shown)}; the setting is named", good, slowest <= 3)


def no_answers(folder: Path) -> Found:
    """Cut off, refused and filtered replies to every call; then a healthy endpoint."""
    logged, whole = 0, True
    for fault in ("length", "refusal", "filter", "filter-400"):
        with Provider(faults={fault: 1.0}) as provider:
            at = sites.site(folder, provider)
            ran = sites.here(at, "run")
            whole &= ran.code in (5, 75) and ran.clean and not at.rows()
            logged += sites.held(at)
            provider.faults = {}
            ran = sites.here(at, "run")
            whole &= ran.code == 0 and ran.calls == 24 and len(at.rows()) == 24
    return Found(f"{logged} such replies logged; then {'all' if whole else 'NOT ALL'} rows", whole)


def bodies(folder: Path, *, rows: int) -> Found:
    """Endless answers and compression bombs."""
    peak, most, shown = 0.0, 0.0, []
    for fault in ("huge", "gzip"):
        with Provider(faults={fault: 1.0}) as provider:
            at = sites.site(folder, provider, rows=str(rows))
            ran = sites.apart(at, "run", "--concurrency", "8")
            peak, most = max(peak, ran.peak), max(most, ran.calls / rows)
            shown.append(ran.code == 75 and ran.clean)
    return Found(
        f"peak {peak:.0f} MB, at most {most:.1f} calls a request",
        peak < 600 and most <= 2 and all(shown),
    )


def hostile(folder: Path) -> Found:
    """Answers made to break whoever reads, keeps, exports or shows them."""
    texts = [json.dumps({"text": text, "mood": "good", "score": 1}) for text in HOSTILE]
    long = json.dumps({"text": "a" * 2**20, "mood": "good", "score": 1})
    numbers = [
        f'{{"text": "long enough", "mood": "good", "score": 1, "free": {n}}}'
        for n in (10**30, -(2**63) - 1, "1e999", "NaN", "-Infinity", "1" + "0" * 5000, '"\\ud800"')
    ]
    odd = ["null", "[" * 100_000, "{" * 100_000, '{"a":' * 5000, "{'text': " * 2000, "\x00", long,
           "```json\n" * 5000, '{"text": "' + "\\" * 99_999]  # fmt: skip
    provider = Told()
    provider.texts = (*texts, *numbers, *odd)
    codes, wrong, asked = [], "", len(provider.texts)
    with provider:
        at = sites.site(folder, provider, rows=f"{3 * asked}")
        at.replace("schemas/note.py", "max_length=60", "max_length=2000000")
        at.replace("schemas/note.py", "    score: int", "    free: int | float | str = 0\n    score: int")  # fmt: skip
        at.replace("schemas/note.py", "score: int = Field(ge=0, le=9)", "score: int")
        for words in (("run",), ("run", "--format", "jsonl"), ("export",), ("show", "-n", "999"),
                      ("show", "--rejects", "-n", "999"), ("show", "--table", "-n", "999")):  # fmt: skip
            ran = sites.here(at, *words)
            codes.append(ran.code)
            wrong += "" if ran.clean and "\x1b" not in ran.out + ran.err else f" {words}: {ran.err[-400:]}"  # fmt: skip
        rows, rejects = at.rows(), at.rejects()
    lost = sites.held(at) - len(rejects) - len(rows)
    reasons = all(r["stage"] and r["reason"] and isinstance(r["raw"], str) for r in rejects)
    return Found(
        f"{asked} kinds: {len(rows)} rows, {len(rejects)} rejects, {lost} neither, "
        f"{sum(code == 70 for code in codes)} crashes{wrong}",
        not wrong and reasons and not lost and bool(rows) and bool(rejects)
        and set(codes) <= {0, 5, 75},
    )  # fmt: skip


def secrets(folder: Path) -> Found:
    """A key that the server sends back in errors, answers and redirects."""
    found: list[str] = []
    elsewhere = 0
    for fault in ("echo", "redirect", None):
        provider = Told(faults={fault: 1.0} if fault else {}, key=None)
        provider.texts = (
            json.dumps({"text": f"the key is {SECRET}", "mood": "good", "score": 1}),
            f"no JSON but {SECRET}",
        )
        with provider:
            at = sites.site(folder, provider, api_key_env="NOTES_KEY")
            at.environ = {"NOTES_KEY": SECRET}
            for words in (("run",), ("show",), ("show", "--rejects"), ("plan", "--json"), ("run", "--debug")):  # fmt: skip
                ran = (sites.apart if "--debug" in words else sites.here)(at, *words)
                found += [f"{fault} {words}"] if SECRET in ran.out + ran.err else []
            hits = [p for p in at.root.rglob("*") if p.is_file() and SECRET.encode() in p.read_bytes()]  # fmt: skip
            found += [f"{fault} {path.name}" for path in hits]
            elsewhere += sum(not path.startswith("/v1/chat") for path in provider.paths)
    return Found(
        f"seen in {len(found)} files or outputs; {elsewhere} calls elsewhere {' '.join(found)}".strip(),
        not found and not elsewhere,
    )


def budgets(folder: Path) -> Found:
    """Caps in tokens and US dollars, with usage told, missing and absurd, and replies lost."""
    worst, shown = 0.0, 0
    usages: tuple[dict[str, Any] | None, ...] = (
        None, {}, {"prompt_tokens": -5, "completion_tokens": -5},
        {"prompt_tokens": 10**15, "completion_tokens": "many"}, {"prompt_tokens": 0, "completion_tokens": 0},
    )  # fmt: skip
    for cap, limit in (("20000tok", 20_000.0), ("1.5usd", 1.5)):
        for usage in usages:
            with Told(usage=usage, faults={"cut": 0.1, "half": 0.1}, latency=0.01) as provider:
                at = sites.site(folder, provider, rows="2000")
                at.settings("[tool.builder.params]\nmax_tokens = 120")
                at.priced()
                ran = sites.here(at, "run", "--budget", cap, "--concurrency", "16", "--no-export")
                spent = provider.tokens if limit > 100 else provider.dearest
                worst = max(worst, spent / limit)
                shown += ran.code == 75 and "budget" in ran.err and provider.calls > 0
    return Found(
        f"{2 * len(usages)} caps: at most {worst:.0%} spent, {shown} stopped at the cap",
        worst <= 1 and shown == 2 * len(usages),
    )


def pace(folder: Path, *, seconds: float) -> Found:
    """A server that lets 20 calls a second through; then 5 % random 429s against none."""
    rows = int(20 * seconds)
    with Provider(rate=20, latency=0.02) as provider:
        at = sites.site(folder, provider, rows=str(rows))
        ran = sites.apart(at, "run", "--no-export")
        filled = (provider.answers - 1) / (provider.times[-1] - provider.times[0])
        spent = ran.calls / rows
    times = []
    for faults in ({}, {"429-seconds": 0.05}):
        with Provider(faults=faults, latency=0.2, retry_after=0.3) as provider:
            at = sites.site(folder, provider, rows=str(rows * 6))
            sites.apart(at, "run", "--no-export", "--concurrency", "32")
            times.append(provider.times[-1] - provider.times[0])
    kept = times[0] / times[1]
    return Found(
        f"20 calls/s filled at {filled:.1f}, {spent:.2f} calls a row; 5 % 429s leave {kept:.0%} of the pace",
        ran.code == 0,
        filled >= 10 and kept >= 0.9,
    )


def memory(folder: Path, *, rows: tuple[int, int], flying: int = 64) -> Found:
    """Peak memory and open files of a small and of a large run."""
    command = [sys.executable, "-m", "tests.provider"]
    peaks, files, done = [], 0, True
    for count in rows:
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            provider = Provider(port=int(server.stdout.readline().rsplit(":", 1)[1]))
            at = sites.site(folder, provider, rows=str(count))
            ran = sites.Process(at, ("run", "--concurrency", str(flying))).wait(1500)
            server.terminate()
        peaks.append(ran.peak)
        files = max(files, ran.files)
        done &= ran.code == 0 and len(at.rows()) == count
    return Found(
        f"{rows[0]} rows {peaks[0]:.0f} MB, {rows[1]} rows {peaks[1]:.0f} MB; "
        f"{files} open files (allowed {3 * flying + 64})",
        done and peaks[1] - peaks[0] <= 60 and files <= 3 * flying + 64,
    )


def planned(folder: Path, *, rows: int) -> Found:
    """A large plan, nothing asked; the same once every row is held."""
    with Provider() as provider:
        at = sites.site(folder, provider, rows=str(rows))
        none = sites.apart(at, "plan")
        sites.fill_in(at)
        every = sites.apart(at, "plan")
    return Found(
        f"{rows} rows planned: {none.peak:.0f} MB, {none.cpu:.0f} s CPU; all of them held: "
        f"{every.peak:.0f} MB, {every.cpu:.0f} s CPU",
        none.code == every.code == 0
        and max(none.peak, every.peak) <= 300
        and not none.calls
        and f"{rows:,}       0" in every.out,
    )


BROKEN = {
    "scenarios/notes.yaml": ("schema: Note", "schemas: Note"),
    "scenarios/notes.yaml ": ("topic: [", "topic: [[&a x, *a"),
    "prompts/notes.j2": ("{{ topic }}", "{{ topics }}"),
    "prompts/notes.j2 ": ("{{ topic }}", "{{ topic.__class__.__mro__ }}"),
    "prompts/notes.j2  ": ("Write", "{% for i in range(10**12) %}{% endfor %} Write"),
    "schemas/note.py": ("score: int", "score: itn"),
}


def inputs(folder: Path) -> Found:
    """Broken files: where, what, and nothing billed."""
    calls, slowest, wrong = 0, 0.0, []
    for name, (old, new) in BROKEN.items():
        with Provider() as provider:
            at = sites.site(folder, provider)
            at.replace(name.strip(), old, new)
            ran = sites.here(at, "run")
            calls, slowest = calls + ran.calls, max(slowest, ran.seconds)
            placed = f"{name.strip()}:" in ran.err
            wrong += [] if ran.code == 2 and placed and ran.clean else [f"{new}: {ran.err[-200:]}"]
    return Found(
        f"{len(BROKEN) - len(wrong)} of {len(BROKEN)} broken files named with line and column, "
        f"{calls} calls, at most {slowest:.1f} s {' '.join(wrong)}".strip(),
        not wrong and not calls,
        slowest < 6,
    )
