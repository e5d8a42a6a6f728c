"""Sites for trials of endurance: the command run over them here or in a process, and measured."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from builder import cli, store
from builder.plan import requests
from builder.project.settings import Project
from builder.records import Completion
from tests.provider import Provider, completion, prompts
from tests.test_run import Site

SECRET = "sk-live-0123456789abcdef"


@dataclass(frozen=True, slots=True)
class Found:
    """What a trial measured, in words, and whether the promise holds."""

    figure: str
    holds: bool
    in_time: bool = True
    """Whether it was as fast as promised: a busy machine is not, so tests leave this to the soak."""


@dataclass(slots=True)
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str
    calls: int
    seconds: float
    peak: float = 0.0
    """Peak memory in MB; processes only."""
    files: int = 0
    """Most files open at once; processes only."""
    cpu: float = 0.0
    """Seconds of processor time; processes only."""

    @property
    def clean(self) -> bool:
        """Whether it ended as commands are to end: no traceback, no fault of the builder."""
        return "Traceback" not in self.err and self.code in (0, 2, 4, 5, 75, 130)

    @property
    def error(self) -> str:
        """The first line of its error."""
        return self.err.partition("error: ")[2].partition("\n")[0]


class Told(Provider):
    """A provider that gives these texts in turn as answers, and counts tokens as they are."""

    texts: tuple[str, ...] = ()
    tokens: int = 0
    dearest: float = 0.0
    _given: int = 0

    def _reply(
        self, request: Any, body: Mapping[str, Any], mark: bytes, fault: str | None
    ) -> bytes:
        made = super()._reply(request, body, mark, fault)
        sent = sum(map(len, prompts(body))) // 4 + 1
        received = len(str(json.loads(made)["choices"][0]["message"]["content"])) // 4 + 1
        self.tokens += sent + received
        self.dearest += sent * 100e-6 + received * 200e-6
        if not self.texts:
            return made
        text = self.texts[self._given % len(self.texts)]
        self._given += 1
        return completion(body, text, fault, self.usage, sent, received)


def site(folder: Path, provider: Provider, rows: str = "4 each", **settings: Any) -> Site:
    """A site in a folder of its own under `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    made = Site(Path(tempfile.mkdtemp(dir=folder)), provider)
    made.replace("scenarios/notes.yaml", "rows: 4 each", f"rows: {rows}")
    made.replace("scenarios/notes.yaml", "integer: [5, 30]", "integer: [5, 3000000]")
    made.settings(**settings)
    return made


def here(at: Site, *words: str) -> Ran:
    """The command in this process."""
    out, err = io.StringIO(), io.StringIO()
    argv, sys.argv = sys.argv, ["builder", *words, "--project", str(at.root)]
    calls, began, code = at.provider.calls, time.monotonic(), 0
    environ = dict(os.environ)
    os.environ.update(at.environ)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            cli.main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    finally:
        sys.argv = argv
        os.environ.clear()
        os.environ.update(environ)
    seconds = time.monotonic() - began
    return Ran(code, out.getvalue(), err.getvalue(), at.provider.calls - calls, seconds)


@dataclass(slots=True)
class Process:
    """The command in a process of its own."""

    site: Site
    words: tuple[str, ...]
    fsize: int | None = None
    """Bytes that any file it writes may have: a disk that is full sooner or later."""
    user: int | None = None
    child: subprocess.Popen[bytes] = field(init=False)
    files: int = 0
    peak: float = 0.0

    def __post_init__(self) -> None:
        self._calls, self._began = self.site.provider.calls, time.monotonic()
        self._out, self._err = tempfile.TemporaryFile(), tempfile.TemporaryFile()  # noqa: SIM115
        self.child = subprocess.Popen(
            self.site.command(*self.words),
            stdout=self._out,
            stderr=self._err,
            env={**os.environ, **self.site.environ},
            user=self.user,
        )
        if self.fsize is not None:
            resource.prlimit(self.child.pid, resource.RLIMIT_FSIZE, (self.fsize, self.fsize))

    _calls: int = 0
    _began: float = 0.0
    _out: Any = None
    _err: Any = None

    def send(self, number: int) -> None:
        """Sends a signal; a process that has ended already is left for `wait`."""
        os.kill(self.child.pid, number)

    def wait(self, limit: float = 300.0) -> Ran:
        """Waits for its end and measures it."""
        watch = threading.Thread(target=self._watch, daemon=True)
        watch.start()
        timer = threading.Timer(limit, self.child.kill)
        timer.start()
        _, status, usage = os.wait4(self.child.pid, 0)
        timer.cancel()
        seconds = time.monotonic() - self._began
        self.child.returncode = code = os.waitstatus_to_exitcode(status)
        out, err = _taken(self._out), _taken(self._err)
        calls = self.site.provider.calls - self._calls
        cpu = usage.ru_utime + usage.ru_stime
        return Ran(code, out, err, calls, seconds, self.peak, self.files, cpu)

    def _watch(self) -> None:
        folder = Path(f"/proc/{self.child.pid}")
        while self.child.returncode is None:
            with contextlib.suppress(OSError):
                self.files = max(self.files, sum(1 for _ in (folder / "fd").iterdir()))
                self.peak = max(self.peak, _peak((folder / "status").read_text("ascii")))
            time.sleep(0.05)

    def after(self, calls: int, limit: float = 60.0) -> None:
        """Waits until it has made so many calls, or has ended."""
        end = time.monotonic() + limit
        while self.site.provider.calls - self._calls < calls and time.monotonic() < end:
            if os.waitid(os.P_PID, self.child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                return
            time.sleep(0.002)


def _taken(stream: BinaryIO) -> str:
    """All that a process wrote; the stream is closed."""
    stream.seek(0)
    text = stream.read().decode("utf-8", "replace")
    stream.close()
    return text


def _peak(status: str) -> float:
    """Peak memory in MB; what wait4 tells includes the process that this one was forked from."""
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(found[1]) / 1024 if found else 0.0


def apart(at: Site, *words: str, **how: Any) -> Ran:
    """The command in a process of its own, to its end."""
    return Process(at, words, **how).wait()


def held(at: Site) -> int:
    """Replies of any kind in the site's store."""
    with store.reading(at.root / "outputs/store.sqlite") as found:
        return found.count() + found.count("attempts")


def fill_in(at: Site) -> None:
    """Puts an answer for every planned row into the store, asking nobody."""
    project = Project.find(at.root)
    text = '{"text": "a note", "mood": "good", "score": 3}'
    with store.writing(project.store) as found:
        for scenario in requests.plan(project).scenarios():
            cases = scenario.cases
            for start in range(0, len(cases), 5000):
                some = cases.take(np.arange(start, min(start + 5000, len(cases))))
                found.add([Completion(key, text, "mine:test-1") for key in some.keys(0, len(some))])


def keys(at: Site) -> list[str]:
    return [str(row["_key"]) for row in at.rows()]


def copy(at: Site, to: Path) -> Site:
    """The same project and provider in another folder."""
    shutil.copytree(at.root, to)
    made = object.__new__(Site)
    made.root, made.provider, made.environ = to, at.provider, dict(at.environ)
    return made


@contextlib.contextmanager
def tmpfs(folder: Path, size: str) -> Iterator[bool]:
    """A small file system at `folder`; yields whether this machine lets us have one."""
    folder.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    mounted = (
        shutil.which("mount") is not None
        and subprocess.run(command, capture_output=True, check=False).returncode == 0
    )
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(folder)], check=False, capture_output=True)


def remount(folder: Path, how: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{how}", str(folder)], check=True, capture_output=True)
