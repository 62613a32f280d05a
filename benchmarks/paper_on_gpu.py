"""Wall time and Kendall's tau of NN-Former's published recipe (preset `paper`, 3000 epochs) on a CUDA device.

    python -m benchmarks.paper_on_gpu [--labels 781] [--epochs 3000] [--seeds 0] [--data data]

Data as in `benchmarks.time_to_tau`: val_acc of NAS-Bench-201 is learned, every cell is scored. Where there is no CUDA
device it says what it would run, and ends.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import torch

from benchmarks.time_to_tau import Data, positive, train
from benchmarks.time_to_tau_runs import Run, resolved
from pipeline.core import provenance
from pipeline.core.errors import BenchError, run_cli

LABEL = "nn_former-paper"
STEP_MS = 15.0  # an assumption: about 1,100 operations a step, each some 13 us to launch


def plan(n: int, epochs: int, seeds: list[int], step_ms: float) -> str:
    """What would run: steps, samples, and the time at ``step_ms`` a step, which is assumed."""
    size = min(resolved(LABEL).config.batch_size, n)
    steps = epochs * math.ceil(n / size)
    minutes = steps * len(seeds) * step_ms / 60_000
    return (
        f"{LABEL}: {n:,} labels, {epochs:,} epochs = {steps:,} steps of {size} = {steps * size:,} samples a seed; "
        f"seeds {' '.join(map(str, seeds))}; about {minutes:.1f} minutes if a step takes {step_ms:g} ms (assumed)"
    )


def main() -> None:
    """Say what is run, run it where there is a GPU, print a line a seed."""
    args = _parse()
    print(plan(args.labels, args.epochs, args.seeds, args.step_ms), flush=True)
    if not torch.cuda.is_available():
        print("no CUDA device here, so nothing was run")
        return
    data = Data(args.data, args.seeds)
    for seed in args.seeds:
        run = Run(LABEL, args.labels, seed, f"{args.epochs} epochs")
        about, taus = train(run, {"preset": "paper", "epochs": args.epochs}, data, "cuda", args.timeout)
        if about["status"] != "ok":
            raise BenchError(f"seed {seed}: {about['status']}: {about['message']}")
        # a fit may end before the device does; predictions wait for it
        seconds = about["fit_s"] + about["predict_s"]
        shown = ", ".join(f"tau {tau:.4f} on {target}" for target, tau in taus.items())
        print(f"seed {seed}: {seconds:.0f} s to fit and predict, {shown}; {provenance.gpu()}", flush=True)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.paper_on_gpu", description=__doc__.partition("\n")[0])
    parser.add_argument("--labels", type=positive(int), default=781)
    parser.add_argument("--epochs", type=positive(int), default=3000)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--step-ms", type=positive(float), default=STEP_MS, help="assumed time of a step, for the plan")
    parser.add_argument("--timeout", type=positive(int), default=6 * 3600, help="seconds a seed may take")
    parser.add_argument("--data", type=Path, default=Path("data"), help="folder with parquet/ and splits/")
    return parser.parse_args()


if __name__ == "__main__":
    run_cli(main)
