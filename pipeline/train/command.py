"""Command line of a cell: python -m pipeline.train analognas201 test_acc nn_former 0.01"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from pipeline.config.cell_spec import CellSpec


def parser(prog: str = "python -m pipeline.train") -> argparse.ArgumentParser:
    """The arguments of a cell, of its files and of how it is run."""
    parser = argparse.ArgumentParser(prog=prog, description="Train one cell of a grid and predict every network.")
    CellSpec.add_arguments(parser)
    parser.add_argument("--data", type=Path, help="folder with graphs.parquet and targets.parquet (default: its own)")
    parser.add_argument("--split", type=Path, help="split file (default: that of the data set and the seed)")
    parser.add_argument("--torch-device", default="auto", choices=["auto", "cpu", "cuda"])
    parser.add_argument("--timeout", type=int, default=3600, help="seconds for fit and predict together")
    parser.add_argument("--out", type=Path, help="predictions file to write (default: where grids look for it)")
    return parser


def run(args: argparse.Namespace):
    """Run the cell of a command line and write its predictions; returns it as `cell.Trained`."""
    from pipeline.train import cell

    spec = CellSpec.from_arguments(args)
    data = args.data or Path("data/parquet") / spec.dataset
    split = args.split or Path("data/splits") / spec.dataset / f"{spec.seed}.parquet"
    trained = cell.train(spec, cell.Tables.read(data, split), args.torch_device, args.timeout)
    out = args.out or Path(spec.path)
    cell.write(out, trained)
    if trained.about["status"] != "ok":
        print(f"{out}: {trained.about['status']}: {trained.about['message']}", file=sys.stderr)
    return trained


def main() -> None:
    """Train one cell."""
    run(parser().parse_args())
