"""Figures of transfer to a new device: by device of NASFLAT's tasks, against labels, and how alike devices are."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import polars as pl
from matplotlib.axes import Axes
from scipy.cluster import hierarchy

from pipeline.core.names import is_focus
from pipeline.report.format import TITLES
from pipeline.report.plots import text_labels
from pipeline.report.plots.style import GREY, Drawn, colours_and_markers, heading, note_below, suptitle
from pipeline.report.plots.text_labels import write_cells
from pipeline.score.likeness import Likeness
from pipeline.score.tables import Size, Table
from pipeline.score.transfer import METRIC, Task, sound_sizes

COLOURS = "YlGnBu"
LEGIBLE = 30  # devices whose correlations are written into the map


def by_target(tasks: list[Task]) -> Drawn | None:
    """Heat map of Spearman's correlation on the devices of some tasks of one data set: devices by predictors."""
    order = list(dict.fromkeys(p for task in tasks for p in task.table.ranked()))
    rows = [(task, device) for task in tasks for device in task.table.devices]
    means = [[_rho(task, p, device) for p in order] for task, device in rows]
    values = np.array([[np.nan if mean is None else mean for mean in row] for row in means])
    if not np.isfinite(values).any():
        return None
    figure, ax = plt.subplots(figsize=(2.6 + 0.56 * len(order), 1.6 + 0.24 * len(rows)), layout="constrained")
    low = max(0.0, float(np.nanmin(values)))
    image = ax.imshow(np.ma.masked_invalid(values), cmap=COLOURS, vmin=low, vmax=1.0, aspect="auto")
    dark = low + 0.55 * (1 - low)
    write_cells(ax, [(j, i, *_text(value, dark)) for (i, j), value in np.ndenumerate(values)], 7.0)
    ax.set_xticks(range(len(order)), order, rotation=38, ha="right", rotation_mode="anchor", fontsize=8.5)
    for label in ax.get_xticklabels():
        label.set_fontweight("bold" if is_focus(label.get_text()) else "normal")
    ax.set_yticks(range(len(rows)), [f"{_short(task)}  {device}" for task, device in rows], fontsize=8)
    for i, ((before, _), (after, _)) in enumerate(zip(rows, rows[1:], strict=False)):
        if before is not after:
            ax.axhline(i + 0.5, color="white", lw=3)
    _bare(ax)
    figure.colorbar(image, ax=ax, label=TITLES[METRIC]).outline.set_visible(False)
    ax.set_title(heading(tasks[0].table, f"{tasks[0].size.n_train} labels of a new device"))
    places = [(_short(task), device) for task, device in rows]
    data = [(*place, p, row[j]) for place, row in zip(places, means, strict=True) for j, p in enumerate(order)]
    return Drawn(figure, pl.DataFrame(data, ["task", "device", "predictor", METRIC], orient="row"))


def _rho(task: Task, predictor: str, device: str) -> float | None:
    return task.table.main(predictor, task.size, device).mean


def _short(task: Task) -> str:
    return task.table.protocol.removeprefix("nasflat_").upper()


def _text(value: float, dark: float) -> tuple[str, str]:
    if not np.isfinite(value):
        return "–", "#222222"
    return f"{value:.2f}".replace("0.", "."), "white" if value > dark else "#222222"


def _bare(ax: Axes) -> None:
    ax.grid(False)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)


def alike(found: Likeness) -> Drawn:
    """Spearman's correlation between the costs on every two devices of a data set, alike ones side by side."""
    n = len(found.devices)
    figure, (left, ax) = plt.subplots(
        1, 2, figsize=(2.9 + 0.235 * n, 1.7 + 0.215 * n), width_ratios=(1, 6), layout="constrained"
    )
    with plt.rc_context({"lines.linewidth": 0.9}):
        tree = hierarchy.dendrogram(
            found.tree, orientation="left", ax=left, no_labels=True, color_threshold=0, above_threshold_color="#555555"
        )
    order = tree["leaves"]
    values = found.matrix[np.ix_(order, order)]
    names = [found.devices[i] for i in order]
    low = max(-1.0, float(values.min()))
    image = ax.imshow(values, cmap=COLOURS, vmin=low, vmax=1.0, aspect="auto")
    if n <= LEGIBLE:
        dark = low + 0.55 * (1 - low)
        write_cells(ax, [(j, i, *_text(value, dark)) for (i, j), value in np.ndenumerate(values)], 5.0)
    ax.set_xticks(range(n), names, rotation=90, fontsize=7)
    ax.set_yticks(range(n), names, fontsize=7)
    left.set_ylim(10 * n, 0)  # a leaf is ten high; the first is at the top, as in the map
    left.set_xticks([])
    for axes in (left, ax):
        _bare(axes)
    figure.colorbar(image, ax=ax, label=TITLES[METRIC]).outline.set_visible(False)
    figure.suptitle(
        f"{found.dataset}: {found.target}, how alike devices are", x=0.01, ha="left", fontweight="bold", fontsize=11.5
    )
    data = [(a, b, float(values[i, j])) for i, a in enumerate(names) for j, b in enumerate(names)]
    return Drawn(figure, pl.DataFrame(data, ["device", "other", METRIC], orient="row"))


def adaptation(table: Table) -> Drawn | None:
    """Spearman's correlation and MAPE against labels of the new device, evenly spaced, so that none has a place too."""
    sizes = sound_sizes(table)
    figure, axes = plt.subplots(1, 2, figsize=(11.4, 4.2), gridspec_kw={"wspace": 0.5})
    found = {
        (p, metric): [(i, stat) for i, s in enumerate(sizes) if (stat := table.stat(p, s, metric, table.split)).values]
        for p in table.predictors
        for metric in (METRIC, "mape")
    }
    if not any(found.values()):
        plt.close(figure)
        return None
    for ax, metric in zip(axes, (METRIC, "mape"), strict=True):
        _against_labels(ax, table, sizes, metric, {p: found[p, metric] for p in table.predictors if found[p, metric]})
    devices = f"mean of {len(table.devices)} devices" if len(table.devices) > 1 else table.devices[0]
    suptitle(figure, table, f"{table.scored_on} on a new device, {devices}")
    if len(table.seeds) > 1:
        note_below(axes[0], "Bands: 95 % interval of the mean over seeds.")
    rows = [
        (p, metric, sizes[i].n_train, s.mean, s.half, len(s.values)) for (p, metric), of in found.items() for i, s in of
    ]
    names = ["predictor", "metric", "n_train", "mean", "half_interval", "seeds"]
    return Drawn(figure, pl.DataFrame(rows, names, orient="row", infer_schema_length=None))


def _against_labels(ax: Axes, table: Table, sizes: list[Size], metric: str, found: dict) -> None:
    """One panel: a line a predictor with its band, its name at its end."""
    looks, ends = colours_and_markers(table), []
    for predictor, points in sorted(found.items(), key=lambda item: is_focus(item[0])):
        colour, marker = looks[predictor]
        x, means = [i for i, _ in points], np.array([stat.mean for _, stat in points])
        halves = np.array([stat.half or 0.0 for _, stat in points])
        lowest = np.maximum(means - halves, 0.5 * means) if metric == "mape" else means - halves
        ax.fill_between(x, lowest, means + halves, color=colour, alpha=0.12, lw=0)
        wide = 2.4 if is_focus(predictor) else 1.0 if colour == GREY else 1.6
        ax.plot(x, means, color=colour, marker=marker, ms=4.5, lw=wide, mec="white", mew=0.6)
        ends.append(text_labels.Label(predictor, x[-1], means[-1], colour, is_focus(predictor)))
    flat = [stat.mean for points in found.values() for _, stat in points]
    if metric == METRIC:  # bands of few seeds may be wider than what a correlation can be
        ax.set_ylim(min(flat) - 0.06, min(1.02, max(flat) + 0.12))
    else:
        ax.set_yscale("log")
        ax.set_ylim(min(flat) / 1.3, max(flat) * 1.3)
        ax.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        ax.yaxis.set_minor_formatter(lambda value, _: f"{value:g}" if f"{value:.0e}"[0] in "25" else "")
    ax.set_xticks(range(len(sizes)), [f"{size.n_train}" for size in sizes])
    ax.set_xlabel("labels of the new device (evenly spaced)")
    ax.set_ylabel(f"{TITLES[metric]}{' (lower is better, log scale)' if metric == 'mape' else ''}")
    text_labels.label_ends(ax, ends)
