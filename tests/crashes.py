"""Trials of crashes: kills, signals, locks, full disks, damaged files. Each measures one promise,
in the size that it is given; tests run them short and `make soak` long."""

from __future__ import annotations

import os
import pty
import random
import select
import shutil
import signal
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from builder.fill.writer import GROUP
from tests import sites
from tests.provider import Provider
from tests.sites import Found
from tests.test_run import Site, bytes_of


def kills(folder: Path, *, kills: int, rows: int, flying: int = 16) -> Found:
    """SIGKILL at random points, a resume after each; then the rows against an undisturbed run's."""
    rng = random.Random(kills)
    with Provider(latency=(0.0, 0.02), malformed=0.1) as provider:
        whole = sites.site(folder, provider, rows=str(rows))
        needed = sites.apart(whole, "run").calls
    with Provider(latency=(0.02, 0.1), malformed=0.1) as provider:
        torn = sites.site(folder, provider, rows=str(rows))
        done = worst = 0
        share = max(2, 2 * needed // (kills + 1))
        for number in range(kills):
            before = sites.held(torn)
            process = sites.Process(torn, ("run", "--concurrency", str(flying)))
            if number % 5 == 4:
                time.sleep(rng.uniform(0.0, 1.2))  # before the first call, too
            else:
                process.after(rng.randint(1, share))
            process.send(signal.SIGKILL)
            ran = process.wait()
            done += ran.code == -signal.SIGKILL
            worst = max(worst, ran.calls - (sites.held(torn) - before))
        last = sites.apart(torn, "run")
        again = provider.calls - needed
        lost = set(sites.keys(whole)) - set(sites.keys(torn))
        doubled = len(sites.keys(torn)) - len(set(sites.keys(torn)))
        same = torn.content() == whole.content()
    return Found(
        f"{done} kills in {rows} rows: {'same' if same else 'OTHER'} rows, {len(lost)} lost, "
        f"{doubled} doubled; paid again {again} in all, at most {worst} a kill "
        f"(allowed {flying} + {GROUP})",
        same and last.code == 0 and not lost and not doubled and done >= kills * 0.8
        and worst <= flying + GROUP and 0 <= again <= done * (flying + GROUP),
    )  # fmt: skip


def repeats(folder: Path, *, kills: int, rate: float, flying: int, least: int) -> Found:
    """SIGKILL in mid-run at a steady rate of replies: what each kill lets be asked again.

    `least` replies beyond those in flight may wait for their commit, in the median.
    """
    rng, again, rates, killed, lost = random.Random(kills), [], [], 0, 0
    with Provider(latency=(0.5 * flying / rate, 1.5 * flying / rate)) as provider:
        at = sites.site(folder, provider, rows=str(int(kills * rate)))
        for _ in range(kills):
            before = sites.held(at)
            process = sites.Process(at, ("run", "--concurrency", str(flying)))
            process.after(2 * flying)
            begun, seconds = provider.calls, rng.uniform(0.1, 0.6)
            time.sleep(seconds)
            rates.append((provider.calls - begun) / seconds)
            process.send(signal.SIGKILL)
            ran = process.wait()
            killed += ran.code == -signal.SIGKILL
            again.append(ran.calls - (sites.held(at) - before))
            lost += sites.held(at) < before
    median = statistics.median(again)
    return Found(
        f"{killed} kills at {statistics.median(rates):.0f} replies/s: {median:g} asked again in the median "
        f"(allowed {flying} + {least}), {max(again)} at most, {lost} runs lost answers",
        median <= flying + least and not lost and max(again) <= flying + GROUP and killed == kills,
    )


def hangup(folder: Path) -> Found:
    """The terminal of a run is closed: what was answered is kept."""
    with Provider(latency=(0.3, 0.6)) as provider:
        at = sites.site(folder, provider, rows="400")
        child, terminal = pty.fork()
        if not child:
            os.environ |= at.environ
            words = at.command("run", "--concurrency", "8")
            os.execvp(words[0], words)
        while provider.calls < 12:
            select.select([terminal], [], [], 0.05)
        os.close(terminal)
        ended, status = os.waitpid(child, 0)
        code = os.waitstatus_to_exitcode(status) if ended else None
        held = sites.held(at)
    return Found(
        f"exit {code}, {held} of {provider.calls} answers kept",
        held == provider.calls and code == 75,
    )


def idle(folder: Path, *, rows: int) -> Found:
    """A run after a whole one, and after edits that change nothing."""
    with Provider() as provider:
        at = sites.site(folder, provider, rows=str(rows))
        at.replace("pyproject.toml", "mine:test-1", "fake:any")
        first = sites.apart(at, "run")
        before = bytes_of(at.root / "outputs")
        again = sites.apart(at, "run")
        same = bytes_of(at.root / "outputs") == before
        asked = 0
        for edit in (_comment, _crlf, _order, _touch):
            edit(at)
            asked += "asked:" in sites.here(at, "run").err
            asked += sites.here(at, "plan", "--json").out.count('"to_ask": 0') != 1
        moved = sites.copy(at, at.root.parent / f"{at.root.name}-moved")
        moved.environ = {"PYTHONHASHSEED": "7", "LC_ALL": "C"}
        asked += sites.apart(moved, "plan", "--json").out.count('"to_ask": 0') != 1
    return Found(
        f"{rows} rows again: {again.seconds:.1f} s, {again.cpu:.1f} of them CPU, "
        f"{'0 bytes' if same else 'SOME BYTES'} changed; {asked} of 9 no-op edits asked",
        first.code == again.code == 0 and same and not asked
        and "asked:" not in again.err,
        again.cpu < 2.0,
    )  # fmt: skip


def _comment(at: Site) -> None:
    at.replace("scenarios/notes.yaml", "schema: Note", "# a word\nschema: Note")


def _crlf(at: Site) -> None:
    for path in (at.root / "scenarios/notes.yaml", at.root / "prompts/notes.j2"):
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))


def _order(at: Site) -> None:
    path = at.root / "scenarios/notes.yaml"
    lines = path.read_text("utf-8").splitlines()
    rows = next(line for line in lines if line.startswith("rows:"))
    path.write_text("\n".join([rows, *(line for line in lines if line != rows)]) + "\n", "utf-8")


def _touch(at: Site) -> None:
    for path in at.root.rglob("*.py"):
        os.utime(path, (1, 1))


def signals(folder: Path) -> Found:
    """The first signal of each kind, and a second one while calls hang."""
    slowest, kept, codes = 0.0, True, []
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        with Provider(latency=(0.3, 0.6)) as provider:
            at = sites.site(folder, provider, rows="400")
            process = sites.Process(at, ("run", "--concurrency", "8"))
            process.after(12)
            process.send(number)
            began = time.monotonic()
            ran = process.wait(60)
            slowest = max(slowest, time.monotonic() - began)
            codes.append(ran.code)
            kept &= sites.held(at) == ran.calls == len(at.rows())
    with Provider(faults={"hang": 1.0}) as provider:
        at = sites.site(folder, provider, rows="40")
        process = sites.Process(at, ("run", "--concurrency", "8"))
        process.after(8)
        process.send(signal.SIGINT)
        time.sleep(0.5)
        process.send(signal.SIGINT)
        began = time.monotonic()
        codes.append(process.wait(60).code)
        second = time.monotonic() - began
    with Provider() as provider:
        at = sites.site(folder, provider)
        process = sites.Process(at, ("plan",))
        time.sleep(0.45)
        process.send(signal.SIGTERM)
        early = process.wait(60)
    return Found(
        f"first: exit {', '.join(map(str, codes[:-1]))} within {slowest:.1f} s, "
        f"{'every answer kept' if kept else 'ANSWERS LOST'}; second: exit {codes[-1]} in {second:.1f} s",
        codes == [75, 75, 75, 130] and kept
        and early.code in (0, 75, -signal.SIGTERM) and "Traceback" not in early.err,
        slowest < 5 and second < 2.5,
    )  # fmt: skip


def lock(folder: Path) -> Found:
    """A second run on one output; then the first is killed."""
    with Provider(latency=0.5) as provider:
        at = sites.site(folder, provider, rows="100")
        first = sites.Process(at, ("run", "--concurrency", "4"))
        first.after(4)
        second = sites.here(at, "run")
        first.send(signal.SIGKILL)
        first.wait()
        provider.latency = (0.0, 0.0)
        third = sites.here(at, "run")
    named = f"in use by pid {first.child.pid} since" in second.err
    return Found(
        f"second: exit {second.code} in {second.seconds:.1f} s"
        f"{', names the pid' if named else ', NO PID'}; "
        f"after its death: exit {third.code}",
        second.code == 4 and named and third.code == 0,
        second.seconds < 2.5,
    )


def full_disk(folder: Path, *, rows: int, sizes: tuple[int, ...]) -> Found:
    """A disk that is full: a small file system where this machine allows one, and a limit on the
    size of files, so that the n-th write of the store or of the export fails."""
    bad: list[str] = []
    failed = lost = again = 0
    used = "file size limits"
    with Provider() as provider:
        at = sites.site(folder, provider, rows=str(rows))
        at.replace("pyproject.toml", "mine:test-1", "mine:test-1")
        with sites.tmpfs(at.root / "outputs", f"{max(200, rows // 3)}k") as mounted:
            if mounted:
                used += " and a small tmpfs"
                ran = sites.apart(at, "run", "--concurrency", "8")
                kept = sites.held(at)
                failed += ran.code == 75
                bad += [] if ran.code == 75 and "outputs" in ran.error and ran.clean else [ran.err[-300:]]  # fmt: skip
                sites.remount(at.root / "outputs", "size=64m")
                lost += max(0, kept - sites.held(at))
                after = sites.apart(at, "run")
                again = max(again, ran.calls + after.calls - rows)
                bad += [] if after.code == 0 and len(at.rows()) == rows else [after.err[-300:]]
    for size in sizes:
        with Provider() as provider:
            at = sites.site(folder, provider, rows=str(rows))
            ran = sites.apart(at, "run", "--concurrency", "8", fsize=size * 1024)
            kept = sites.held(at)
            failed += ran.code == 75
            named = ran.code == 0 or "outputs" in ran.error
            bad += [] if ran.code in (0, 75) and named and ran.clean else [f"{size}: {ran.err[-300:]}"]  # fmt: skip
            after = sites.apart(at, "run")
            lost += max(0, kept - (sites.held(at) - after.calls))
            again = max(again, ran.calls + after.calls - rows)
            bad += [] if after.code == 0 and len(at.rows()) == rows else [f"{size}: {after.err[-300:]}"]  # fmt: skip
    return Found(
        f"{used}: {failed} runs failed at a write, {lost} acknowledged answers lost, "
        f"at most {again} asked again{', BAD: ' + bad[0] if bad else ''}",
        # A group, the calls in flight, and those begun before all have heard of the failure.
        not bad and not lost and failed > 0 and again <= GROUP + 2 * 8,
    )


def folders(folder: Path) -> Found:
    """A folder that cannot be written, one that goes away, one that is a file."""
    told: dict[str, bool] = {}
    with Provider(latency=0.1) as provider:
        at = sites.site(folder, provider)
        (at.root / "outputs").write_text("no folder")
        told["a file"] = _refuses(sites.here(at, "run"), 0)
        at = sites.site(folder, provider, rows="300")
        process = sites.Process(at, ("run", "--concurrency", "8"))
        process.after(40)
        shutil.rmtree(at.root / "outputs")
        ran = process.wait()
        told["gone"] = _refuses(ran, ran.calls) and ran.calls < 300
        at = sites.site(folder, provider)
        with sites.tmpfs(at.root / "outputs", "8m") as mounted:
            if mounted:
                sites.apart(at, "run")
                at.replace("scenarios/notes.yaml", "rain,", "rain, snow,")
                sites.remount(at.root / "outputs", "ro")
                told["read-only"] = _refuses(sites.apart(at, "run"), 0)
                told["read-only plan"] = sites.apart(at, "plan").code == 0
    return Found(
        "; ".join(f"{name}: {'named' if good else 'NOT NAMED'}" for name, good in told.items()),
        all(told.values()),
    )


def _refuses(ran: sites.Ran, calls: int) -> bool:
    return ran.code == 75 and "outputs" in ran.error and ran.clean and ran.calls == calls


Damage = Callable[[Path, random.Random], None]


def _halve(path: Path, rng: random.Random) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _tear(path: Path, rng: random.Random) -> None:
    path.write_bytes(path.read_bytes()[: -rng.randint(1, min(5000, path.stat().st_size - 1))])


def _empty(path: Path, rng: random.Random) -> None:
    path.write_bytes(b"")


def _flip(path: Path, rng: random.Random) -> None:
    content = bytearray(path.read_bytes())
    content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    path.write_bytes(content)


def _garble(path: Path, rng: random.Random) -> None:
    path.write_bytes(rng.randbytes(path.stat().st_size))


def _delete(path: Path, rng: random.Random) -> None:
    path.unlink()


def damage(folder: Path, *, flips: int) -> Found:
    """Each state file in each way damaged; then a run: repaired, or named in an error."""
    rng = random.Random(flips)
    counts = {"repaired": 0, "named": 0, "SILENT": 0}
    silent = ""
    with Provider() as provider:
        calm = sites.site(folder, provider)
        (calm.root / "scenarios/t.csv").write_text("a,b\n" + "".join(f"{i},{i * i}\n" for i in range(40)))  # fmt: skip
        calm.replace("scenarios/notes.yaml", "draw:", "draw:\n  - bootstrap: {table: t.csv}\nunused: []")  # fmt: skip
        calm.replace("scenarios/notes.yaml", "\nunused: []", "")
        provider.malformed = 0.2
        first = sites.here(calm, "run")
        assert first.code == 0, first.err
        content = calm.content()
        killed = sites.copy(calm, folder / "killed")
        shutil.rmtree(killed.root / "outputs")
        provider.latency = (0.4, 0.5)
        process = sites.Process(killed, ("run", "--concurrency", "6"))
        process.after(20)
        process.send(signal.SIGKILL)
        process.wait()
        provider.latency = (0.0, 0.0)
        ways: list[Damage] = [_halve, _tear, _empty, _garble, _delete, *[_flip] * flips]
        for origin, patterns in (
            (calm, ("store.sqlite", "store.count", "fits/*.npz", "note/manifest.json",
                    "note/data/*.parquet", "note/rejects.jsonl")),
            (killed, ("store.sqlite", "store.sqlite-wal", "store.sqlite-shm", "store.count")),
        ):  # fmt: skip
            # Counted in a copy: whoever closes a store last tidies its log away.
            counted = sites.copy(origin, folder / "counted")
            owed = first.calls - sites.held(counted)
            shutil.rmtree(counted.root)
            for pattern in patterns:
                for way in ways:
                    trial = sites.copy(origin, folder / "damaged")
                    path = next((trial.root / "outputs").glob(pattern))
                    way(path, rng)
                    ran = sites.here(trial, "run")
                    verdict = _verdict(trial, ran, path, content, owed)
                    counts[verdict] += 1
                    if verdict == "SILENT":
                        silent += f" [{way.__name__} {pattern}: exit {ran.code} {ran.err[-200:]}]"
                    shutil.rmtree(trial.root)
    shown = ", ".join(f"{count} {name}" for name, count in counts.items())
    return Found(shown + silent, not counts["SILENT"] and sum(counts.values()) > 0)


def _verdict(trial: Site, ran: sites.Ran, path: Path, content: str, owed: int) -> str:
    if ran.code == 75 and path.name.split("-")[0] in ran.error and ran.clean:
        return "named"
    if ran.code == 0 and trial.content() == content:
        return "repaired" if ran.calls == owed or "damaged" in ran.err else "SILENT"
    return "SILENT"
