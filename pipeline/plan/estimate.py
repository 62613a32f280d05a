"""What a grid will cost before it is run: python -m pipeline.plan.estimate --grid config/full/paper.yaml

CPU time of a cell is that of the same predictor in the scores at hand (results/*/scores.parquet): to fit, interpolated
between the measured numbers of labels and in proportion beyond; to predict, in proportion to the networks. Starting a
job comes on top. Nothing is guessed: predictors that were never timed are named and left out of the sum.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from pipeline.config import datasets
from pipeline.config.cell_spec import CellSpec
from pipeline.config.grid import Grid, load_grid
from pipeline.core.errors import BenchError, run_cli
from pipeline.score import score_table


@dataclass(frozen=True)
class Timing:
    """CPU seconds to fit at each number of labels (ascending), and to predict one network.

    ``transfers``: whether labels of other devices were among them.
    """

    labels: np.ndarray
    fit_s: np.ndarray
    predict_s: float
    transfers: bool = False

    def cell_s(self, n: int, n_graphs: int) -> float:
        """CPU seconds of a cell that trains on ``n`` labels and predicts ``n_graphs`` networks."""
        fit = float(np.interp(n, self.labels, self.fit_s)) * max(1.0, n / self.labels[-1])
        return fit + self.predict_s * n_graphs


def timings(scores: list[Path], n_graphs: dict[str, int]) -> dict[str, Timing]:
    """Timings by predictor label, of all runs that ended well. ``n_graphs``: networks of each data set."""
    runs = [score_table.read(path).filter(pl.col("split") == "run", pl.col("status") == "ok") for path in scores]
    if not runs:
        return {}
    rows = pl.concat(runs).with_columns(n=pl.col("n_train") + pl.col("n_source"))
    fit = rows.filter(pl.col("metric") == "fit_cpu_s").group_by("predictor", "n")
    fit = fit.agg(pl.col("value").mean(), source=(pl.col("n_source") > 0).any()).sort("n")
    predict = rows.filter(pl.col("metric") == "predict_cpu_s", pl.col("dataset").is_in(list(n_graphs)))
    seconds_a_graph = defaultdict(list)
    for name, dataset, seconds in predict.select("predictor", "dataset", "value").iter_rows():
        seconds_a_graph[name].append(seconds / n_graphs[dataset])
    return {
        name: Timing(
            part["n"].to_numpy(), part["value"].to_numpy(), float(np.mean(seconds_a_graph[name])), part["source"].any()
        )
        for (name,), part in fit.group_by("predictor", maintain_order=True)
        if name in seconds_a_graph
    }


def cell_labels(cell: CellSpec, about: datasets.Dataset, transfers: bool) -> int:
    """Labels the cell trains on, those of other devices where its predictor ``transfers``.

    Where the data decide, at most one of every network.
    """
    own = cell.budget.n_labels(about.n_graphs)
    sources = cell.sources if transfers else None
    others = len(sources.besides(cell.device)) * (sources.labels or about.n_graphs) if sources else 0
    return others + (about.n_graphs if own is None else own)


def table(grid: Grid, known: dict[str, datasets.Dataset], timed: dict[str, Timing], finished: set[str]) -> list[str]:
    """Lines to print: a line a predictor, the sum, and what it leaves out. ``finished``: paths of cells."""
    cells, to_run, hours = defaultdict(int), defaultdict(int), defaultdict(float)
    for cell in grid.cells:
        cells[cell.label] += 1
        if cell.path in finished:
            continue
        to_run[cell.label] += 1
        if cell.label in timed:
            about = known[cell.dataset]
            timing = timed[cell.label]
            labels = cell_labels(cell, about, timing.transfers)
            hours[cell.label] += timing.cell_s(labels, about.n_graphs) / 3600
    width = max(len(name) for name in [*cells, "predictor"])
    lines = [f"{'predictor':{width}}  {'cells':>6}  {'to run':>6}  {'CPU-hours':>9}"]
    for name in cells:
        cost = f"{hours[name]:9.2f}" if name in timed or not to_run[name] else f"{'not timed':>9}"
        lines.append(f"{name:{width}}  {cells[name]:6}  {to_run[name]:6}  {cost}")
    lines.append(f"{'sum':{width}}  {sum(cells.values()):6}  {sum(to_run.values()):6}  {sum(hours.values()):9.2f}")
    missing = [name for name in cells if to_run[name] and name not in timed]
    if missing:
        lines.append(f"The sum leaves out {sum(to_run[n] for n in missing)} cells of: {', '.join(missing)}.")
        lines.append("They were never timed here: run a small grid with them, such as config/nasbench201.yaml, first.")
    return lines


def main() -> None:
    """Command line: print the estimate."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.plan.estimate", description=__doc__.partition("\n")[0])
    arguments(parser)
    run(parser.parse_args())


def arguments(parser: argparse.ArgumentParser) -> None:
    """Let `parser` take what `run` needs."""
    parser.add_argument("--grid", required=True, type=Path, help="a grid, e.g. config/full/paper.yaml")
    parser.add_argument("--results", default=Path("results"), type=Path, help="folder with <grid>/scores.parquet")


def run(args: argparse.Namespace) -> None:
    """Print the estimate that the command line asks for. Raises BenchError; `args` as `arguments` has them."""
    grid, known = load_grid(args.grid), datasets.load()
    scores = sorted(args.results.glob("*/scores.parquet"))
    if not scores:
        raise BenchError(f"{args.results}: no <grid>/scores.parquet to take timings from; run a grid first")
    timed = timings(scores, {name: about.n_graphs for name, about in known.items()})
    finished = {cell.path for cell in grid.cells if Path(cell.path).is_file()}
    print("\n".join(table(grid, known, timed, finished)))


if __name__ == "__main__":
    run_cli(main)
