"""Interrupt runs of the smoke grid at random moments, in every way, and start them again: are the scores the same?

    python -m benchmarks.interruptions [--count 30] [--seed 0]

The next run begins at once in the same folder. A run that ends is compared with an undisturbed one, and its folder is
begun anew. Exits 1 when a score differs, a half-written file or a process is left, or a run says a traceback.
"""

from __future__ import annotations

import argparse
import itertools
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

from pipeline.config.strict_yaml import read_yaml
from pipeline.core.paths import ROOT
from tests.helpers.project_copy import (
    HOW,
    copy_project,
    kill,
    leftovers,
    predictions,
    processes_in,
    quality,
    snakemake,
    timed,
)

BOARD = "while the board is drawn"
SHARES = 0.15, 0.5  # of an undisturbed run; before, Snakemake is imported and does what it likes


def main() -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.interruptions", description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=30, help="interruptions")
    parser.add_argument("--seed", type=int, default=0, help="of the random moments")
    args = parser.parse_args()
    grid = {**read_yaml(ROOT / "config" / "smoke.yaml"), "grid": "benchmark", "seeds": 1}
    moments, wrong, done = random.Random(args.seed), 0, 0
    with tempfile.TemporaryDirectory(prefix="bench-interrupted-") as temporary:
        undisturbed = copy_project(Path(temporary) / "undisturbed", grid)
        duration_s = timed(undisturbed)
        print(f"undisturbed run: {duration_s:.1f} s, {len(predictions(undisturbed))} cells", flush=True)
        folder = copy_project(Path(temporary) / "interrupted", grid)
        for how in itertools.cycle([*HOW, BOARD]):
            if done == args.count:
                break
            interrupted, output = interrupt(folder, how, moments.uniform(*(share * duration_s for share in SHARES)))
            wrong += "Traceback" in output
            done += interrupted
            cells = len(predictions(folder))
            print(f"{done}: {how}: {cells} cells{', TRACEBACK' if 'Traceback' in output else ''}", flush=True)
            if (folder / "results/leaderboard.md").exists():
                wrong += differs(folder, undisturbed)
                shutil.rmtree(folder)
                copy_project(folder, grid)
        wrong += differs(folder, undisturbed)
    return min(wrong, 1)


def interrupt(folder: Path, how: str, seconds: float) -> tuple[bool, str]:
    """Start a run and interrupt it after `seconds`; False when it had ended by itself, and what it said."""
    if how != BOARD:
        end = time.monotonic() + seconds
        return kill(folder, lambda: time.monotonic() >= end, how)
    scores, seen = folder / "results/benchmark/scores.parquet", []

    def reached() -> bool:
        if scores.exists() and not seen:
            seen.append(time.monotonic() + seconds / 10)
        return bool(seen) and time.monotonic() >= seen[0]

    return kill(folder, reached, "group killed")


def differs(folder: Path, undisturbed: Path) -> bool:
    """End the run, compare it with the undisturbed one, print the answer."""
    snakemake(folder)
    same, left, alive = quality(folder).equals(quality(undisturbed)), leftovers(folder), processes_in(folder)
    print(
        f"ended: scores identical: {'yes' if same else 'NO'}; half-written files left: {len(left)}; "
        f"processes left: {len(alive)}",
        flush=True,
    )
    return not same or bool(left) or bool(alive)


if __name__ == "__main__":
    sys.exit(main())
