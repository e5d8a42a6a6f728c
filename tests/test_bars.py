"""What a terminal of some width shows while a run lasts: read from a pty, by an emulator."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import pyte
import pytest

from tests import projects
from tests.provider import Provider

COLUMNS = (60, 80, 120, 200)
TWO = {
    "pyproject.toml": '[tool.builder]\nmodel = "fake:any"\nconcurrency = 4\n'
    "[tool.builder.providers.fake]\nlatency = 0.15\n",
    "scenarios/letters.yaml": "schema: Letter\nrows: 6 each\nvary:\n  tone: [glad, sad]\n",
    "scenarios/notes_of_customers_abroad.yaml": "prompt: letters\nschema: Letter\nrows: 14\nseed: 4\nvary:\n  tone: [wry, calm]\n",
}
CODES = re.compile(rb"\x1b\[[0-9;]*m")


class Terminal:
    """`builder WORDS` on a terminal, and what it wrote there."""

    def __init__(self, folder: Path, columns: int, *words: str, **environ: str) -> None:
        ours, theirs = pty.openpty()
        self.sent = b""
        self.columns = columns
        self.screens: list[list[str]] = []
        self._fd = ours
        self._screen = pyte.HistoryScreen(columns, 50, history=1000)
        self._stream = pyte.ByteStream(self._screen)
        self.resize(columns, redraw=False)
        clean = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "COLUMNS", "TERM")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "builder", *words],
            cwd=folder, env={**clean, "TERM": "xterm-256color", **environ}, stdin=theirs, stdout=theirs, stderr=theirs,
            start_new_session=True,
        )  # fmt: skip
        os.close(theirs)

    def resize(self, columns: int, *, redraw: bool = True) -> None:
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
        if redraw:
            self._screen.resize(50, columns)

    def read(self, seconds: float, until: bytes = b"\0") -> None:
        """Reads what comes in so many seconds, or until it holds some bytes."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and until not in self.sent:
            if select.select([self._fd], [], [], 0.05)[0]:
                try:
                    chunk = os.read(self._fd, 65536)
                except OSError:
                    return
                self.sent += chunk
                self._stream.feed(chunk)
                self.screens.append(self.lines)

    def end(self) -> int:
        self.read(30)
        with suppress(OSError):
            os.close(self._fd)
        return self.process.wait(10)

    @property
    def lines(self) -> list[str]:
        return [line.rstrip() for line in self._screen.display if line.strip()]


def bars(lines: Sequence[str]) -> list[str]:
    """The lines of the display, heads included."""
    start = max((i for i, line in enumerate(lines) if line.split() == ["rows", "rejects", "rows/s", "ETA", "usd"]), default=None)  # fmt: skip
    return [] if start is None else list(lines[start : start + 4])


@pytest.mark.parametrize("columns", COLUMNS)
def test_a_bar_a_scenario_fits_the_terminal_with_its_time_and_cost(
    tmp_path: Path, columns: int
) -> None:
    with Provider(latency=0.15) as server:
        mine = f'[tool.builder.providers.mine]\nbase_url = "{server.url}/v1"\n'
        price = "usd_per_million = {input = 10.0, output = 20.0}\n"
        settings = f'[tool.builder]\nmodel = "mine:one"\nconcurrency = 4\n{mine}{price}'
        projects.write(tmp_path, {**TWO, "pyproject.toml": settings})
        terminal = Terminal(tmp_path, columns, "run")
        assert terminal.end() == 0
    under_way = [shown for lines in terminal.screens if len(shown := bars(lines)) == 4]
    assert under_way
    timed = [
        re.fullmatch(r"(\S[\w ]+…?) +[━╸╺]+ *(\d+)/(12|14|26) +\d+ +\d+\.\d +(\d+ s) +(0\.\d{4}|0\.\d\d)", line)
        for shown in under_way for line in shown[1:]
    ]  # fmt: skip
    assert len(list(filter(None, timed))) > 3, under_way[-1]
    last = bars(terminal.lines)
    assert [line.split()[0][:5] for line in last] == ["rows", "lette", "notes", "in"]
    assert [re.findall(r"\d+/\d+", line)[0] for line in last[1:]] == ["12/12", "14/14", "26/26"]
    assert max(map(len, last)) < columns
    text = "\n".join(terminal.lines)
    assert text.count("ETA") == 1
    assert "letter: 26 of 26 rows" in text.replace("\n", "")


@pytest.mark.parametrize("columns", [40, *COLUMNS])
def test_the_table_of_a_plan_fits_the_terminal_and_keeps_what_one_decides_by(
    tmp_path: Path, columns: int
) -> None:
    terminal = Terminal(projects.write(tmp_path, TWO), columns, "plan")
    assert terminal.end() == 0
    head, *rows = terminal.sent.decode().replace("\r", "").partition("scenario")[2].splitlines()[:4]
    assert max(map(len, ["scenario" + head, *rows])) <= columns
    assert [row.split()[0][:5] for row in rows] == ["lette", "notes", "in"]
    assert all(word in head for word in ("rows", "held", "to ask", "usd"))
    assert all(row.endswith("0.00") for row in rows)
    assert ("dataset" in head) == (columns > 80)


def test_no_color_means_none(tmp_path: Path) -> None:
    projects.write(tmp_path, TWO)
    coloured = Terminal(tmp_path, 80, "run", "--rows", "4")
    assert coloured.end() == 0
    assert CODES.search(coloured.sent)
    plain = Terminal(tmp_path, 80, "run", "--rows", "6", NO_COLOR="1")
    assert plain.end() == 0
    assert "━" in plain.sent.decode()
    assert not CODES.search(plain.sent)


def test_a_terminal_without_a_cursor_gets_plain_lines(tmp_path: Path) -> None:
    terminal = Terminal(projects.write(tmp_path, TWO), 80, "run", TERM="dumb")
    assert terminal.end() == 0
    assert b"\x1b" not in terminal.sent
    assert b"26/26 rows" in terminal.sent


def test_a_pipe_gets_plain_lines(tmp_path: Path) -> None:
    ran = projects.process(projects.write(tmp_path, TWO), "run", TERM="xterm", FORCE_COLOR="1")
    assert ran.code == 0
    assert "\x1b" not in ran.err + ran.out
    assert "\r" not in ran.err
    assert re.search(r"^26/26 rows · 0 rejects · ", ran.err, re.MULTILINE)


def test_an_interrupt_is_answered_above_the_bars(tmp_path: Path) -> None:
    terminal = Terminal(projects.write(tmp_path, TWO), 80, "run")
    terminal.read(20, until="━".encode())
    os.killpg(terminal.process.pid, signal.SIGINT)
    assert terminal.end() == 75
    text = "\n".join(terminal.lines)
    assert text.count("stopping: calls in flight are finished and kept") == 1
    assert text.index("stopping:") < text.index("ETA")
    assert text.count("ETA") == 1
    assert "stopped: interrupted" in text


def test_what_a_shell_writes_while_a_run_sleeps_stays(tmp_path: Path) -> None:
    terminal = Terminal(projects.write(tmp_path, TWO), 80, "run")
    terminal.read(20, until="━".encode())
    terminal.process.send_signal(signal.SIGSTOP)
    terminal.read(0.3)
    terminal._stream.feed(b"\r\n[1]+ Stopped\r\n$ fg\r\n")
    terminal.process.send_signal(signal.SIGCONT)
    assert terminal.end() == 0
    text = "\n".join(terminal.lines)
    assert "[1]+ Stopped\n$ fg" in text
    assert "26/26" in text
    assert b"\x1b[?25l" not in terminal.sent


def test_a_resized_terminal_gets_bars_of_its_new_width(tmp_path: Path) -> None:
    terminal = Terminal(projects.write(tmp_path, TWO), 120, "run")
    terminal.read(20, until="━".encode())
    terminal.resize(60)
    assert terminal.end() == 0
    assert max(map(len, bars(terminal.lines))) < 60
    assert bars(terminal.lines)[-1].startswith("in all")


def test_a_terminal_that_is_gone_stops_no_run(tmp_path: Path) -> None:
    files: Mapping[str, str] = {**TWO, "scenarios/letters.yaml": TWO["scenarios/letters.yaml"].replace("6 each", "2 each")}  # fmt: skip
    terminal = Terminal(projects.write(tmp_path, files), 80, "run", "letters")
    terminal.read(20, until="━".encode())
    os.close(terminal._fd)
    assert terminal.process.wait(30) in (0, 75)
    assert projects.held(tmp_path) == 4
