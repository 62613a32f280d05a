"""A process that does not outlive its parent. Light to import."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
RUN = "BENCH_RUN"  # in the environment of all that a run of the workflow starts: its process id


def die_with_parent(parent: int | None = None) -> None:
    """Have the system kill this process when its parent ends in any way. On Linux.

    `parent`: the process that forked this one; where it has ended already, this one ends too.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if parent is not None and os.getppid() != parent:
            os._exit(1)
