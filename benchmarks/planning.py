"""CPU seconds in which Snakemake plans each shipped grid, in this folder: what every run costs before its first job.

python -m benchmarks.planning [GRID ...]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tqdm import tqdm

from benchmarks.process_cost import process_cost
from pipeline.config.grid import load_grid
from pipeline.config.strict_yaml import read_yaml
from pipeline.core.errors import run_cli
from pipeline.core.paths import ROOT
from pipeline.report.format import markdown


def main() -> None:
    """Print a line a grid, as a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("grids", nargs="*", type=Path, metavar="GRID", help="files of config/ (default: all)")
    args = parser.parse_args()
    snakemake = str(Path(sys.executable).with_name("snakemake"))
    configs = sorted((ROOT / "config").rglob("*.yaml"))
    shipped = [path for path in configs if "grid" in read_yaml(path)]
    rows = []
    for path in tqdm(args.grids or shipped, unit="grid", disable=None, file=sys.stderr):
        cells = len(load_grid(path).cells)
        command = [snakemake, "--dry-run", "--cores", "2", "--configfile", str(path.resolve())]
        _, seconds = process_cost(command, ROOT)
        rows.append([path.stem, f"{cells:,}", f"{seconds:.1f}"])
    print("\n".join(markdown(["Grid", "Cells", "CPU-s"], rows, "lrr")))


if __name__ == "__main__":
    run_cli(main)
