"""Which figures a board has, drawn and saved: one list a table, and those of the whole grid under the name "".

The Markdown board shows what can be drawn again from the files that git keeps, as PNG in plots/. html/ has everything
as SVG with its data, and the figures that need predictions besides.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from tqdm import tqdm

from pipeline.config.cell_spec import CellSpec
from pipeline.config.nasflat import NASFLAT
from pipeline.core import io
from pipeline.core.names import is_focus
from pipeline.report.format import TITLES, number
from pipeline.report.page import Picture
from pipeline.report.plots import attention as attention_plot
from pipeline.report.plots import curves, devices, ranks, scatter, style, transfer
from pipeline.report.plots.style import Drawn
from pipeline.report.sections import provenance_line
from pipeline.score import transfer as numbers
from pipeline.score.score import Data, read_predictions
from pipeline.score.scores import Scores
from pipeline.score.tables import Table

ATTENTION = "what NN-Former looks at"
OF_TABLE = (
    "quality against labels", "quality against training time", "families left out", "what variants change",
    "MAPE by device", "Acc(10 %) by device", "adaptation to a new device",
)  # fmt: skip
SCATTER = "predicted against true"
BY_TARGET = "transfer by device"
ALIKE = "how alike devices are"


def of_table(table: Table, scores: Scores) -> dict[str, Drawn]:
    """The figures of a table that its scores give, by name; those with nothing to show are left out."""
    if table.protocol in NASFLAT:  # the grid has figures of these
        return {}
    several = table.is_cost and len(table.devices) > 1
    adapts = table in numbers.adaptation([table])
    drawn = (
        None if adapts else curves.by_size(table),
        curves.by_cost(table),
        devices.by_family(table, scores.comparisons[table.name]) if table.is_cost else None,
        ranks.forest(table),
        devices.by_device(table, "mape") if several else None,
        devices.by_device(table, "acc10") if several else None,
        transfer.adaptation(table) if adapts else None,
    )
    return {name: figure for name, figure in zip(OF_TABLE, drawn, strict=True) if figure is not None}


def of_transfer(scores: Scores) -> dict[str, tuple[Drawn, str]]:
    """The figures of transfer of a grid and what made them, by name; none where it has no such tasks."""
    tasks, found = scores.headline.transfer, {}
    for dataset in dict.fromkeys(task.table.dataset for task in tasks):
        most = max(task.size.n_train for task in tasks)
        shown = [task for task in tasks if task.table.dataset == dataset and task.size.n_train == most]
        drawn = transfer.by_target(shown) if shown else None
        if drawn:
            found[f"{BY_TARGET} {dataset}"] = drawn, provenance_line(shown[0].table)
    versions = {table.dataset: table.version for table in scores.tables}
    for likeness in scores.likeness:
        made_with = f"data {likeness.dataset} version {versions.get(likeness.dataset)}"
        found[f"{ALIKE} {likeness.dataset}"] = transfer.alike(likeness), made_with
    return found


def transfer_names(scores: Scores) -> list[str]:
    """The names that `of_transfer` may give."""
    datasets = dict.fromkeys(task.table.dataset for task in scores.headline.transfer)
    names = [f"{BY_TARGET} {dataset}" for dataset in datasets]
    return names + [f"{ALIKE} {likeness.dataset}" for likeness in scores.likeness]


def scatter_panels(table: Table, data: Path, cells: tuple[CellSpec, ...]) -> list[scatter.Panel]:
    """(title, predicted, true) on held-out graphs, first seed, largest size: the best predictor and NN-Former; with
    several devices the best predictor on each of the first six. [] where a predictions file is not here."""
    order = table.ranked_at(table.sizes[-1])
    if not order:
        return []
    if len(table.devices) > 1:
        shown_pairs = [(order[0], device) for device in table.devices[:6]]
    else:
        focus = [p for p in order if is_focus(p) and p != order[0]]
        shown_pairs = [(p, table.devices[0]) for p in [order[0], *(focus or order[1:])[:1]]]
    panels = []
    for predictor, device in shown_pairs:
        key = (
            table.dataset,
            table.protocol,
            table.target,
            device,
            predictor,
            str(table.sizes[-1].budget),
            table.seeds[0],
        )
        cell = next(c for c in cells if c.key == key)
        if not Path(cell.path).is_file():
            return []
        where = f" on {device}" if len(table.devices) > 1 else ""
        quality = table.stat(predictor, table.sizes[-1], table.metric, "test", device)
        metric = TITLES[table.metric].removeprefix("Kendall's ")
        shown = f"{metric} {number(quality.values[0], table.metric)}"
        panels.append((f"{predictor}{where}, {shown}", *predicted_and_true(cell, table.scored_on, Data(data))))
    return panels


def predicted_and_true(cell: CellSpec, scored_on: str, data: Data) -> tuple[np.ndarray, np.ndarray]:
    """Predictions of one cell and the labels of its held-out graphs, both of shape (m,)."""
    labels = data.labels(cell.dataset, scored_on, cell.device, cell.budget.faulty)
    split_masks = data.split_masks(cell, scored_on)
    predictions = read_predictions(Path(cell.path), len(data.graphs(cell.dataset)), "ok")
    return predictions[labels.ids[split_masks["test"]]], labels.values[split_masks["test"]]


def file_name(table_or_grid: str, figure: str) -> str:
    """File name, without suffix, of a figure."""
    letters = "".join(c for c in figure if c.isalnum() or c == " ")
    return f"{table_or_grid}-{'-'.join(letters.split())}"


class _Folder:
    """A board's folder while its figures are drawn: plots/ and html/."""

    def __init__(self, board: Path, grid: str):
        self.plots, self.html, self.grid = board / "plots", board / "html", grid
        self.plots.mkdir(parents=True, exist_ok=True)  # there even when no cell has a number to draw
        self.pictures: dict[str, list[Picture]] = {}
        self.written: set[Path] = set()

    def save(self, table: str, name: str, figure: Drawn, made_with: str, on_markdown: bool) -> None:
        """Save a figure of a table, or of the grid where that is "", and list it."""
        file = file_name(table or self.grid, name)
        png = self.plots / f"{file}.png" if on_markdown else None
        self.written.update(style.save(figure, made_with, png, self.html / f"{file}.svg"))
        self.pictures.setdefault(table, []).append(Picture(name, file, png=on_markdown))

    def remove_others(self) -> None:
        """Remove figures of earlier grids."""
        others = [*self.plots.glob("*.png"), *self.html.glob("*.svg"), *self.html.glob("*-*.csv")]
        for path in others:
            if path not in self.written:
                path.unlink()


def draw(scores: Scores, data: Path, board: Path, attention: Path | None = None) -> dict[str, list[Picture]]:
    """Draw all figures into `board`, a folder, and remove those of earlier grids; returns them by table.

    `attention` is a table of pipeline.train.attention.
    """
    folder, missing = _Folder(board, scores.grid.name), []
    with style.style():
        for ranking in scores.rankings:
            diagram = ranks.rank_diagram(ranking)
            if diagram:
                made_with = "\n".join(provenance_line(table) for table in ranking.tables)
                folder.save("", f"mean rank by {ranking.metric}", diagram, made_with, True)
        for name, (figure, made_with) in of_transfer(scores).items():
            folder.save("", name, figure, made_with, True)
        if attention and io.read_meta(attention).get("status", "ok") == "ok":
            synthetic = {table.dataset for table in scores.tables if table.synthetic}
            folder.save("", ATTENTION, *attention_plot.picture(attention, synthetic), True)
        for table in tqdm(scores.tables, desc="plots", unit="table"):
            made_with = provenance_line(table)
            for name, figure in of_table(table, scores).items():
                folder.save(table.name, name, figure, made_with, table in scores.compared_tables)
            panels = scatter_panels(table, data, scores.grid.cells)
            if panels:
                folder.save(table.name, SCATTER, scatter.scatter(table, panels), made_with, False)
            elif table.ranked_at(table.sizes[-1]):
                missing.append(table.name)
    if missing:
        print(
            f"{board}: predictions are not here, so html/ has no scatter plot of {', '.join(missing)}", file=sys.stderr
        )
    folder.remove_others()
    return folder.pictures


def committed_pictures(scores: Scores, board: Path) -> dict[str, list[Picture]]:
    """The figures of the Markdown board that stand in `board`, as `draw` would list them had it drawn these."""
    names = [
        ("", name)
        for name in (*(f"mean rank by {r.metric}" for r in scores.rankings), *transfer_names(scores), ATTENTION)
    ]
    names += [(table.name, name) for table in scores.tables for name in OF_TABLE]
    pictures: dict[str, list[Picture]] = {}
    for table, name in names:
        file = file_name(table or scores.grid.name, name)
        if (board / "plots" / f"{file}.png").is_file():
            pictures.setdefault(table, []).append(Picture(name, file))
    return pictures
