"""The timing worker with networks that do what their file name says: crash, hang, eat memory, raise, or be quick."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import numpy as np

from pipeline.measure import runtime, worker


def prepare(platform, content, where, seed=0):
    """A function that behaves as the name of the file says."""
    name = Path(where).stem.partition("-")[0]
    return {
        "crash": lambda: os.kill(os.getpid(), signal.SIGSEGV),
        "exit": lambda: os._exit(3),
        "hang": lambda: time.sleep(1000),
        "eat": lambda: [np.empty(2**23) for _ in range(2**20)],
        "killed": lambda: os.kill(os.getpid(), signal.SIGKILL),
        "raise": lambda: 1 / 0,
        "noisy": lambda: print("a library prints this") or time.sleep(0.01),
        "quick": lambda: time.sleep(0.01),
    }[name]


if __name__ == "__main__":
    runtime.prepare = prepare
    if len(sys.argv) > 1:
        worker.pin(int(sys.argv[1]))
    worker.serve()
