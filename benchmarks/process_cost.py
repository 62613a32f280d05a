"""What one process costs, children that it waited for included; for the benchmarks that time a command."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from pipeline.core.errors import BenchError


def process_cost(command: Sequence[str], folder: Path) -> tuple[float, float]:
    """Wall and CPU seconds of a command in ``folder``. Raises BenchError, with the last line of stderr: it failed."""
    with tempfile.TemporaryFile("w+") as stderr:
        start = time.perf_counter()
        process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=stderr)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        if status:
            stderr.seek(0)
            last = stderr.read().strip().rpartition("\n")[-1]
            raise BenchError(f"{' '.join(command)}: ended with {os.waitstatus_to_exitcode(status)}: {last}")
    return wall, usage.ru_utime + usage.ru_stime
