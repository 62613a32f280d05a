"""Command line of a cell: python -m pipeline.train analognas201 test_acc nn_former 0.01"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.config import overrides
from pipeline.config.cell_spec import CellSpec
from pipeline.core.errors import BenchError, one_line
from pipeline.train.supervise import Tell, silent, supervise, write_empty

if TYPE_CHECKING:
    from pipeline.train.cell import Trained  # torch: imported by the child, where it is not yet there


def parser(prog: str = "python -m pipeline.train") -> argparse.ArgumentParser:
    """The arguments of a cell, of its files and of how it is run."""
    parser = argparse.ArgumentParser(prog=prog, description="Train one cell of a grid and predict every network.")
    CellSpec.add_arguments(parser)
    parser.add_argument("--data", type=Path, help="folder with graphs.parquet and targets.parquet (default: its own)")
    parser.add_argument("--split", type=Path, help="split file (default: that of the data set and the seed)")
    parser.add_argument("--torch-device", default="auto", choices=["auto", "cpu", "cuda"])
    parser.add_argument("--timeout", type=_seconds, default=3600, help="seconds for fit and predict together")
    parser.add_argument("--out", type=Path, help="predictions file to write (default: where grids look for it)")
    parser.add_argument("--code", default="", help="key of the code: a checkpoint of another one is not gone on from")
    parser.add_argument("--checkpoint-every", type=float, default=120, help="seconds between a long fit's checkpoints")
    return parser


def _seconds(text: str) -> int:
    if not 1 <= int(text) <= overrides.MAX_TIMEOUT_S:
        raise ValueError
    return int(text)


def spec_of(args: argparse.Namespace) -> CellSpec:
    """The cell of a command line. Raises BenchError when its words or settings can't be."""
    try:
        spec = CellSpec.from_arguments(args)
    except (RecursionError, AttributeError) as error:
        raise BenchError(f"--overrides or --sources: not such JSON ({type(error).__name__}); mend it") from error
    if not isinstance(spec.settings, dict):
        raise BenchError(f"--overrides: {args.overrides[:80]} is no mapping of settings; mend it")
    if len(args.budget) > overrides.MAX_WORD or not 0 <= args.seed <= overrides.MAX_SEED:
        raise BenchError("budget or --seed: out of bounds; see docs/protocols.md")
    if wrong := [word for word in (spec.dataset, spec.target, spec.device) if "/" in word or word in ("", ".", "..")]:
        raise BenchError(
            f"{wrong[0]!r} can be no name of a data set, target or device: it is the name of a folder; mend it"
        )
    overrides.check("--overrides", spec.settings)
    return spec


def train(args: argparse.Namespace, tell: Tell = silent) -> Trained:
    """Run the cell of a command line."""
    from pipeline.train import cell  # polars: as above

    spec = spec_of(args)
    data = args.data or Path("data/parquet") / spec.dataset
    split = args.split or Path("data/splits") / spec.dataset / f"{spec.seed}.parquet"
    checkpoint = (checkpoint_file(predictions_file(args)), args.code, args.checkpoint_every)
    tables = cell.Tables.read(data, split, spec.dataset, spec.seed, spec.settings.get("proxies") is True)
    return cell.train(spec, tables, args.torch_device, tell, checkpoint)


def predictions_file(args: argparse.Namespace) -> Path:
    """Where the predictions of a command line go."""
    return args.out or Path(spec_of(args).path)


def checkpoint_file(out: Path) -> Path:
    """Where a long fit writes how far it is, beside its predictions."""
    return out.with_suffix(".checkpoint")


def report(path: Path, about: dict) -> None:
    """Say on the terminal that a cell did not end well."""
    if about["status"] != "ok":
        said = one_line(f"{path}: {about['status']}: {about['message']}")
        print(said.encode(errors="backslashreplace").decode())  # it may name a file whose name is no text


def main() -> int:
    """Train one cell in a process of its own and write its predictions, or how it failed."""
    args = parser().parse_args()
    out = predictions_file(args)

    def work(tell: Tell) -> None:
        from pipeline.train import cell

        trained = train(args, tell)
        cell.write(out, trained)
        if trained.predictor and trained.predictor.checkpoint:
            trained.predictor.checkpoint.remove()
        report(out, trained.about)

    def write_row(about: dict) -> None:
        write_empty(out, about)
        report(out, about)

    return supervise(work, args.timeout, write_row)
