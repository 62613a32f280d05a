"""Figures over devices and over families left out: heat maps and bars."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize, to_rgba
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from pipeline.core.names import is_focus
from pipeline.report.format import TITLES
from pipeline.report.plots.style import GREY, Drawn, colours_and_markers, heading, suptitle
from pipeline.report.plots.text_labels import write_cells
from pipeline.score import published
from pipeline.score.tables import Stat, Table


def by_device(table: Table, metric: str) -> Drawn | None:
    """Heat map of a metric (mape or acc10) at the largest size: devices by predictors, the mean of the devices last."""
    size, order = table.sizes[-1], table.ranked()
    rows = [*table.devices, None]
    means = [[table.stat(p, size, metric, table.split, d).mean for p in order] for d in rows]
    values = np.array([[np.nan if mean is None else mean for mean in row] for row in means])
    if not np.isfinite(values).any():
        return None
    dense = len(order) > 10
    figure, ax = plt.subplots(
        figsize=(2.4 + (0.56 if dense else 0.95) * len(order), 1.7 + (0.26 if len(rows) > 12 else 0.4) * len(rows)),
        layout="constrained",
    )
    norm, colours = _shades(values, metric)
    image = ax.imshow(np.ma.masked_invalid(values), cmap=colours, norm=norm, aspect="auto")
    texts = []
    for (i, j), value in np.ndenumerate(values):
        dark = np.isfinite(value) and norm(min(value, norm.vmax)) > 0.55
        shown = f"{value:.3g}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
        shown = shown if np.isfinite(value) else "–"
        colour = "white" if dark else "#222222"
        texts.append((j, i, shown, colour))
    write_cells(ax, texts, 7.5 if dense else 9.0)
    ax.set_xticks(range(len(order)), order, rotation=38, ha="right", rotation_mode="anchor")
    ax.set_yticks(range(len(rows)), [d or "mean of devices" for d in rows])
    ax.axhline(len(rows) - 1.5, color="white", lw=3)
    ax.grid(False)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    better = "lower is better, log scale" if metric == "mape" else "higher is better"
    label = f"{TITLES[metric]} ({better})"
    bar = figure.colorbar(image, ax=ax, label=label, extend="max" if np.nanmax(values) > norm.vmax else "neither")
    bar.outline.set_visible(False)
    if metric == "mape":
        bar.ax.yaxis.set_minor_locator(NullLocator())
        ticks = [t for t in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100) if norm.vmin <= t <= norm.vmax]
        bar.ax.yaxis.set_major_locator(FixedLocator(ticks))
        bar.ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.set_title(heading(table, f"{table.scored_on}, {size.n_train:,} labels a device"))
    cells = [(d or "mean", p, metric, means[i][j]) for i, d in enumerate(rows) for j, p in enumerate(order)]
    names = ["device", "predictor", "metric", "mean"]
    return Drawn(figure, pl.DataFrame(cells, schema=names, orient="row", infer_schema_length=None))


def _shades(values: np.ndarray, metric: str) -> tuple[Normalize, str]:
    """Dark is bad for an error, good for a share; errors above 100 % all have the darkest shade."""
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    if metric == "mape":
        return LogNorm(max(low, 1e-3), min(max(high, low * 1.5, 2e-3), 100.0 if low < 100 else high)), "YlGnBu"
    return Normalize(0.0, 100.0), "YlGnBu"


def by_family(table: Table, comparisons: list[published.Comparison]) -> Drawn | None:
    """MAPE on each family left out of training, one panel a family and one for their mean; published figures as rings.

    None where the table leaves out no families, or without a number.
    """
    sizes = [size for size in table.sizes if size.budget.family]
    order = [p for p in table.ranked() if any(table.stat(p, s, "mape", table.split).values for s in sizes)]
    if not sizes or not order:
        return None
    published_mape = {(c.label, c.size): c.figure.value for c in comparisons if c.figure.metric == "mape"}
    panels = [(size.budget.family, size) for size in sizes]
    if len(sizes) > 1:
        panels.append((f"mean of {len(sizes)} families", None))
    stats = {
        (p, size): table.stat(p, size, "mape", table.split) if size else table.over_sizes(p, "mape", table.split)
        for _, size in panels
        for p in order
    }
    columns = min(4, len(panels))
    n_rows = -(-len(panels) // columns)
    figure, axes = plt.subplots(
        n_rows, columns, figsize=(2.7 * columns + 1.2, (0.21 * len(order) + 0.75) * n_rows + 0.6), squeeze=False,
        sharey=True, layout="constrained",
    )  # fmt: skip
    means = [stat.mean for stat in stats.values() if stat.mean is not None]
    limit = min(max(means), 4.0 * float(np.median(means))) * 1.05
    looks, places = colours_and_markers(table), np.arange(len(order))[::-1]
    for ax in axes.flat[len(panels) :]:
        ax.set_visible(False)
    for ax, (name, size) in zip(axes.flat, panels, strict=False):
        of_panel, published_here = [stats[p, size] for p in order], [published_mape.get((p, size)) for p in order]
        _bars(ax, places, of_panel, [looks[p][0] for p in order], published_here, limit)
        ax.set_title(name, fontsize=9.5, fontweight="bold" if size is None else "normal")
        ax.set(xlim=(0, 1.18 * limit), ylim=(-0.7, len(order) - 0.3))
        ax.grid(axis="y", visible=False)
        ax.tick_params(axis="y", length=0)
    for ax in axes[:, 0]:
        _name_bars(ax, places, order)
    rings = "; rings: published" if published_mape else ""
    figure.supxlabel(f"MAPE, % (lower is better); whiskers: 95 % interval{rings}", fontsize=9)
    suptitle(figure, table, f"{table.scored_on}, each family left out of training")
    rows = [(n, p, stats[p, s].mean, stats[p, s].half, published_mape.get((p, s))) for n, s in panels for p in order]
    names = ["family", "predictor", "mape", "half_interval", "published"]
    return Drawn(figure, pl.DataFrame(rows, schema=names, orient="row", infer_schema_length=None))


def _name_bars(ax: Axes, places: np.ndarray, predictors: list[str]) -> None:
    ax.set_yticks(places, predictors, fontsize=8)
    for label in ax.get_yticklabels():
        label.set_fontweight("bold" if is_focus(label.get_text()) else "normal")


def _bars(ax, places: np.ndarray, stats: list[Stat], colours: list[str], published: list[float | None], limit: float):
    """Bars with whiskers and their values in a column; bars beyond the axis end at its edge, rings are published."""
    shown = [(y, s, c) for y, s, c in zip(places, stats, colours, strict=True) if s.mean is not None]
    y, means = [y for y, _, _ in shown], [s.mean for _, s, _ in shown]
    shades = [to_rgba(c, 0.55 if c == GREY else 0.75) for *_, c in shown]
    ax.barh(y, np.minimum(means, limit), color=shades, height=0.7)
    whiskers = [(y, s) for y, s, _ in shown if s.half and s.mean < limit]
    low, high = (
        [max(s.mean - s.half, 0.0) for _, s in whiskers],
        [min(s.mean + s.half, limit) for _, s in whiskers],
    )
    ax.hlines([y for y, _ in whiskers], low, high, color="#333333", lw=0.9)
    write_cells(ax, [(1.09 * limit, y, f"{s.mean:.1f}", "#333333") for y, s, _ in shown], 7.0)
    rings = [(value, y) for value, y in zip(published, places, strict=True) if value is not None and value <= limit]
    if rings:
        ax.plot(*zip(*rings, strict=True), "o", mfc="none", mec="black", ms=5, mew=1.0)
