"""Files written whole or not at all, and trouble with the disk as one line that names the path."""

import errno
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from builder.errors import StoreError


def write(path: Path, content: bytes | str) -> None:
    """Puts a file with this content there, in a folder that is there.

    After a kill or a power cut it holds this or what it held before. Raises OSError, naming
    `path`, and leaves nothing behind.

    What is no file, /dev/stdout or a pipe, is written to as it is.
    """
    data = content.encode() if isinstance(content, str) else content
    if path.exists() and not path.is_file():
        path.write_bytes(data)
        return
    whole = path.resolve()  # a link goes on pointing where it did
    partial = whole.with_name(f".{os.getpid()}-{threading.get_ident()}.part")
    try:
        partial.write_bytes(data)
        replace({partial: whole})
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise OSError(error.errno, error.strerror, str(path)) from error


def replace(places: Mapping[Path, Path]) -> None:
    """Puts partial files in their places: all of them on the disk first, and then the names."""
    for partial in places:
        _sync(partial)
    for partial, whole in places.items():
        partial.replace(whole)
    for folder in {whole.parent for whole in places.values()}:
        try:
            _sync(folder)
        except OSError as error:
            if error.errno != errno.EINVAL:  # some network mounts sync files alone
                raise


@contextmanager
def writing(path: Path, *, hint: str = "") -> Iterator[None]:
    """Within it, trouble with the disk is a StoreError that names the file, or else `path`."""
    try:
        yield
    except OSError as error:
        name = error.filename or path
        raise StoreError(f"cannot write {name}: {error.strerror or error}", hint=hint) from error


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
