"""Keeps numerical libraries to one thread while something is learned."""

from collections.abc import Iterator
from contextlib import contextmanager

from builder import extras


@contextmanager
def single() -> Iterator[None]:
    """Inside, BLAS and OpenMP use one thread, in whatever process this is.

    Sums then run in one order, so that a table gives the same fit on any number of cores; and
    for tables this small, threads that wait for one another cost more than they save: several
    times the CPU where the cores are busy.
    """
    with extras.importing("stats"):
        import sklearn  # noqa: F401  # only libraries that are loaded by now can be told
        from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        yield
