"""Which figures a board has, drawn and saved: one list a table, and those of the whole grid under the name ""."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from tqdm import tqdm

from pipeline.config import grid as grids
from pipeline.config.cell_spec import CellSpec
from pipeline.core import io
from pipeline.core.names import predictor_of
from pipeline.report.format import MISSION, TITLES, number
from pipeline.report.page import Picture
from pipeline.report.plots import attention as attention_plot
from pipeline.report.plots import curves, devices, ranks, scatter, style
from pipeline.report.plots.style import Drawn
from pipeline.report.sections import provenance_line
from pipeline.score import published, ranking
from pipeline.score.score import Data, read_predictions
from pipeline.score.tables import Table

ATTENTION = "what NN-Former looks at"
SUFFIXES = (".svg", ".png", ".csv")


def of_table(table: Table, data: Path, cells: tuple[CellSpec, ...], known: list[published.Figure]) -> dict[str, Drawn]:
    """The figures of a table by name; those with nothing to show are left out."""
    drawn = {
        "quality against labels": curves.by_size(table),
        "quality against training time": curves.by_cost(table),
        "families left out": devices.by_family(table, known) if table.is_cost else None,
        "what variants change": ranks.forest(table),
    }
    if table.is_cost and len(table.devices) > 1:
        drawn["MAPE by device"] = devices.by_device(table, "mape")
        drawn["Acc(10 %) by device"] = devices.by_device(table, "acc10")
    panels = scatter_panels(table, data, cells)
    if panels:
        drawn["predicted against true"] = scatter.scatter(table, panels)
    return {name: figure for name, figure in drawn.items() if figure is not None}


def scatter_panels(table: Table, data: Path, cells: tuple[CellSpec, ...]) -> list[scatter.Panel]:
    """(title, predicted, true) on held-out graphs, first seed, largest size: the best predictor and NN-Former; with
    several devices the best predictor on each of the first six. Files that are not here are left out, and said so."""
    order = table.ranked_at(table.sizes[-1])
    if not order:
        return []
    if len(table.devices) > 1:
        wanted = [(order[0], device) for device in table.devices[:6]]
    else:
        mission = [p for p in order if predictor_of(p) == MISSION and p != order[0]]
        wanted = [(p, table.devices[0]) for p in [order[0], *(mission or order[1:])[:1]]]
    panels = []
    for predictor, device in wanted:
        key = (table.dataset, table.protocol, table.target, device, predictor, table.sizes[-1].fraction, table.seeds[0])
        cell = next(
            c for c in cells if (c.dataset, c.protocol, c.target, c.device, c.label, str(c.budget), c.seed) == key
        )
        if not Path(cell.path).is_file():
            print(f"{cell.path}: not here, so its scatter plot is left out", file=sys.stderr)
            continue
        where = f" on {device}" if len(table.devices) > 1 else ""
        quality = table.stat(predictor, table.sizes[-1], table.metric, "test", device)
        metric = TITLES[table.metric].removeprefix("Kendall's ")
        shown = f"{metric} {number(quality.values[0], table.metric)}"
        panels.append((f"{predictor}{where}, {shown}", *predicted_and_true(cell, table.scored_on, Data(data))))
    return panels


def predicted_and_true(cell: CellSpec, scored_on: str, data: Data) -> tuple[np.ndarray, np.ndarray]:
    """Predictions of one cell and the labels of its held-out graphs, both of shape (m,)."""
    labels = data.labels(cell.dataset, scored_on, cell.device)
    masks = data.masks(cell, scored_on)
    predictions = read_predictions(Path(cell.path), len(data.graphs(cell.dataset)), "ok")
    return predictions[labels.ids[masks["test"]]], labels.values[masks["test"]]


def file_name(of: str, figure: str) -> str:
    """File name, without suffix, of a figure."""
    kept = "".join(c for c in figure if c.isalnum() or c == " ")
    return f"{of}-{'-'.join(kept.split())}"


def draw(
    tables: list[Table],
    grid: grids.Grid,
    data: Path,
    folder: Path,
    known: list[published.Figure],
    attention: Path | None = None,
) -> dict[str, list[Picture]]:
    """Draw all figures into `folder` and remove figures of earlier grids; returns them by table.

    `attention` is a table of pipeline.train.attention.
    """
    drawn: dict[str, list[Picture]] = {}
    kept: set[Path] = set()
    folder.mkdir(parents=True, exist_ok=True)

    def keep(of: str, figures: dict[str, Drawn], made_with: str) -> None:
        for name, figure in figures.items():
            file = file_name(of or grid.name, name)
            kept.update(style.save(figure, folder, file, made_with))
            drawn.setdefault(of, []).append(Picture(name, file))

    with style.style():
        for found in ranking.rankings(tables):
            diagram = ranks.rank_diagram(found)
            if diagram:
                made_with = "\n".join(provenance_line(table) for table in found.tables)
                keep("", {f"mean rank by {found.metric}": diagram}, made_with)
        if attention and io.read_meta(attention).get("status", "ok") == "ok":
            synthetic = {table.dataset for table in tables if table.synthetic}
            figure, made_with = attention_plot.picture(attention, synthetic)
            keep("", {ATTENTION: figure}, made_with)
        for table in tqdm(tables, desc="plots", unit="table"):
            keep(table.name, of_table(table, data, grid.cells, known), provenance_line(table))
    for path in folder.iterdir():
        if path.suffix in SUFFIXES and path not in kept:
            path.unlink()
    return drawn


def found(tables: list[Table], grid: grids.Grid, folder: Path) -> dict[str, list[Picture]]:
    """The figures that stand in `folder`, as `draw` would list them had it drawn these."""
    names = [*(f"mean rank by {r.metric}" for r in ranking.rankings(tables)), ATTENTION]
    of_tables = [
        "quality against labels", "quality against training time", "families left out", "what variants change",
        "MAPE by device", "Acc(10 %) by device", "predicted against true",
    ]  # fmt: skip
    wanted = [("", name) for name in names] + [(table.name, name) for table in tables for name in of_tables]
    there: dict[str, list[Picture]] = {}
    for of, name in wanted:
        file = file_name(of or grid.name, name)
        if all((folder / f"{file}{suffix}").is_file() for suffix in SUFFIXES):
            there.setdefault(of, []).append(Picture(name, file))
    return there
