"""Interrupt runs of the smoke grid at random moments, in every way, and start them again: are the scores the same?

    python -m benchmarks.interruptions [--count 30] [--seed 0] [--slurm]

The next run begins at once in the same folder. A run that ends is compared with an undisturbed one on this machine, and
its folder is begun anew. `--slurm`: runs, and ways to interrupt them, on a Slurm of one node (root, Debian's slurm-wlm
and munge). Exits 1 when a score differs, a half-written file, a job or a process is left, or a run says a traceback.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.config.strict_yaml import read_yaml
from pipeline.core.paths import ROOT
from tests.helpers import slurm_cluster
from tests.helpers.project_copy import (
    HOW,
    LOCALLY,
    copy_project,
    environment,
    kill,
    leftovers,
    predictions,
    processes_in,
    quality,
    timed,
)

Way = Callable[[subprocess.Popen, Path], None]
BOARD = "while the board is drawn"
SHARES = 0.15, 0.5  # of an undisturbed run; before, Snakemake is imported and does what it likes
SLURM_SHARES = 0.5, 2.5  # the same on Slurm, where each cell starts Snakemake once more


@dataclass(frozen=True)
class Runs:
    """How a run is started, in which ways it is interrupted, when, and how its folder is made ready for the next."""

    command: tuple[str, ...]
    extra: dict[str, str]
    ways: dict[str, Way]
    shares: tuple[float, float]
    settle: Callable[[], None]


def locally() -> Runs:
    """Runs on this machine."""
    return Runs(LOCALLY, {}, {**HOW, BOARD: HOW["group killed"]}, SHARES, lambda: None)


@contextlib.contextmanager
def on_slurm(moments: random.Random) -> Iterator[Runs]:
    """Runs on a Slurm of one node, whose jobs and daemon are killed too; the daemon comes back once the node is down.

    A run that begins finds no job of the last.
    """
    with slurm_cluster.slurm_cluster() as cluster:

        def cancel(process: subprocess.Popen, folder: Path) -> None:
            for job in cluster.jobs():
                cluster.run("scancel", job)

        def kill_node(process: subprocess.Popen, folder: Path) -> None:
            cluster.kill("slurmd")
            slurm_cluster.wait_for(lambda: not cluster.is_up(), "the end of its node", 600)
            cluster.start_slurmd()  # a job that was on its way to the node waits for it, and so does the run

        def settle() -> None:
            if moments.random() < 0.5:
                cancel(None, None)
            slurm_cluster.wait_for(lambda: not cluster.jobs(), "the end of its jobs", 600)

        ways = {
            "Slurm: job cancelled": cancel,
            "Slurm: run killed": lambda process, folder: process.send_signal(signal.SIGKILL),
            "Slurm: daemon of the node killed, and back": kill_node,
            "Slurm: interrupt": lambda process, folder: process.send_signal(signal.SIGINT),
        }
        yield Runs(slurm_cluster.RUN, cluster.environment, ways, SLURM_SHARES, settle)


def main() -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.interruptions", description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=30, help="interruptions")
    parser.add_argument("--seed", type=int, default=0, help="of the random moments")
    parser.add_argument("--slurm", action="store_true", help="on a Slurm of one node")
    args = parser.parse_args()
    if args.slurm and slurm_cluster.missing():
        sys.exit(f"error: {slurm_cluster.missing()}")
    moments = random.Random(args.seed)
    with on_slurm(moments) if args.slurm else contextlib.nullcontext(locally()) as runs:
        return min(campaign(runs, args.count, moments), 1)


def campaign(runs: Runs, count: int, moments: random.Random) -> int:
    """Interrupt `count` times; how much went wrong."""
    grid = {**read_yaml(ROOT / "config" / "smoke.yaml"), "grid": "benchmark", "seeds": 1}
    wrong, done = 0, 0
    with tempfile.TemporaryDirectory(prefix="bench-interrupted-") as temporary:
        undisturbed = copy_project(Path(temporary) / "undisturbed", grid)
        duration_s = timed(undisturbed)
        print(f"undisturbed run: {duration_s:.1f} s, {len(predictions(undisturbed))} cells", flush=True)
        folder = copy_project(Path(temporary) / "interrupted", grid)
        for how in itertools.cycle(runs.ways):
            if done == count:
                break
            seconds = moments.uniform(*(share * duration_s for share in runs.shares))
            interrupted, output = interrupt(runs, folder, how, seconds)
            wrong += "Traceback" in output
            done += interrupted
            runs.settle()
            said = ", TRACEBACK" if "Traceback" in output else ""
            print(
                f"{done}: {how}{'' if interrupted else ' (ended before)'}: {len(predictions(folder))} cells{said}",
                flush=True,
            )
            if (folder / "results/leaderboard.md").exists():
                wrong += differs(runs, folder, undisturbed)
                shutil.rmtree(folder)
                copy_project(folder, grid)
        wrong += differs(runs, folder, undisturbed)
    return wrong


def interrupt(runs: Runs, folder: Path, how: str, seconds: float) -> tuple[bool, str]:
    """Start a run and interrupt it after `seconds`; False when it had ended by itself, and what it said."""
    scores, end = folder / "results/benchmark/scores.parquet", []

    def reached() -> bool:
        if not end and (how != BOARD or scores.exists()):
            end.append(time.monotonic() + (seconds / 10 if how == BOARD else seconds))
        return bool(end) and time.monotonic() >= end[0]

    return kill(folder, reached, runs.ways[how], runs.command, runs.extra)


def differs(runs: Runs, folder: Path, undisturbed: Path) -> bool:
    """End the run, compare it with the undisturbed one, print the answer."""
    done = subprocess.run(runs.command, cwd=folder, env={**environment(), **runs.extra}, text=True, capture_output=True)
    if done.returncode:
        print(f"the run ended with {done.returncode}:\n{done.stdout}{done.stderr}", flush=True)
        return True
    same, left, alive = quality(folder).equals(quality(undisturbed)), leftovers(folder), processes_in(folder)
    print(
        f"ended: scores identical: {'yes' if same else 'NO'}; half-written files left: {len(left)}; "
        f"processes left: {len(alive)}",
        flush=True,
    )
    return not same or bool(left) or bool(alive)


if __name__ == "__main__":
    sys.exit(main())
