"""Run a grid in a clone of the project: what is there already is not made again."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from nnfb.errors import BenchError

EXAMPLES = """  nnfb leaderboard
  nnfb leaderboard --grid config/nasbench201.yaml --cores 2
  nnfb leaderboard --grid config/smoke.yaml --dry-run
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Let `parser` take what `run` needs."""
    parser.add_argument("--grid", type=Path, help="a grid (default: config/benchmark.yaml)")
    parser.add_argument("--cores", default="all", help="cores to use (default: all)")
    parser.add_argument("--dry-run", action="store_true", help="say what would run")


def run(args: argparse.Namespace) -> int:
    """Run Snakemake here. Raises BenchError outside a clone."""
    if not Path("Snakefile").is_file():
        raise BenchError("no Snakefile here; run this in a clone of the project, where its rules and grids are")
    if args.grid and not args.grid.is_file():
        raise BenchError(f"{args.grid}: no such file; give a grid, such as config/smoke.yaml")
    command = [sys.executable, "-m", "snakemake", "--cores", args.cores]
    command += ["--configfile", str(args.grid)] if args.grid else []
    status = subprocess.run(command + (["--dry-run"] if args.dry_run else [])).returncode
    return 1 if status else 0
