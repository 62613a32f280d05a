"""Predictions of fits of hours, kept in results/kept so that nobody need train them again: copied for a cell.

    python -m pipeline.train.kept FILE DATASET TARGET LABEL BUDGET [--seed ...] --out PREDICTIONS

The code may have changed since; the revision that trained them stands in the file. The settings that were there then
must be the same, and the copy names those of today, so that it counts as the same predictor as a fresh run.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from pipeline.config.cell_spec import CellSpec
from pipeline.core import io
from pipeline.core.errors import BenchError, run_cli


def take_over(kept: Path, spec: CellSpec, out: Path) -> None:
    """Copy the predictions of ``kept`` to ``out``.

    Raises:
        BenchError: they are not of the cell, or of other settings than it has today.
    """
    from predictors import base
    from predictors.kit.ensemble import make

    about, config = io.read_meta(kept), make(spec.label, spec.settings, spec.task, spec.random_seed).config
    today = {
        "dataset": spec.dataset, "target": spec.target, "device": spec.device, "predictor": spec.label,
        "budget": str(spec.budget), "seed": spec.seed,
        "config": json.loads(json.dumps(asdict(config))),
    }  # fmt: skip
    for name, now in today.items():
        was = about.get(name)
        if name == "config" and isinstance(was, dict):  # settings that came later have the value of what came before
            was, now = ({k: c[k] for k in was if k in now} for c in (was, now))
            name = ", ".join(k for k in now if was[k] != now[k])
        if was != now:
            raise BenchError(f"{kept}: another {name} than the cell's of today; delete the file to train it again")
    of_today = {"config": asdict(config), "config_hash": base.config_hash(config)}
    io.write_parquet(out, io.read_parquet(kept), about | of_today)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.train.kept", description="Take over kept predictions.")
    parser.add_argument("kept", type=Path, help="predictions file of results/kept")
    CellSpec.add_arguments(parser)
    parser.add_argument("--out", type=Path, required=True, help="predictions file to write")
    args = parser.parse_args()
    take_over(args.kept, CellSpec.from_arguments(args), args.out)


if __name__ == "__main__":
    run_cli(main)
