"""Kill runs of the smoke grid at random moments and start them again: are the scores those of an undisturbed run?

    python -m benchmarks.kill_resume [--kills 10] [--seed 0]

All processes of a run are killed with SIGKILL, the next run goes on in the same folder; a run that ends is compared,
and its folder is begun anew. Exits 1 when a score differs or a half-written file is left.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
from pathlib import Path

from pipeline.config.strict_yaml import read_yaml
from pipeline.core.paths import ROOT
from tests.helpers.project_copy import copy_project, kill_after, leftovers, predictions, quality, snakemake, timed


def main() -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kill_resume", description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=10, help="runs to kill")
    parser.add_argument("--seed", type=int, default=0, help="of the random moments")
    args = parser.parse_args()
    grid = {**read_yaml(ROOT / "config" / "smoke.yaml"), "grid": "benchmark"}
    moments = random.Random(args.seed)
    with tempfile.TemporaryDirectory(prefix="bench-kill-") as temporary:
        undisturbed = copy_project(Path(temporary) / "undisturbed", grid)
        duration_s = timed(undisturbed)
        print(f"undisturbed run: {duration_s:.1f} s, {len(predictions(undisturbed))} cells", flush=True)
        folder = copy_project(Path(temporary) / "killed", grid)
        killed, wrong = 0, 0
        while killed < args.kills:
            seconds = moments.uniform(0.0, duration_s * 0.3)
            if kill_after(folder, seconds):
                killed += 1
                print(f"kill {killed}: at {seconds:.1f} s, {len(predictions(folder))} cells done", flush=True)
            else:
                wrong += differs(folder, undisturbed)
                shutil.rmtree(folder)
                copy_project(folder, grid)
        snakemake(folder)
        wrong += differs(folder, undisturbed)
    return min(wrong, 1)


def differs(folder: Path, undisturbed: Path) -> bool:
    """Compare an ended run with the undisturbed one, print the answer."""
    same, left = quality(folder).equals(quality(undisturbed)), leftovers(folder)
    print(f"ended: scores identical: {'yes' if same else 'NO'}; half-written files left: {len(left)}", flush=True)
    return not same or bool(left)


if __name__ == "__main__":
    sys.exit(main())
