"""Packages that come with an extra: where one is missing, one line says which to install."""

import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from builder.errors import InputError

DISTRIBUTION = "text-dataset-builder"


@contextmanager
def importing(extra: str) -> Iterator[None]:
    """Imports inside that fail for a missing package raise InputError that names the extra.

    >>> with importing("stats"):  # doctest: +ELLIPSIS
    ...     import no_such_package
    Traceback (most recent call last):
    ...
    builder.errors.InputError: no_such_package is not installed: this needs the extra `stats`
      ... -m pip install 'text-dataset-builder[stats]'
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or str(error)).partition(".")[0]
        raise InputError(
            f"{package} is not installed: this needs the extra `{extra}`",
            hint=f"{shlex.quote(sys.executable)} -m pip install '{DISTRIBUTION}[{extra}]'",
        ) from None
