"""The command line: the only package that prints. stdout carries results, stderr the rest."""

import errno
import gc
import os
import sys
import traceback

import click

from builder.cli import application, signals, stderr
from builder.errors import BuilderError


def main() -> None:
    """Runs the command line; every error is one clear message and an exit code."""
    debug = "--debug" in sys.argv
    # Loading modules and planning make many values and no cycles: looking for some costs a tenth.
    gc.set_threshold(500_000, 20, 20)
    # Arrow's own allocators keep what is freed: 15 MB that an export does not want again.
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    # A pool of BLAS threads spins from the import of numpy on, and sums in another order on each
    # machine; what is large here is not dense.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # Plugins that watch Pydantic are looked for among all that is installed, whoever needs one.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "1")
    try:
        with signals.interruptible():
            sys.exit(
                application.app(
                    application.ordered(sys.argv[1:]), prog_name="builder", standalone_mode=False
                )
            )
    except BuilderError as error:
        if debug:
            traceback.print_exc()
        stderr.report(f"error: {error}")
        sys.exit(error.exit_code)
    except click.UsageError as error:
        stderr.report(f"error: {application.usage(error)}")
        sys.exit(2)
    except click.Abort:
        stderr.report("nothing was asked or written")
        sys.exit(2)
    except signals.SecondInterruptError:
        sys.exit(130)
    except signals.InterruptError:
        stderr.report("stopped. Run again to go on.")
        sys.exit(75)
    except Exception as error:
        if isinstance(error, OSError) and error.errno in (errno.EPIPE, errno.EIO):
            # Whoever read stdout has enough, or its terminal was closed.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(0 if error.errno == errno.EPIPE else 75)
        if debug:
            raise
        stderr.report(
            f"error: {type(error).__name__}: {error}\n"
            "  this is a fault of the builder; --debug shows where"
        )
        sys.exit(70)
