"""The lock on a project's outputs: one writer at a time."""

import os
import shlex
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from builder import io
from builder.errors import BusyError, StoreError


@contextmanager
def locked(outputs: Path) -> Iterator[None]:
    """Holds the project's outputs for one writer. BusyError at once where another one does.

    The lock is the operating system's, so it ends with its process however that ends.
    """
    from filelock import FileLock, Timeout

    try:
        outputs.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"cannot make {outputs}: {error.strerror}") from error
    owner = outputs / ".lock.owner"
    lock = FileLock(outputs / ".lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        holder = owner.read_text("utf-8") if owner.is_file() else "another process"
        raise BusyError(
            f"{outputs} is in use by {holder.strip()}", hint="wait for it, or stop it and run again"
        ) from None
    except OSError as error:
        raise StoreError(f"cannot lock {outputs}: {error.strerror}") from error
    try:
        since = time.strftime("%Y-%m-%d %H:%M:%S")
        command = shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])
        with io.writing(owner):
            owner.write_text(f"pid {os.getpid()} since {since}: {command}\n", "utf-8")
        yield
    finally:
        owner.unlink(missing_ok=True)
        lock.release()
