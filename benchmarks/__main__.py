"""All benchmarks, in about half an hour: python -m benchmarks > docs/performance.md.

Ends with 1 where a figure leaves its limit.
"""

from __future__ import annotations

import os
import platform
import sys

from benchmarks import measure, pace, plan, run

HEAD = """\
# Performance

Written by `make bench`; no figure here was typed in. {cores} cores ({machine}), Python {python}. The
server runs in a process of its own, on the last core where there are several. CPU is what the operating
system counted for the whole process, start-up and all, its own children included; memory is its peak.
"""


def main() -> int:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    about = HEAD.format(cores=cores, machine=platform.machine(), python=platform.python_version())
    sections = [run.section(), pace.section(), plan.section()]
    checks = [check for _, some in sections for check in some]
    print("\n".join([about, measure.checked(checks), *(text for text, _ in sections)]), end="")
    return int(not all(check.holds for check in checks))


if __name__ == "__main__":
    sys.exit(main())
