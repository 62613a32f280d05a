"""Scores of a grid of which some cells were run again, without running the others:

    snakemake --cores 2 $(python -m pipeline.plan.merge_scores --grid GRID --missing) --configfile GRID
    python -m pipeline.plan.merge_scores --grid GRID

Cells whose predictions are at hand are scored. The rows of the others are taken from results/<grid>/scores.parquet,
with the revision, machine and date that stand there, if a repeat says that they still hold: of the cells that differ in
device and seed alone, one must be at hand, and every score of it must be what it was, to the last bit. Otherwise all
cells of its kind are missing. Run the first command until it names none: before any repeat it names one cell a kind.
Settings that a predictor got since then give it another hash and, where they leave its scores alone, nothing more: rows
taken over get the hash of the repeat.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import polars as pl

from pipeline.config import grid as grids
from pipeline.config.cell_spec import CellSpec
from pipeline.core import io
from pipeline.core.errors import BenchError, run_cli
from pipeline.score import label_noise, likeness, messages, score, score_table

CELL = ("dataset", "protocol", "target", "device", "predictor", "budget", "seed")  # as CellSpec.key has them
NO_SCORE = ("config_hash", "torch_device", "host_cpu", "host_gpu", "torch_version", "code_rev", "finished_at")
Rows = dict[tuple, pl.DataFrame]


def kind(cell: CellSpec) -> tuple:
    """What cells share that differ in device and seed alone."""
    return cell.dataset, cell.protocol, cell.target, cell.label, cell.overrides, str(cell.budget)


def by_cell(rows: pl.DataFrame) -> Rows:
    """Score rows by the key of their cell."""
    return dict(rows.partition_by(CELL, as_dict=True))


def same(new: pl.DataFrame, old: pl.DataFrame) -> bool:
    """Whether two tables of one cell's rows say the same, but for what a run costs and where it ran."""
    new, old = (
        rows.filter(pl.col("split") != "run").drop(NO_SCORE).sort("scored_on", "split", "metric") for rows in (new, old)
    )
    return new.equals(old)


def missing(cells: list[CellSpec], new: Rows, old: Rows) -> list[CellSpec]:
    """The cells to run before all have rows: those of neither table, and of each kind as its repeats say.

    One without a repeat lacks its first cell; one with a repeat that differs, or that never was, all not run again.
    """
    kinds: dict[tuple, list[CellSpec]] = {}
    for cell in cells:
        kinds.setdefault(kind(cell), []).append(cell)
    found = []
    for of_kind in kinds.values():
        waiting = [cell for cell in of_kind if cell.key not in new]
        known = [cell for cell in of_kind if cell.key in old]
        repeats = [same(new[cell.key], old[cell.key]) for cell in known if cell.key in new]
        if waiting and known and not repeats:
            waiting = [cell for cell in waiting if cell is known[0] or cell.key not in old]
        elif all(repeats):
            waiting = [cell for cell in waiting if cell.key not in old]
        found += waiting
    return found


def merged(cells: list[CellSpec], new: Rows, old: Rows) -> pl.DataFrame:
    """The rows of all `cells`, those at hand first. Raises BenchError where `missing` names a cell."""
    lacking = missing(cells, new, old)
    if lacking:
        raise BenchError(f"{lacking[0].path} and {len(lacking) - 1} more: missing; --missing names all, run them")
    hashes = {kind(cell): new[cell.key]["config_hash"][0] for cell in cells if cell.key in new}
    taken = {
        cell.key: old[cell.key].with_columns(config_hash=pl.lit(hashes[kind(cell)]))
        for cell in cells
        if cell.key not in new
    }
    return pl.concat((new | taken)[cell.key] for cell in cells)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.plan.merge_scores", description=__doc__.partition(":")[0])
    parser.add_argument("--grid", required=True, type=Path, help="a grid, e.g. config/transfer.yaml")
    parser.add_argument("--data", default=Path("data"), type=Path, help="folder with parquet/ and splits/")
    parser.add_argument("--scores", type=Path, help="scores to merge with (default: results/<grid>/scores.parquet)")
    parser.add_argument("--missing", action="store_true", help="write nothing; name the predictions still to be made")
    args = parser.parse_args()
    grid = grids.load_grid(args.grid)
    cells, path, data = (
        list(grid.cells),
        args.scores or Path("results") / grid.name / "scores.parquet",
        score.Data(args.data),
    )
    at_hand = [cell for cell in cells if Path(cell.path).is_file()]
    new, old = by_cell(score.score(at_hand, data)), by_cell(score_table.read(path)) if path.is_file() else {}
    if args.missing:
        print(*(cell.path for cell in missing(cells, new, old)))
        return
    rows = merged(cells, new, old)
    before = messages.parse(io.read_meta(path).get("messages")) if path.is_file() else {}
    ended_ill = {
        messages.key(cell): before[messages.key(cell)]
        for cell in cells
        if messages.key(cell) in before and cell.key not in new
    }
    about = (
        label_noise.dump(label_noise.of_cells(cells, data)),
        messages.dump(ended_ill | messages.of_cells(at_hand)),
        likeness.dump(likeness.of_cells(cells, data)),
    )
    score_table.write(path, rows, *about)
    taken = len(cells) - len(new)
    print(f"{path}: {len(new):,} cells scored, the rows of {taken:,} taken over")


if __name__ == "__main__":
    run_cli(main)
