"""How long pipeline.predict takes, process start included: python -m benchmarks.time_predict [--models FOLDER]

Times every model packaged in onnx, and NNLQP's ResNet-18 where the mirror is at hand, with each saved predictor given
or nn_former. Prints the least wall and CPU seconds of some runs: on a busy machine the CPU seconds are what tells.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import onnx

from benchmarks.process_cost import process_cost
from pipeline.core.errors import run_cli
from pipeline.core.paths import ROOT

MIRROR = Path(os.environ.get("BENCH_MIRROR") or ROOT.parent / "shared" / "mirror")


def main() -> None:
    """Print a line a file and predictor."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--models", help="folder of saved predictors (default: results/models)")
    parser.add_argument("--predictor", nargs="+", default=["nn_former"])
    parser.add_argument("--device", default="ort-cpu-fp32-1t")
    parser.add_argument("--runs", type=int, default=3)
    args = parser.parse_args()
    files = sorted((Path(onnx.__file__).parent / "backend/test/data/light").glob("*.onnx"))
    files += sorted((MIRROR / "nnlqp").glob("*.onnx"))
    fixed = [*(("--models", args.models) if args.models else ()), "--device", args.device]
    for predictor in args.predictor:
        for file in files:
            command = [sys.executable, "-m", "pipeline.predict", str(file), "--predictor", predictor, *fixed]
            runs = [process_cost(command, ROOT) for _ in range(args.runs)]
            wall, cpu = (min(column) for column in zip(*runs, strict=True))
            print(f"{predictor:12} {file.name:36} {wall:5.2f} s wall  {cpu:5.2f} s CPU", flush=True)


if __name__ == "__main__":
    run_cli(main)
