"""One run at a time in a folder, and nothing left over from a run that was killed.

Snakemake's own lock outlives a killed run and then refuses the next one, so the workflow takes this one instead: the
operating system drops it when the process ends, however it ends.
"""

from __future__ import annotations

import fcntl
import shutil
from pathlib import Path
from typing import IO

from pipeline.core.errors import BenchError
from pipeline.core.io import os_errors

LOCK = ".snakemake/bench.lock"
WRITTEN = ("data", "results")


def take_over(folder: Path | str = ".") -> IO:
    """Lock `folder` for this process and remove the half-written files of a run that was killed.

    The lock lasts until the returned file is closed. Raises BenchError when another run holds it, or when a file
    belongs to a user who does not share it.
    """
    folder = Path(folder)
    lock = folder / LOCK
    with os_errors(lock, "write"):
        lock.parent.mkdir(exist_ok=True)
        file = lock.open("a")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise BenchError(f"{folder.resolve()}: another run is at work in this folder; wait until it ends") from None
    for name in WRITTEN:
        for leftover in list((folder / name).rglob(".*.tmp")):
            with os_errors(leftover, "remove"):
                if leftover.is_dir() and not leftover.is_symlink():
                    shutil.rmtree(leftover)
                else:
                    leftover.unlink(missing_ok=True)
    return file
