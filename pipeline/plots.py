"""Figures of a table, as SVG and PNG: quality against labels, against CPU time, by device; predicted against true."""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap, LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter, NullLocator

from pipeline import io, plot_labels
from pipeline.board import MISSION, TITLES, compact, number
from pipeline.grid import predictor_of
from pipeline.summary import Size, Table

STYLE = Path(__file__).with_name("bench.mplstyle")
SYNTHETIC = "SYNTHETIC LABELS: test only\n"
VERMILION = "#D55E00"
MARKERS = "osD^vPX"


def style():
    """Context in which every figure is drawn and saved."""
    return plt.style.context(["default", STYLE])


def save(figure: Figure, folder: Path, name: str) -> list[Path]:
    """Write folder/name.svg and .png atomically, free of dates and version marks; returns the two paths."""
    paths = []
    for kind, metadata in (("svg", {"Date": None, "Creator": None}), ("png", {"Software": None})):
        path = folder / f"{name}.{kind}"
        with io.atomic_path(path) as temporary:
            figure.savefig(temporary, format=kind, metadata=metadata)
        paths.append(path)
    plt.close(figure)
    return paths


def look(table: Table) -> dict[str, tuple[str, str]]:
    """Colour and marker of each predictor, fixed by its place in the grid; NN-Former has its own colour."""
    palette = [entry["color"] for entry in plt.rcParams["axes.prop_cycle"]]
    palette = [c if c.startswith("#") else f"#{c}" for c in palette]
    mission = [p for p in table.predictors if predictor_of(p) == MISSION]
    others = [p for p in table.predictors if predictor_of(p) != MISSION]
    looks = {p: (VERMILION, MARKERS[i % len(MARKERS)]) for i, p in enumerate(mission)}
    looks |= {
        p: (palette[i % len(palette)], MARKERS[(i + i // len(palette)) % len(MARKERS)]) for i, p in enumerate(others)
    }
    return looks


def worth_showing(values: dict[str, list[float]]) -> tuple[list[str], list[str]]:
    """Predictors to draw, and those below 40 % of the best at every size, which would squash the axis.

    Predictors without any number are in neither list.
    """
    present = {p: v for p, v in values.items() if v}
    limit = 0.4 * max((max(v) for v in present.values()), default=0.0)
    far = [p for p, v in present.items() if max(v) < limit]
    return [p for p in present if p not in far], far


def off_scale(table: Table, far: list[str], values: dict[str, list[float]]) -> str:
    """Which predictors a figure leaves out, with their last value; empty without any."""
    texts = [f"{p} {number(values[p][-1], table.metric)}" for p in far]
    return f"Off the scale: {', '.join(texts)}." if texts else ""


def note_below(ax: Axes, text: str) -> None:
    """A small grey line under the axis."""
    if text:
        ax.annotate(
            text, (0, 0), xytext=(0, -44), xycoords="axes fraction", textcoords="offset points", fontsize=8.5,
            color="#666666", annotation_clip=False,
        )  # fmt: skip


def at_least(ax: Axes, table: Table) -> None:
    """Widen the vertical axis to 0.1 of tau or ten points of accuracy, so that noise looks like no difference."""
    low, high = ax.get_ylim()
    missing = (10.0 if table.is_cost else 0.1) - (high - low)
    if missing > 0:
        ax.set_ylim(low - missing / 2, high + missing / 2)


def heading(table: Table, text: str) -> str:
    """Title of a figure; the data set comes first, and made-up labels are said to be made up."""
    return f"{SYNTHETIC if table.synthetic else ''}{table.dataset}: {text}"


def by_size(table: Table) -> Figure | None:
    """The main metric against the number of training labels: mean line, band from the worst to the best seed."""
    stats = {
        p: [(s.n_train, stat) for s in table.sizes if (stat := table.stat(p, s, table.metric, table.split)).values]
        for p in table.predictors
    }
    means = {p: [stat.mean for _, stat in found] for p, found in stats.items()}
    shown, far = worth_showing(means)
    if not shown:
        return None
    figure, ax = plt.subplots(figsize=(7.2, 4.4))
    looks, ends = look(table), []
    for predictor in sorted(shown, key=lambda p: predictor_of(p) == MISSION):
        colour, marker = looks[predictor]
        strong = predictor_of(predictor) == MISSION
        x = [n for n, _ in stats[predictor]]
        ax.fill_between(
            x, [min(s.values) for _, s in stats[predictor]], [max(s.values) for _, s in stats[predictor]],
            color=colour, alpha=0.14, lw=0,
        )  # fmt: skip
        dashed = "--" if strong and predictor != MISSION else "-"
        ax.plot(
            x, means[predictor], dashed, color=colour, marker=marker, lw=2.4 if strong else 1.5, mec="white", mew=0.7
        )
        ends.append(plot_labels.Label(predictor, x[-1], means[predictor][-1], colour, strong))
    ax.set_xscale("log")
    ticks = [size.n_train for size in table.sizes]
    ax.xaxis.set_major_locator(FixedLocator(ticks))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    ax.set_xlabel("labels trained on (log scale)")
    ax.set_ylabel(TITLES[table.metric])
    devices = f", mean of {len(table.devices)} devices" if len(table.devices) > 1 else ""
    ax.set_title(heading(table, f"{table.scored_on} from few labels{devices}"))
    at_least(ax, table)
    band = f"Bands: lowest to highest of {len(table.seeds)} seeds. " if len(table.seeds) > 1 else ""
    note_below(ax, band + off_scale(table, far, means))
    plot_labels.label_ends(ax, ends)
    return figure


def by_cost(table: Table) -> Figure | None:
    """The main metric against the CPU-seconds of fitting, one panel for each summary size, with the Pareto front."""
    sizes = table.summary_sizes()
    figure, axes = plt.subplots(
        1, len(sizes), figsize=(4.9 * len(sizes) + 0.6, 4.2), squeeze=False, layout="constrained"
    )
    drawn = [_cost_panel(ax, table, size) for ax, size in zip(axes[0], sizes, strict=True)]
    if not any(found for found, _ in drawn):
        plt.close(figure)
        return None
    axes[0][0].set_ylabel(TITLES[table.metric])
    text = heading(table, f"{table.scored_on} against training time")
    figure.suptitle(text, x=0.01, ha="left", fontweight="bold", fontsize=11.5)
    for ax, (found, front) in zip(axes[0], drawn, strict=True):
        plot_labels.label_points(ax, found, front)
    return figure


def _cost_panel(ax: Axes, table: Table, size: Size) -> tuple[list[plot_labels.Label], list[tuple[float, float]]]:
    """Draw one panel; returns the labels its points need and the corners of the Pareto front."""
    points = {}
    for predictor in table.predictors:
        quality = table.stat(predictor, size, table.metric, table.split).mean
        seconds = table.stat(predictor, size, "fit_cpu_s", "run").mean
        if quality is not None and seconds is not None:
            points[predictor] = (max(seconds, 1e-3), quality)
    values = {p: [quality] for p, (_, quality) in points.items()}
    shown, far = worth_showing(values)
    ax.set_title(f"{size.n_train:,} labels; grey line: Pareto front", fontweight="normal", fontsize=10)
    ax.set_xlabel("CPU-seconds to fit (log scale)")
    if not shown:
        return [], []
    front = _pareto([points[p] for p in shown], table)
    x, y = zip(*front, strict=True)
    ax.plot(x, y, color="#aaaaaa", lw=1.2, zorder=1)
    looks = look(table)
    for predictor in shown:
        colour, marker = looks[predictor]
        ax.plot(*points[predictor], marker, color=colour, ms=8, mec="white", mew=0.8)
    ax.set_xscale("log")
    ax.set_xlim(_limits_with_room({p: points[p][0] for p in shown}))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: compact(value)))
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.margins(y=0.14)
    at_least(ax, table)
    note_below(ax, off_scale(table, far, values))
    return [plot_labels.Label(p, *points[p], looks[p][0], predictor_of(p) == MISSION) for p in shown], front


def _limits_with_room(seconds: dict[str, float]) -> tuple[float, float]:
    """Limits of a logarithmic axis that leave room for each predictor's name right of its point."""
    places = {p: np.log10(value) for p, value in seconds.items()}
    width = max(max(places.values()) - min(places.values()), 2.0)
    low = min(places.values()) - 0.06 * width
    taken = {p: min((6.0 * len(p) + 14.0) / 300.0, 0.6) for p in places}  # part of a panel 300 points wide
    high = max(low + (at - low) / (1.0 - taken[p]) for p, at in places.items())
    return 10.0**low, 10.0 ** max(high, low + width)


def _pareto(points: list[tuple[float, float]], table: Table) -> list[tuple[float, float]]:
    """Corners of the staircase of points that no cheaper point matches, cheapest first."""
    front: list[tuple[float, float]] = []
    for x, y in sorted(points, key=lambda point: (point[0], -table.better(table.metric, point[1]))):
        if not front or table.better(table.metric, y) > table.better(table.metric, front[-1][1]):
            front += [(x, front[-1][1]), (x, y)] if front else [(x, y)]
    return front


def by_device(table: Table) -> Figure | None:
    """Heat map of MAPE at the largest size: devices by predictors, the mean of the devices last."""
    size, order = table.sizes[-1], table.ranked()
    rows = [*table.devices, None]
    values = np.array(
        [[table.stat(p, size, "mape", table.split, d).mean or np.nan for p in order] for d in rows], dtype=float
    )
    if not np.isfinite(values).any():
        return None
    figure, ax = plt.subplots(figsize=(1.6 + 1.05 * len(order), 1.2 + 0.42 * len(rows)))
    low, high = np.nanmin(values), np.nanmax(values)
    norm = LogNorm(max(low, 1e-3), min(max(high, low * 1.5, 2e-3), 100.0 if low < 100 else high))
    image = ax.imshow(np.ma.masked_invalid(values), cmap="YlGnBu", norm=norm, aspect="auto")
    for (i, j), value in np.ndenumerate(values):
        dark = np.isfinite(value) and norm(min(value, norm.vmax)) > 0.55
        shown = f"{value:.3g}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
        shown = shown if np.isfinite(value) else "–"
        ax.text(j, i, shown, ha="center", va="center", fontsize=9, color="white" if dark else "#222222")
    ax.set_xticks(range(len(order)), order, rotation=30, ha="right", rotation_mode="anchor")
    ax.set_yticks(range(len(rows)), [d or "mean of devices" for d in rows])
    ax.axhline(len(rows) - 1.5, color="white", lw=3)
    ax.grid(False)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    bar = figure.colorbar(image, ax=ax, label="MAPE (%), log scale", extend="max" if high > norm.vmax else "neither")
    bar.outline.set_visible(False)
    bar.ax.yaxis.set_minor_locator(NullLocator())
    bar.ax.yaxis.set_major_locator(
        FixedLocator([t for t in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100) if norm.vmin <= t <= norm.vmax])
    )
    bar.ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.set_title(heading(table, f"{table.scored_on}, {size.n_train:,} labels a device"))
    return figure


def scatter(table: Table, panels: list[tuple[str, np.ndarray, np.ndarray]]) -> Figure:
    """Predicted against true on held-out graphs; panels are (title, predicted (m,), true (m,)), at most three a row."""
    columns = min(len(panels), 3)
    n_rows = -(-len(panels) // columns)
    figure, axes = plt.subplots(
        n_rows, columns, figsize=(3.9 * columns + 0.4, 3.9 * n_rows + 0.3), squeeze=False, layout="constrained"
    )
    for ax in axes.flat[len(panels) :]:
        ax.set_visible(False)
    for ax, (name, predicted, true) in zip(axes.flat, panels, strict=False):
        _scatter_panel(ax, table, name, predicted, true)
    figure.suptitle(
        heading(table, f"{table.scored_on}, held-out graphs, {table.sizes[-1].n_train:,} labels"),
        x=0.01, ha="left", fontweight="bold", fontsize=11.5,
    )  # fmt: skip
    return figure


def _scatter_panel(ax: Axes, table: Table, name: str, predicted: np.ndarray, true: np.ndarray) -> None:
    """One panel; axes leave out the worst tenth of accuracies or the extremes of costs, and count what is outside."""
    low, high = (
        np.percentile(true, 0.5 if table.is_cost else 10.0),
        np.percentile(true, 99.5 if table.is_cost else 100.0),
    )
    pad = 0.05 * (high - low) or 1.0
    low, high = low - pad, high + pad
    inside = (true >= low) & (true <= high) & (predicted >= low) & (predicted <= high)
    if inside.sum() > 300:
        ax.hexbin(
            true[inside], predicted[inside], gridsize=36, extent=(low, high, low, high), bins="log", mincnt=1,
            cmap=ListedColormap(plt.get_cmap("Blues")(np.linspace(0.25, 1.0, 64))), linewidths=0.1,
        )  # fmt: skip
    else:
        ax.plot(true[inside], predicted[inside], "o", color="#0072B2", ms=4, alpha=0.55, mec="none")
    unit = {"_ms": "ms", "_mj": "mJ"}.get(table.scored_on[-3:], "%")
    ax.plot([low, high], [low, high], color="#333333", lw=0.9, ls=(0, (4, 3)))
    ax.set(xlim=(low, high), ylim=(low, high), xlabel=f"true, {unit}", ylabel=f"predicted, {unit}")
    ax.set_aspect("equal")
    outside = f"\n{(~inside).sum()} outside the frame" if not inside.all() else ""
    ax.text(
        0.03, 0.97, f"{len(true):,} graphs{outside}", transform=ax.transAxes, va="top", fontsize=8.5, color="#444444"
    )
    ax.set_title(name, fontsize=10, fontweight="normal")
