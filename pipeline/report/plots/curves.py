"""Figures of quality against label budget and against training time."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from pipeline.core.names import FOCUS, is_focus
from pipeline.report.format import TITLES, compact
from pipeline.report.plots import text_labels
from pipeline.report.plots.style import (
    GREY,
    MANY,
    Drawn,
    at_least,
    colours_and_markers,
    heading,
    lay_out,
    note_below,
    off_scale,
    suptitle,
    worth_showing,
)  # fmt: skip
from pipeline.score.tables import Size, Table

NAMED = 24  # points in a panel; of more, the grey ones off the Pareto front go without a name


def by_size(table: Table) -> Drawn | None:
    """The main metric against the number of training labels: mean line, band of the 95 % interval.

    Predictors that the grid asks for some of the sizes are left out where three or more have them all. None without a
    predictor that has numbers, or where the sizes are not numbers of labels.
    """
    sizes = [size for size in table.sizes if size.budget.is_drawn and size.n_train]
    whole = [p for p in table.predictors if all(table.seeds_of(p, [size]) for size in sizes)]
    drawn = whole if len(whole) > 2 else table.predictors
    stats = {p: [(s.n_train, stat) for s in sizes if (stat := table.main(p, s)).values] for p in drawn}
    means = {p: [stat.mean for _, stat in by_size] for p, by_size in stats.items()}
    shown, far = worth_showing(means)
    if not shown or len({size.n_train for size in sizes}) < 2:
        return None
    figure, ax = plt.subplots(figsize=(7.2, 4.4 if len(shown) <= 16 else 5.6))
    looks, ends = colours_and_markers(table), []
    best = [p for p in table.ranked() if p in shown]
    banded = best if len(best) <= MANY else [*best[:3], FOCUS]
    for predictor in sorted(shown, key=is_focus):
        colour, marker = looks[predictor]
        grey = colour == GREY
        x = [n for n, _ in stats[predictor]]
        if predictor in banded and any(stat.half for _, stat in stats[predictor]):
            low = [stat.mean - (stat.half or 0.0) for _, stat in stats[predictor]]
            high = [stat.mean + (stat.half or 0.0) for _, stat in stats[predictor]]
            ax.fill_between(x, low, high, color=colour, alpha=0.13, lw=0)
        dashed = "--" if is_focus(predictor) and predictor != FOCUS else "-"
        width = 2.4 if is_focus(predictor) else 1.0 if grey else 1.6
        size = 3.5 if grey else 5
        ax.plot(x, means[predictor], dashed, color=colour, marker=marker, ms=size, lw=width, mec="white", mew=0.6)
        ends.append(text_labels.Label(predictor, x[-1], means[predictor][-1], colour, is_focus(predictor)))
    flat = [value for p in shown for value in means[p]]
    room = 0.06 * (max(flat) - min(flat)) or 0.01
    ax.set_ylim(min(flat) - room, max(flat) + room)
    _label_axis(ax, sizes)
    ax.set_ylabel(TITLES[table.metric])
    devices = f", mean of {len(table.devices)} devices" if len(table.devices) > 1 else ""
    ax.set_title(heading(table, f"{table.scored_on} from few labels{devices}"))
    at_least(ax, table)
    whose = " of the best" if len(best) > MANY else ""
    band = f"Bands{whose}: 95 % interval of the mean over seeds. " if len(table.seeds) > 1 else ""
    others = len(table.predictors) - len(drawn)
    some = f"{others} other{'s were' if others > 1 else ' was'} run at some of these sizes. " if others else ""
    note_below(ax, band + some + off_scale(table, far, means))
    text_labels.label_ends(ax, ends)
    return Drawn(figure, _by_size_data(table, sizes))


def _label_axis(ax: Axes, sizes: list[Size]) -> None:
    """A logarithmic axis of the labels trained on, with a tick at every size."""
    ax.set_xscale("log")
    ax.xaxis.set_major_locator(FixedLocator(sorted({size.n_train for size in sizes})))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    ax.set_xlabel("labels trained on (log scale)")


def _by_size_data(table: Table, sizes: list[Size]) -> pl.DataFrame:
    rows = []
    for predictor in table.predictors:
        for size in sizes:
            stat = table.main(predictor, size)
            ends = (None, None) if stat.half is None else (stat.mean - stat.half, stat.mean + stat.half)
            rows.append((predictor, size.n_train, table.metric, table.split, stat.mean, *ends, len(stat.values)))
    names = ["predictor", "n_train", "metric", "split", "mean", "low", "high", "seeds"]
    return pl.DataFrame(rows, schema=names, orient="row", infer_schema_length=None)


def by_cost(table: Table) -> Drawn | None:
    """The main metric against the CPU-seconds of fitting, one panel for each summary size, with the Pareto front."""
    sizes = table.summary_sizes()
    figure, axes = plt.subplots(
        1, len(sizes), figsize=(4.9 * len(sizes) + 0.6, 4.2), squeeze=False, layout="constrained"
    )
    drawn = [_cost_panel(ax, table, size) for ax, size in zip(axes[0], sizes, strict=True)]
    if not any(points for points, _ in drawn):
        plt.close(figure)
        return None
    axes[0][0].set_ylabel(TITLES[table.metric])
    suptitle(figure, table, f"{table.scored_on} against training time")
    lay_out(figure)
    for ax, (points, front) in zip(axes[0], drawn, strict=True):
        text_labels.label_points(ax, points, front)
    rows = [(p, size.n_train, table.metric, *_cost_point(table, p, size)) for size in sizes for p in table.predictors]
    names = ["predictor", "n_train", "metric", "fit_cpu_s", "mean"]
    return Drawn(figure, pl.DataFrame(rows, schema=names, orient="row", infer_schema_length=None))


def _cost_point(table: Table, predictor: str, size: Size) -> tuple[float | None, float | None]:
    """CPU-seconds and quality."""
    return table.stat(predictor, size, "fit_cpu_s", "run").mean, table.main(predictor, size).mean


def _cost_panel(ax: Axes, table: Table, size: Size) -> tuple[list[text_labels.Label], list[tuple[float, float]]]:
    """Draw one panel; returns the labels its points need and the corners of the Pareto front."""
    points = {}
    for predictor in table.predictors:
        seconds, quality = _cost_point(table, predictor, size)
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
    looks = colours_and_markers(table)
    for predictor in shown:
        colour, marker = looks[predictor]
        ax.plot(*points[predictor], marker, color=colour, ms=6 if colour == GREY else 8, mec="white", mew=0.8)
    ax.set_xscale("log")
    ax.set_xlim(_limits_with_room({p: points[p][0] for p in shown}))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: compact(value)))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.margins(y=0.14)
    at_least(ax, table)
    on_front = {points[p] for p in shown} & set(front)
    named = [p for p in shown if len(shown) <= NAMED or looks[p][0] != GREY or points[p] in on_front]
    nameless = "" if len(named) == len(shown) else "Points without a name: the table has them. "
    note_below(ax, nameless + off_scale(table, far, values))
    order = sorted(named, key=lambda p: (not is_focus(p), points[p] not in on_front))
    return [text_labels.Label(p, *points[p], looks[p][0], is_focus(p)) for p in order], front


def _limits_with_room(seconds: dict[str, float]) -> tuple[float, float]:
    """Limits of a logarithmic axis that leave room for each predictor's name right of its point."""
    places = {p: np.log10(value) for p, value in seconds.items()}
    width = max(max(places.values()) - min(places.values()), 2.0)
    low = min(places.values()) - 0.12 * width
    taken = {p: min((6.0 * len(p) + 14.0) / 300.0, 0.6) for p in places}  # part of a panel 300 points wide
    high = max(low + (place - low) / (1.0 - taken[p]) for p, place in places.items())
    return 10.0**low, 10.0 ** max(high, low + width)


def _pareto(points: list[tuple[float, float]], table: Table) -> list[tuple[float, float]]:
    """Corners of the staircase of points that no cheaper point matches, cheapest first."""
    front: list[tuple[float, float]] = []
    for x, y in sorted(points, key=lambda point: (point[0], -table.better(table.metric, point[1]))):
        if not front or table.better(table.metric, y) > table.better(table.metric, front[-1][1]):
            front += [(x, front[-1][1]), (x, y)] if front else [(x, y)]
    return front
