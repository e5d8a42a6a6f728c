"""What releasing costs: a million rows to shards, to the Hub, and again after one per cent changed.

python -m benchmarks.publish [--quick]; exit 1 where a figure leaves its limit
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks import measure
from benchmarks.measure import Ran
from builder.results.rows import BLOCK

NOWHERE = "http://127.0.0.1:9"
REPOSITORY = "acme/bench"
TOKEN = "hf_secretsecretsecretsecretsecretsecret"
PEAK, GROWTH = 300, 100
"""MB that an export may hold, and bytes by which its peak may grow with each further row: those of
the plan (combination, occurrence, key), a fraction of what a row itself takes."""
SHARE = 0.03
"""The most of the bytes that a change of one per cent may send."""
SETTINGS = """
[tool.builder.datasets.message]
text = []
"""
"""The gates over texts have benchmarks of their own; these are a few hundred texts over and over."""
HEADS = ("", "rows", "CPU s", "MB", "bytes sent", "of all", "commits", "limit", "")


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table."""

    what: str
    rows: int
    ran: Ran | None
    limit: str
    holds: bool
    sent: int | None = None
    share: float | None = None
    commits: int | None = None

    def cells(self) -> list[object]:
        ran = (self.ran.cpu, self.ran.peak) if self.ran else ("", "")
        share = "" if self.share is None else f"{self.share:.2%}"
        counts = ["" if n is None else n for n in (self.sent, self.commits)]
        mark = ("holds" if self.holds else "FAILS") if self.limit else ""
        return [self.what, self.rows, *ran, counts[0], share, counts[1], self.limit, mark]


@contextmanager
def hub() -> Iterator[str]:
    """The address of a loopback Hub in a process of its own."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.hub"], cwd=measure.ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait()


@dataclass(frozen=True, slots=True)
class Desk:
    """A project with one large scenario, the Hub that it publishes to, and a home."""

    folder: Path
    address: str
    home: Path

    @property
    def data(self) -> Path:
        return self.folder / "outputs/message/data"

    def large(self, rows: int) -> None:
        """The scenario of so many rows, and whatever it lacks put into the store."""
        measure.project(self.folder, NOWHERE, rows=rows)
        settings = self.folder / "pyproject.toml"
        settings.write_text(settings.read_text("utf-8") + SETTINGS, "utf-8")
        self.fill()

    def small(self, rows: int, word: str) -> None:
        """A second scenario of the same dataset; another word makes all of it anew."""
        prompt = measure.PROMPT.replace("Write", word)
        (self.folder / "prompts/few.j2").write_text(prompt, "utf-8")
        scenario = measure.SCENARIO.replace("ROWS", str(rows))
        scenario = scenario.replace("prompt: messages", "prompt: few")
        (self.folder / "scenarios/few.yaml").write_text(scenario, "utf-8")
        self.fill()

    def fill(self) -> None:
        measure.child([sys.executable, "-m", "benchmarks.hold", str(self.folder)])

    def builder(self, *words: str) -> Ran:
        return measure.child(
            [*measure.BUILDER, *words, "--quiet"], self.folder, HF_ENDPOINT=self.address,
            HF_TOKEN=TOKEN, HF_HOME=str(self.home), HF_HUB_DISABLE_XET="1",
        )  # fmt: skip

    def digest(self) -> str:
        """One digest over every file of the dataset."""
        found = hashlib.sha256()
        for path in sorted((self.folder / "outputs/message").rglob("*")):
            if path.is_file():
                found.update(path.name.encode() + hashlib.sha256(path.read_bytes()).digest())
        return found.hexdigest()

    def published(self, what: str, rows: int, most: float, commits: int) -> Figure:
        """What a publication sends, held against the share of all bytes that it may."""
        before = measure.counted(self.address)
        ran = self.builder("publish", "message", REPOSITORY, "--yes")
        after = measure.counted(self.address)
        sent, made = (int(after[name] - before[name]) for name in ("sent", "commits"))
        share = sent / sum(path.stat().st_size for path in self.data.iterdir())
        told = f"≤ {most:.1%} of the bytes, " if 0 < most < 1 else ""
        limit = f"{told}{'one commit' if commits else 'no commit'}"
        holds = made == commits and (share <= most or most >= 1)
        return Figure(what, rows, ran, limit, holds, sent, share, made)


def figures(rows: int) -> Iterator[Figure]:
    few = rows // 100
    with tempfile.TemporaryDirectory() as scratch, hub() as address:
        tenth = Desk(Path(scratch) / "tenth", address, Path(scratch) / "home")
        tenth.large(rows // 10)
        less = tenth.builder("export")
        yield Figure("export, a tenth of the rows", rows // 10, less, "", holds=True)
        desk = Desk(Path(scratch) / "project", address, Path(scratch) / "home")
        desk.large(rows - few)
        ran = desk.builder("export")
        growth = (ran.peak - less.peak) * 2**20 / (rows - few - rows // 10)
        flat = ran.peak <= PEAK and growth <= GROWTH
        limit = f"≤ {PEAK} MB, ≤ {GROWTH} bytes a row over a tenth ({growth:.0f})"
        yield Figure("export", rows - few, ran, limit, flat)
        first = desk.digest()
        for path in desk.data.iterdir():
            path.unlink()
        again = desk.builder("export")
        same = desk.digest() == first
        yield Figure("export once more", rows - few, again, "the same bytes", same)
        yield desk.published("publish", rows - few, 1, 1)
        yield desk.published("publish, nothing changed", rows - few, 0, 0)
        # Growing takes the last block of a scenario with it, however few rows are new.
        block = max(SHARE, 1.05 * BLOCK / rows)
        changes: list[tuple[str, float, Callable[[], None]]] = [
            ("a scenario of 1 % added", SHARE, lambda: desk.small(few, "Draft")),
            ("that scenario made anew", SHARE, lambda: desk.small(few, "Compose")),
            ("the large scenario grown by 1 %", block, lambda: desk.large(rows)),
        ]
        for what, most, change in changes:
            change()
            desk.builder("export")
            yield desk.published(f"publish, {what}", rows, most, 1)


def main() -> int:
    talk = argparse.ArgumentParser(description=__doc__)
    talk.add_argument("--quick", action="store_true", help="100,000 rows")
    holds = True
    rows = 100_000 if talk.parse_args().quick else 1_000_000
    print(measure.table(HEADS, []))
    for one in figures(rows):
        print(measure.line(one.cells()), flush=True)
        holds &= one.holds
    return int(not holds)


if __name__ == "__main__":
    sys.exit(main())
