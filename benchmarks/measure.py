"""Children measured by the operating system's own accounting, and tables of what came out.

This process stays small on purpose: a child's peak memory counts from that of its parent.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import monotonic, sleep
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
BUILDER = [sys.executable, "-m", "builder"]


@dataclass(frozen=True, slots=True)
class Ran:
    """One finished child."""

    cpu: float
    """Seconds, its own children included."""
    wall: float
    peak: float
    """MB of the largest process."""
    out: str
    code: int


@dataclass(frozen=True, slots=True)
class Check:
    """A figure held against its limit."""

    what: str
    value: float
    most: float | None = None
    least: float | None = None

    @property
    def holds(self) -> bool:
        return (self.most is None or self.value <= self.most) and (
            self.least is None or self.value >= self.least
        )

    @property
    def limit(self) -> str:
        return f"≤ {self.most:g}" if self.most is not None else f"≥ {self.least:g}"


def checked(checks: Sequence[Check]) -> str:
    """The table of figures and limits, as Markdown."""
    rows = [(c.what, c.value, c.limit, "holds" if c.holds else "FAILS") for c in checks]
    return "## Limits\n\n" + table(["", "figure", "limit", ""], rows) + "\n"


def child(
    command: Sequence[str],
    folder: Path = ROOT,
    *,
    seen: Callable[[], float] | None = None,
    **environ: str,
) -> Ran:
    """Runs a command to its end; RuntimeError where it fails in a way that no run should. With
    `seen`, its CPU is that by the moment when this gives more than 0 (on Linux).
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        began = monotonic()
        process = subprocess.Popen(
            command,
            cwd=folder,
            stdout=out,
            stderr=err,
            env={**os.environ, "PYTHONPATH": str(ROOT), **environ},
        )
        over = os.WEXITED | os.WNOHANG | os.WNOWAIT
        while seen and not seen() and os.waitid(os.P_PID, process.pid, over) is None:
            sleep(0.01)
        by_then = so_far(process.pid) if seen else None
        _, status, usage = os.wait4(process.pid, 0)
        wall = monotonic() - began
        process.returncode = code = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        if code not in (0, 5):
            raise RuntimeError(f"{' '.join(command)}: exit {code}\n{err.read().decode()[-2000:]}")
        said = out.read().decode()
    cpu = usage.ru_utime + usage.ru_stime if by_then is None else by_then
    return Ran(cpu, wall, usage.ru_maxrss / 1024, said, code)


def so_far(process: int) -> float:
    """CPU seconds of a process that still runs."""
    told = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(told[11]) + int(told[12])) / os.sysconf("SC_CLK_TCK")


def often(run: Callable[[], Ran], times: int) -> Ran:
    """The run of least CPU: what else a machine does can only add to it."""
    return min((run() for _ in range(times)), key=lambda ran: ran.cpu)


@contextmanager
def server(*words: str) -> Iterator[str]:
    """The address of a server in a process of its own, on the last core where there are several."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.server", *words],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    try:
        if len(cores) > 1:
            os.sched_setaffinity(process.pid, cores[-1:])
            os.sched_setaffinity(0, cores[:-1])
        yield process.stdout.readline().strip()
    finally:
        if len(cores) > 1:
            os.sched_setaffinity(0, cores)
        process.kill()
        process.wait()


def counted(address: str) -> dict[str, float]:
    """What the server saw: `calls`, and the `seconds` from the first to the last."""
    with urllib.request.urlopen(address + "/") as answer:  # our own loopback server
        found: dict[str, float] = json.load(answer)
    return found


def project(folder: Path, address: str, *, rows: int, **settings: Any) -> Path:
    """A project of one scenario with so many rows, asked of the server at `address`."""
    lines = [f"{name} = {json.dumps(value)}" for name, value in settings.items()]
    files = {
        "pyproject.toml": "\n".join(
            (
                "[tool.builder]",
                'model = "bench:bench-1"',
                "[tool.builder.providers.bench]",
                f'base_url = "{address}/v1"',
                *lines,
                "",
            )
        ),
        "prompts/messages.j2": PROMPT,
        "schemas/message.py": SCHEMA,
        "scenarios/messages.yaml": SCENARIO.replace("ROWS", str(rows)),
    }
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return folder


PROMPT = """\
You write messages that customers send to an online shop.
Write one message about {{ topic }} in a {{ tone }} tone, sent by {{ channel }}.
The order cost {{ amount }} yuan and the customer has waited {{ days }} days.
"""
SCHEMA = """\
from typing import Literal

from pydantic import BaseModel, Field


class Message(BaseModel):
    subject: str = Field(min_length=3, max_length=80)
    message: str = Field(min_length=20, max_length=400)
    urgency: Literal["low", "medium", "high"]
"""
SCENARIO = """\
prompt: messages
schema: Message
rows: ROWS
vary:
  topic: [a refund, a late parcel, a broken box, a wrong bill, a lost order, a new address]
  tone: [angry, polite, tired, sarcastic]
  channel: [email, chat, phone]
draw:
  - amount: {integer: [10, 900000]}
  - days: {integer: [1, 400]}
"""


def slope(few: Ran, many: Ran, rows: int) -> float:
    """CPU milliseconds for each of the `rows` by which the second run was longer."""
    return (many.cpu - few.cpu) / rows * 1000


def table(heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A Markdown table; numbers with as many digits as mean something."""
    return "\n".join(map(line, [heads, ["---"] * len(heads), *rows]))


def line(cells: Sequence[Any]) -> str:
    """One line of such a table."""
    return "| " + " | ".join(map(shown, cells)) + " |"


def shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.0f}" if value >= 100 else f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def middle(values: Sequence[float]) -> float:
    return median(values)
