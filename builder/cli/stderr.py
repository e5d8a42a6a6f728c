"""What goes to stderr, and how paths are printed."""

import os
import shutil
import sys
from contextlib import suppress
from pathlib import Path


def report(text: str, *, quiet: bool = False, end: str = "\n") -> None:
    """Prints a line to stderr, unless it is empty or `quiet`."""
    if not text or quiet:
        return
    try:
        print(text, end=end, file=sys.stderr, flush=True)
    except OSError:
        # Nobody listens any more, or the terminal is gone: that stops the reports and not the work.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())


def terminal_columns(otherwise: int) -> int:
    """How wide the terminal is; `otherwise` where stdout is none."""
    return shutil.get_terminal_size((otherwise, 24)).columns


def shown_path(path: Path) -> str:
    """A path as people type it: relative to the working directory where it lies in it."""
    with suppress(ValueError):
        return str(path.relative_to(Path.cwd()))
    return str(path)
