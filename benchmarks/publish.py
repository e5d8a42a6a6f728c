"""What releasing costs: a million rows to shards, to the Hub, and again after one per cent changed.

python -m benchmarks.publish [--quick]
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks import measure
from benchmarks.measure import Ran
from builder.export.rows import BLOCK

NOWHERE = "http://127.0.0.1:9"
REPOSITORY = "acme/bench"
TOKEN = "hf_secretsecretsecretsecretsecretsecret"
LEAST = 0.03
"""The most of the bytes that a change of one per cent may send."""


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


def small(folder: Path, rows: int, word: str) -> None:
    """A second scenario with so many rows of the same dataset."""
    prompt = measure.PROMPT.replace("Write", word)
    (folder / "prompts/few.j2").write_text(prompt, "utf-8")
    scenario = measure.SCENARIO.replace("ROWS", str(rows)).replace(
        "prompt: messages", "prompt: few"
    )
    (folder / "scenarios/few.yaml").write_text(scenario, "utf-8")


def filled(folder: Path) -> None:
    measure.child([sys.executable, "-m", "benchmarks.hold", str(folder)])


def exported(folder: Path) -> Ran:
    return measure.child([*measure.BUILDER, "export", "--quiet"], folder)


def digest(folder: Path) -> str:
    """One digest over every file of the dataset."""
    found = hashlib.sha256()
    for path in sorted((folder / "outputs/message").rglob("*")):
        if path.is_file():
            found.update(path.name.encode() + hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()


def published(folder: Path, address: str, home: str) -> tuple[Ran, int, int]:
    """The command, the bytes that arrived and the commits."""
    before = measure.counted(address)
    ran = measure.child(
        [*measure.BUILDER, "publish", "message", REPOSITORY, "--yes", "--quiet"], folder,
        HF_ENDPOINT=address, HF_TOKEN=TOKEN, HF_HOME=home, HF_HUB_DISABLE_XET="1",
    )  # fmt: skip
    after = measure.counted(address)
    return ran, int(after["sent"] - before["sent"]), int(after["commits"] - before["commits"])


def section(rows: int = 1_000_000) -> str:
    """The table, as Markdown."""
    few = rows // 100
    lines: list[list[object]] = []
    with tempfile.TemporaryDirectory() as scratch, hub() as address:
        folder = measure.project(Path(scratch) / "project", NOWHERE, rows=rows - few)
        home = str(Path(scratch) / "home")
        filled(folder)
        tenth = _tenth(Path(scratch) / "tenth", rows // 10)
        ran = exported(folder)
        first = digest(folder)
        for path in sorted((folder / "outputs/message/data").iterdir()):
            path.unlink()
        exported(folder)
        assert digest(folder) == first, "exported twice, other bytes"
        lines.append(["export, a tenth of the rows", rows // 10, tenth.cpu, tenth.peak, "", ""])
        lines.append(["export; again: the same bytes", rows, ran.cpu, ran.peak, "", ""])

        def publish(what: str, size: int) -> int:
            ran, sent, commits = published(folder, address, home)
            lines.append([what, size, ran.cpu, ran.peak, sent, commits])
            return sent

        publish("publish", rows - few)
        assert publish("publish, nothing changed", rows - few) == 0
        whole = sum(path.stat().st_size for path in (folder / "outputs/message/data").iterdir())
        changes = [
            ("a scenario of 1 % added", lambda: small(folder, few, "Draft")),
            ("that scenario made anew", lambda: small(folder, few, "Compose")),
            (
                "the large scenario grown by 1 %",
                lambda: measure.project(folder, NOWHERE, rows=rows),
            ),
        ]
        for what, change in changes:
            change()
            filled(folder)
            exported(folder)
            sent = publish(f"publish, {what}", rows)
            block = 1.05 * BLOCK / rows if "large" in what else 0.0
            most = max(LEAST, block)
            assert sent <= most * whole, f"{what}: {sent / whole:.1%} of the bytes were sent"
    return (
        f"## Releases\n\nOne dataset of {whole:,} bytes on a loopback Hub; at most {LEAST:.0%} of the bytes go over "
        f"for a change of 1 %.\n\n{measure.table(['', 'rows', 'CPU s', 'MB', 'bytes sent', 'commits'], lines)}\n"
    )


def _tenth(folder: Path, rows: int) -> Ran:
    measure.project(folder, NOWHERE, rows=rows)
    filled(folder)
    return exported(folder)


def main() -> None:
    talk = argparse.ArgumentParser(description=__doc__)
    talk.add_argument("--quick", action="store_true", help="100,000 rows")
    given = talk.parse_args()
    print(section(100_000) if given.quick else section())


if __name__ == "__main__":
    main()
