"""Predicted against true on held-out graphs, with the residuals below."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap

from pipeline.core import targets
from pipeline.report.plots.style import Drawn, suptitle
from pipeline.score.tables import Table

BLUE = "#0072B2"
Panel = tuple[str, np.ndarray, np.ndarray]  # title, predicted (m,), true (m,)


def scatter(table: Table, panels: list[Panel]) -> Drawn:
    """One column a panel, at most three a row: predicted against true, and predicted less true below it."""
    columns = min(len(panels), 3)
    n_rows = -(-len(panels) // columns)
    wide, high = 4.1 * columns + 0.4, 5.4 * n_rows + 0.6
    figure = plt.figure(figsize=(wide, high))
    cells = figure.add_gridspec(
        3 * n_rows, columns, height_ratios=[3, 1, 0.6] * n_rows, left=0.7 / wide, right=1 - 0.1 / wide,
        bottom=0.0, top=1 - 0.95 / high, wspace=0.26, hspace=0.06,
    )  # fmt: skip
    for k, panel in enumerate(panels):
        row, column = 3 * (k // columns), k % columns
        _panel(figure.add_subplot(cells[row, column]), figure.add_subplot(cells[row + 1, column]), table, *panel)
    suptitle(figure, table, f"{table.scored_on}, held-out graphs, {table.sizes[-1].n_train:,} labels")
    parts = [
        pl.DataFrame({"true": true, "predicted": predicted}).select(pl.lit(name).alias("panel"), "true", "predicted")
        for name, predicted, true in panels
    ]
    return Drawn(figure, pl.concat(parts))


def _panel(above: Axes, below: Axes, table: Table, name: str, predicted: np.ndarray, true: np.ndarray) -> None:
    """Axes leave out the worst tenth of accuracies or the extremes of costs, and count what is outside."""
    low, high = np.percentile(true, [0.5, 99.5] if table.is_cost else [10.0, 100.0])
    pad = 0.05 * (high - low) or 1.0
    low, high = low - pad, high + pad
    inside = (true >= low) & (true <= high) & (predicted >= low) & (predicted <= high)
    residual = (predicted - true)[inside]
    reach = float(np.percentile(np.abs(residual), 99.0)) * 1.1 if residual.size else 0.0
    reach = reach or 1.0
    _points(above, true[inside], predicted[inside], (low, high, low, high), 32)
    _points(below, true[inside], residual, (low, high, -reach, reach), (32, 8))
    unit = targets.unit(table.scored_on)
    above.plot([low, high], [low, high], color="#333333", lw=0.9, ls=(0, (4, 3)))
    above.set(xlim=(low, high), ylim=(low, high), ylabel=f"predicted, {unit}")
    above.tick_params(labelbottom=False)
    below.axhline(0.0, color="#333333", lw=0.9, ls=(0, (4, 3)))
    below.set(xlim=(low, high), ylim=(-reach, reach), xlabel=f"true, {unit}", ylabel=f"residual, {unit}")
    outside = f"\n{(~inside).sum():,} outside the frame" if not inside.all() else ""
    text = f"{len(true):,} graphs{outside}"
    above.text(0.03, 0.97, text, transform=above.transAxes, va="top", fontsize=8.5, color="#444444")
    above.set_title(name, fontsize=10, fontweight="normal")


def _points(ax: Axes, x: np.ndarray, y: np.ndarray, extent: tuple[float, ...], cells: int | tuple[int, int]) -> None:
    """A density of hexagons, `cells` of them across, or single points where there are few."""
    if len(x) > 300:
        shades = ListedColormap(plt.get_cmap("Blues")(np.linspace(0.25, 1.0, 64)))
        ax.hexbin(x, y, gridsize=cells, extent=extent, bins="log", mincnt=1, cmap=shades, linewidths=0.1)
    else:
        ax.plot(x, y, "o", color=BLUE, ms=4, alpha=0.55, mec="none")
