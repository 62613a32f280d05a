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
    with tempfile.TemporaryFile("w+") as said:
        start = time.perf_counter()
        process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=said)
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        if status:
            said.seek(0)
            last = said.read().strip().rpartition("\n")[-1]
            raise BenchError(f"{' '.join(command)}: ended with {os.waitstatus_to_exitcode(status)}: {last}")
    return wall, used.ru_utime + used.ru_stime
