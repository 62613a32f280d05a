"""Scores to a board: python -m pipeline.report --scores results/G/scores.parquet --grid config/G.yaml --out results/G

Writes leaderboard.md, metrics.json and plots/. The same scores give the same bytes.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

import numpy as np
import polars as pl
from tqdm import tqdm

from pipeline import board, datasets, io, plots, published, score_rows, summary
from pipeline import grid as grids
from pipeline.errors import BenchError, run_cli
from pipeline.score import Data, read_predictions
from pipeline.summary import Table

DEFAULT_GRID = "benchmark"
TERMS = """
- **Predictor**: a model that guesses how well (or how fast) a network will do from its graph alone.
- **Labels**: networks whose true value the predictor was given. `125 + 31 val` means 31 more were held back to choose
  settings or an epoch; the whole budget is shown. No choice ever sees a test label.
- **Kendall's τ** (tau-b): agreement of two rankings, from -1 over 0 (chance) to 1.
- **MAPE**: mean absolute percentage error; lower is better. **Acc(10 %)**: share predicted within 10 % of the truth.
- **all**: every labelled network, training networks included, as papers report it. **test**: networks held out by the
  split. **novel**: networks whose isomorphism class is not in the training set, so that nothing was seen before.
- **Fit, CPU-s**, **Predict, s**, **Parameters**: processor time of one training, time to predict the whole data set,
  and learned numbers; each at the largest size.
- **±**: sample standard deviation over seeds. A seed draws the split, the training set and the initial weights.
- **–**: not run. **undefined**: no ranking exists, as all predictions are equal. **diverged**, **timeout**,
  **unsupported**: the run ended that way.
""".strip()
HEAT_MAP = "error by device"


def figures(table: Table, data: Path, cells: tuple[grids.Cell, ...]) -> dict[str, plots.Figure]:
    """The figures of a table by name; those with nothing to show are left out."""
    drawn = {"quality against labels": plots.by_size(table), "quality against training time": plots.by_cost(table)}
    if table.is_cost and len(table.devices) > 1:
        drawn[HEAT_MAP] = plots.by_device(table)
    panels = scatter_panels(table, data, cells)
    if panels:
        drawn["predicted against true"] = plots.scatter(table, panels)
    return {name: figure for name, figure in drawn.items() if figure is not None}


def scatter_panels(table: Table, data: Path, cells: tuple[grids.Cell, ...]) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """(title, predicted, true) on held-out graphs, first seed, largest size: the best predictor and NN-Former; with
    several devices the best predictor on each of the first six. Files that are not here are left out, and said so."""
    order = table.ranked_at(table.sizes[-1])
    if not order:
        return []
    if len(table.devices) > 1:
        wanted = [(order[0], device) for device in table.devices[:6]]
    else:
        mission = [p for p in order if grids.predictor_of(p) == board.MISSION and p != order[0]]
        wanted = [(p, table.devices[0]) for p in [order[0], *(mission or order[1:])[:1]]]
    panels = []
    for predictor, device in wanted:
        key = (table.dataset, table.protocol, table.target, device, predictor, table.sizes[-1].fraction, table.seeds[0])
        cell = next(c for c in cells if (c.dataset, c.protocol, c.target, c.device, c.label, c.train, c.seed) == key)
        if not Path(cell.path).is_file():
            print(f"{cell.path}: not here, so its scatter plot is left out", file=sys.stderr)
            continue
        where = f" on {device}" if len(table.devices) > 1 else ""
        quality = table.stat(predictor, table.sizes[-1], table.metric, "test", device)
        metric = board.TITLES[table.metric].removeprefix("Kendall's ")
        shown = f"{metric} {board.number(quality.values[0], table.metric)}"
        panels.append((f"{predictor}{where}, {shown}", *predicted_and_true(cell, table.scored_on, Data(data))))
    return panels


def predicted_and_true(cell: grids.Cell, scored_on: str, data: Data) -> tuple[np.ndarray, np.ndarray]:
    """Predictions of one cell and the labels of its held-out graphs, both of shape (m,)."""
    labels = data.labels(cell.dataset, scored_on, cell.device)
    held_out = data.masks(cell.dataset, cell.target, scored_on, cell.device, cell.seed, cell.train, cell.sources)[
        "test"
    ]
    predictions = read_predictions(Path(cell.path), len(data.graphs(cell.dataset)), "ok")
    return predictions[labels.ids[held_out]], labels.values[held_out]


def section(table: Table, pictures: dict[str, str], known: list[published.Figure], to_root: str) -> list[str]:
    """The part of the board on one table. `pictures` maps a figure's name to its path without suffix; `known` are the
    published figures, `to_root` is the path from the board to the project's root."""
    about, n_seeds = table.about, len(table.seeds)
    seeds = f"mean ± sd over {n_seeds} seeds" if n_seeds > 1 else "one seed"
    trained = f"Trained on `{table.target}`, scored on `{table.scored_on}`"
    if table.target == table.scored_on:
        trained = f"Trained and scored on `{table.target}`"
    lines = [f"## {board.title(table)}", ""]
    if table.synthetic:
        lines += ["> **SYNTHETIC LABELS: test only. No number in this section says anything about any predictor.**", ""]
    lines += [f"{about.description}. {trained} (protocol `{table.protocol}`)."]
    ceilings = [c for c in about.ceilings if {table.scored_on, table.target} & set(c.between.split())]
    if ceilings:
        values = "; ".join(f"{c.between}: τ {c.kendall_tau:.3f}" for c in ceilings)
        lines += ["", f"Noise ceiling, how well two sets of labels of the same networks agree: {values}."]
    devices = f" (mean of {len(table.devices)} devices)" if len(table.devices) > 1 else ""
    metric = board.TITLES[table.metric]
    lines += [
        "",
        f"**{metric}{devices}, split `{table.split}`**; {seeds}; higher is better; best mean over sizes first:",
        "",
    ]
    lines += [*board.main_table(table), ""]
    if table.is_cost:
        lines += [f"MAPE (%, lower is better) / Kendall's τ, split `{table.split}`:", ""]
        lines += [*board.pair_table(table, [(metric, table.split) for metric in ("mape", "kendall_tau")]), ""]
        near_zero = board.near_zero_devices(table)
        if near_zero:
            cards = f"[data cards]({to_root}docs/data_cards.md)"
            lines += [f"A few labels near zero decide the MAPE on {', '.join(near_zero)} and its mean ({cards})."]
            lines += ["Predictors are ordered by Acc(10 %), which such labels can't move far.", ""]
    lines += [f"{metric} on networks not trained on, `test` / `novel`:", ""]
    lines += [*board.pair_table(table, [(table.metric, "test"), (table.metric, "novel")]), ""]
    if len(table.devices) > 1:
        for size in table.sizes:
            opened = " open" if size == table.sizes[-1] else ""
            keys = f"MAPE / Acc(10 %) / {'ρ' if table.metric == 'spearman' else 'τ'}, split <code>{table.split}</code>"
            caption = f"By device, {board.labels(size)} labels a device: {keys}"
            lines += [f"<details{opened}><summary>{caption}</summary>", "", *board.device_table(table, size)]
            lines += ["", "</details>", ""]
    failed = board.failures(table)
    if failed:
        lines += ["Cells without a number:", "", *failed, ""]
    compared = board.published_table(table, known)
    if compared:
        lines += [
            f"Published figures beside ours (split `{table.split}`, scored on `{table.scored_on}`):",
            "",
            *compared,
            "",
        ]
    for name, path in pictures.items():
        lines += [f"[![{board.title(table)}: {name}]({path}.png)]({path}.svg)", ""]
    return lines


def provenance(grid: grids.Grid, rows: pl.DataFrame, found: list[Table], link: str) -> list[str]:
    """What made the numbers: command, versions, machine."""

    def distinct(column: str) -> str:
        values = sorted(str(v) for v in rows[column].drop_nulls().unique())
        return ", ".join(values) if values else board.MISSING

    path = Path(os.path.relpath(grid.path)).as_posix()
    command = "make leaderboard" if grid.name == DEFAULT_GRID else f"snakemake --cores all --configfile {path}"
    versions = {table.dataset: table.version for table in found}
    cells = rows.select("dataset", "target", "device", "predictor", "fraction", "seed").unique().height
    facts = [
        ["Command", f"`{command}`"],
        ["Grid", f"[{path}]({link}{path}): {cells} runs"],
        ["Data", "; ".join(f"{name} version {version}" for name, version in versions.items())],
        ["Seeds", distinct("seed")],
        ["Code", distinct("code_rev")],
        ["PyTorch", f"{distinct('torch_version')} on {distinct('torch_device')}"],
        ["Processor", distinct("host_cpu")],
        ["Graphics processor", distinct("host_gpu")],
        ["Last run finished", str(rows["finished_at"].drop_nulls().max() or board.MISSING)],
    ]
    return board.markdown(["", ""], facts, "ll")


def page(
    grid: grids.Grid, rows: pl.DataFrame, found: list[Table], drawn: dict[str, list[str]], place: Path, out: Path
) -> str:
    """The whole board as it stands at `place`; the plots are under `out`."""
    at_root = place.parent != out
    to_plots = f"{out.name}/plots" if at_root else "plots"
    known, to_root = published.load(), "../" if at_root else "../../"
    pictures = {
        table.name: {name: f"{to_plots}/{file_name(table, name)}" for name in drawn.get(table.name, [])}
        for table in found
    }
    first = pictures[found[0].name]
    lines = [
        f"# Leaderboard: {grid.name}",
        "",
        "Each predictor sees the labels of a few networks and predicts all the others.",
        "",
    ]
    if any(table.synthetic for table in found):
        lines += ["> **SYNTHETIC LABELS: test only.** Labels of the data sets so marked are made up.", ""]
    lines += [*board.glance(found), ""]
    if "quality against labels" in first:
        path = first["quality against labels"]
        lines += [f"[![{board.title(found[0])}: quality against labels]({path}.png)]({path}.svg)", ""]
    others = other_boards(place, out) if at_root else []
    if others:
        lines += ["Other boards: " + " · ".join(f"[{name}]({name}/leaderboard.md)" for name in others), ""]
    for position, table in enumerate(found):
        shown = {n: p for n, p in pictures[table.name].items() if position or n != "quality against labels"}
        lines += section(table, shown, known, to_root)
    lines += ["## Terms", "", TERMS, "", "## How this was made", ""]
    lines += provenance(grid, rows, found, to_root)
    return "\n".join(lines) + "\n"


def other_boards(place: Path, out: Path) -> list[str]:
    """Grids beside `out` that have a board."""
    boards = sorted(place.parent.glob("*/leaderboard.md"))
    return [path.parent.name for path in boards if path.parent.name != out.name]


def file_name(table: Table, figure: str) -> str:
    """File name, without suffix, of a table's figure."""
    return f"{table.name}-{figure.replace(' ', '-')}"


def metrics_json(found: list[Table]) -> dict:
    """{dataset/scored_on: {predictor: {size: tau}}}, split `all`, mean over seeds (and devices); without empty cells.

    Under a protocol other than direct its name stands between: nasbench201/tnasp/test_acc.
    """
    nested: dict = {}
    for table in found:
        protocol = "" if table.protocol == "direct" else f"{table.protocol}/"
        at = nested.setdefault(f"{table.dataset}/{protocol}{table.scored_on}", {})
        for predictor in table.predictors:
            for size in table.sizes:
                mean = table.stat(predictor, size, "kendall_tau", table.split).mean
                if mean is not None:
                    at.setdefault(predictor, {})[size.fraction] = round(mean, 6)
    return nested


def write_plots(found: list[Table], grid: grids.Grid, data: Path, folder: Path) -> dict[str, list[str]]:
    """Draw all figures into `folder` and remove figures of earlier grids; returns the names drawn for each table."""
    drawn, kept = {}, set()
    folder.mkdir(parents=True, exist_ok=True)
    with plots.style():
        for table in tqdm(found, desc="plots", unit="table"):
            pictures = figures(table, data, grid.cells)
            drawn[table.name] = list(pictures)
            for name, figure in pictures.items():
                kept.update(plots.save(figure, folder, file_name(table, name)))
    for path in folder.iterdir():
        if path.suffix in (".svg", ".png") and path not in kept:
            path.unlink()
    return drawn


def main() -> None:
    """Command line of the reporting step."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.report", description="Write the board of a grid.")
    parser.add_argument("--scores", required=True, type=Path, help="table of scores (pipeline.score)")
    parser.add_argument("--grid", required=True, type=Path, help="the grid the scores are of")
    parser.add_argument("--data", default=Path("data"), type=Path, help="folder with parquet/ and splits/")
    parser.add_argument("--out", required=True, type=Path, help="folder of the board, e.g. results/benchmark")
    parser.add_argument("--root-board", type=Path, help="also write the board here, e.g. results/leaderboard.md")
    args = parser.parse_args()
    if args.root_board and args.root_board.parent.resolve() != args.out.parent.resolve():
        raise BenchError(f"--root-board {args.root_board}: must be in the folder that holds {args.out}")
    grid, rows = grids.load_grid(args.grid), score_rows.read(args.scores)
    found = summary.tables(grid, rows, datasets.load(), args.scores)
    drawn = write_plots(found, grid, args.data, args.out / "plots")
    for place in filter(None, (args.out / "leaderboard.md", args.root_board)):
        io.write_bytes(place, page(grid, rows, found, drawn, place, args.out).encode())
    io.write_bytes(args.out / "metrics.json", (json.dumps(metrics_json(found), indent=2) + "\n").encode())


if __name__ == "__main__":
    run_cli(main)
