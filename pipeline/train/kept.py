"""Predictions of fits of hours, kept in results/kept so that nobody need train them again: copied for a cell.

    python -m pipeline.train.kept FILE DATASET TARGET LABEL BUDGET [--seed ...] --out PREDICTIONS

The code may have changed since; the revision that trained them stands in the file. The settings that were there then
must be the same.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from pipeline.config.cell_spec import CellSpec
from pipeline.core import io
from pipeline.core.errors import BenchError, run_cli


def require_same(kept: Path, spec: CellSpec) -> None:
    """Raise BenchError unless the predictions of ``kept`` are of the cell, with the settings that it has today."""
    from predictors.kit.ensemble import make

    about = io.read_meta(kept)
    today = {
        "dataset": spec.dataset, "target": spec.target, "device": spec.device, "predictor": spec.label,
        "budget": str(spec.budget), "seed": spec.seed,
        "config": json.loads(json.dumps(asdict(make(spec.label, spec.settings, spec.task, spec.random_seed).config))),
    }  # fmt: skip
    for name, now in today.items():
        was = about.get(name)
        if name == "config" and isinstance(was, dict):  # settings that came later have the value of what came before
            was, now = ({k: c[k] for k in was if k in now} for c in (was, now))
            name = ", ".join(k for k in now if was[k] != now[k])
        if was != now:
            raise BenchError(f"{kept}: another {name} than the cell's of today; delete the file to train it again")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.train.kept", description="Take over kept predictions.")
    parser.add_argument("kept", type=Path, help="predictions file of results/kept")
    CellSpec.add_arguments(parser)
    parser.add_argument("--out", type=Path, required=True, help="predictions file to write")
    args = parser.parse_args()
    require_same(args.kept, CellSpec.from_arguments(args))
    io.write_bytes(args.out, io.read_bytes(args.kept))


if __name__ == "__main__":
    run_cli(main)
