"""One run at a time in a folder, and nothing left over from a run that was killed.

Snakemake's own lock outlives a killed run and then refuses the next one, so the workflow takes this one instead: the
operating system drops it when the process ends, however it ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

from pipeline.core.errors import BenchError
from pipeline.core.io import os_errors
from pipeline.core.parent import RUN

LOCK = ".snakemake/bench.lock"
PATIENCE_S = 5.0  # for a process to end
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


def end_orphans(folder: Path | str = ".") -> list[int]:
    """End what a killed run started in `folder` and left at work, by its process id; the ids.

    The caller holds the lock: no other run is at work. Only where there is /proc.
    """
    here = Path(folder).resolve()
    found = [pid for pid in map(int, filter(str.isdigit, _names("/proc"))) if _is_orphan(pid, here)]
    for how in (signal.SIGTERM, signal.SIGKILL):
        for pid in filter(lambda pid: _is_orphan(pid, here), found):
            with contextlib.suppress(OSError):
                os.kill(pid, how)
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end and any(_is_orphan(pid, here) for pid in found):
            time.sleep(0.05)
    return found


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _is_orphan(pid: int, folder: Path) -> bool:
    """True for a process at work in `folder` that a run started which is not this one."""
    process = Path(f"/proc/{pid}")
    try:
        # A shell that hands the word on to what it starts has it in its command alone.
        words = ((process / "environ").read_bytes() + (process / "cmdline").read_bytes()).replace(b" ", b"\0")
        there = Path(os.readlink(process / "cwd"))
    except OSError:  # it has ended, or is another user's
        return False
    runs = {int(run) for run in re.findall(rb"(?:^|\0)%b=(\d+)(?=;|\0|$)" % RUN.encode(), words)}
    return there == folder and bool(runs - {os.getpid()}) and pid != os.getpid()


def take_over(folder: Path | str = ".") -> IO:
    """Lock `folder` for this process, end what a killed run left at work and remove its half-written files.

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
    for pid in end_orphans(folder):
        print(f"ended process {pid} of a run that was killed", file=sys.stderr)
    for name in WRITTEN:
        for leftover in list((folder / name).rglob(".*.tmp")):
            with os_errors(leftover, "remove"):
                if leftover.is_dir() and not leftover.is_symlink():
                    shutil.rmtree(leftover)
                else:
                    leftover.unlink(missing_ok=True)
    return file
