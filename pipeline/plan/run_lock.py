"""One run at a time in a folder, and nothing left over from a run that was killed.

Snakemake's own lock outlives a killed run and then refuses the next one, so the workflow takes this one instead: the
operating system drops it when the process ends, however it ends.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from pathlib import Path
from typing import IO

from pipeline.core.errors import BenchError
from pipeline.core.io import os_errors

LOCK = ".snakemake/bench.lock"
WRITTEN = ("data", "results")


def refuse_left_jobs(folder: Path | str = ".") -> None:
    """Raises BenchError when jobs of an ended run wait or work in `folder` on a Slurm: their cells would run twice.

    Where there is no Slurm, or it does not answer, there is nothing to refuse.
    """
    own = os.environ.get("SLURM_JOB_ID")  # this run may be a job itself
    try:
        asked = ["squeue", "--me", "--noheader", "--format=%A %Z"]
        done = subprocess.run(asked, text=True, capture_output=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return
    jobs = dict(line.strip().split(" ", 1) for line in done.stdout.splitlines() if " " in line.strip())
    here = str(Path(folder).resolve())
    left = sorted((job for job, where in jobs.items() if where == here and job != own), key=int)
    if left:
        raise BenchError(
            f"{here}: jobs of a killed run are still in Slurm; wait until they end, or: scancel {' '.join(left)}"
        )


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
