"""CPU seconds in which Snakemake plans each shipped grid, in this folder: what every run costs before its first job.

python -m benchmarks.planning [GRID ...]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

from tqdm import tqdm

from pipeline.board_text import markdown
from pipeline.errors import BenchError, run_cli
from pipeline.grid import ROOT, load_grid
from pipeline.yaml_file import read_yaml


def cpu_seconds(command: list[str]) -> float:
    """CPU seconds of a command and its children. Raises BenchError: it failed."""
    before = os.times()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    after = os.times()
    if done.returncode:
        raise BenchError(f"{' '.join(command)}: ended with {done.returncode}; run it to see why")
    return after.children_user - before.children_user + after.children_system - before.children_system


def main() -> None:
    """Print a line a grid, as a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("grids", nargs="*", type=Path, metavar="GRID", help="files of config/ (default: all)")
    args = parser.parse_args()
    snakemake = str(Path(sys.executable).with_name("snakemake"))
    shipped = [path for path in sorted((ROOT / "config").glob("*.yaml")) if "grid" in read_yaml(path)]
    rows = []
    for path in tqdm(args.grids or shipped, unit="grid", disable=None, file=sys.stderr):
        seconds = cpu_seconds([snakemake, "--dry-run", "--cores", "2", "--configfile", str(path.resolve())])
        rows.append([path.stem, f"{len(load_grid(path).cells):,}", f"{seconds:.1f}"])
    print("\n".join(markdown(["Grid", "Cells", "CPU-s"], rows, "lrr")))


if __name__ == "__main__":
    run_cli(main)
