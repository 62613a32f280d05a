"""Check a result from outside: complete, no network twice, right names, label budget stated. Prints its scores."""

from __future__ import annotations

import argparse
from pathlib import Path

EXAMPLES = """  nnfb check external/my_method
  nnfb check external/my_method --tables data/parquet/measured
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Let `parser` take what `run` needs."""
    parser.add_argument("result", type=Path, help="folder with result.yaml, or that file")
    parser.add_argument("--tables", type=Path, help="folder with the data set's graphs.parquet and targets.parquet")
    parser.add_argument("--mirror", type=Path, help="folder of source files (default: the variable BENCH_MIRROR)")


def run(args: argparse.Namespace) -> None:
    """Print what was found. Raises BenchError with what is wrong."""
    from nnfb.data import load_dataset
    from pipeline.score import external

    about = external.read(args.result)
    data = load_dataset(about.dataset, folder=args.tables, mirror=args.mirror)
    found = external.check(args.result, external.Tables(data.graphs, data.targets, data.meta["version"]))
    print(f"{args.result}: right: {about.name}, {found.n_networks} networks of {about.dataset}, {about.labels} labels")
    for seed, by_split in found.scores.items():
        for split, scores in by_split.items():
            values = ", ".join(f"{name} {'undefined' if v is None else f'{v:.3f}'}" for name, v in scores.items())
            print(f"  seed {seed}, {split}: {values}")
