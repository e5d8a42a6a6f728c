"""All benchmarks, in about half an hour: python -m benchmarks > docs/performance.md"""

from __future__ import annotations

import os
import platform

from benchmarks import pace, plan, run

HEAD = """\
# Performance

Written by `make bench`; no figure here was typed in. {cores} cores ({machine}), Python {python}. The
server runs in a process of its own, on the last core where there are several. CPU is what the operating
system counted for the whole process, start-up and all, its own children included; memory is its peak.
"""


def main() -> None:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    about = HEAD.format(cores=cores, machine=platform.machine(), python=platform.python_version())
    print("\n".join([about, run.section(), pace.section(), plan.section()]), end="")


if __name__ == "__main__":
    main()
