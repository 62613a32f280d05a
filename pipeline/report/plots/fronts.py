"""Figures of searches for fronts: hypervolume against queries, and the fronts found beside the true one."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import polars as pl
from matplotlib.axes import Axes

from pipeline.report.plots.searches import looks_of
from pipeline.report.plots.style import Drawn, lay_out
from pipeline.score.search import SHOWN, Searches

COLUMNS = 4  # panels in a row
TRUE = "#b8b8b8"  # colour of the true front


def hypervolume(found: Searches, space: str) -> Drawn:
    """Mean share of the true front's hypervolume against queries with its 95 % interval."""
    points, rows = found.points("hypervolume"), []
    figure, ax = plt.subplots(figsize=(6.4, 4.2), layout="constrained")
    for method in found.methods_of(space):
        colour, line = looks_of(found)[method]
        intervals = [found.interval(space, method, n, "hypervolume") for n in points]
        rows += [(space, method, n, *interval) for n, interval in zip(points, intervals, strict=True)]
        low, high = ([getattr(interval, end) for interval in intervals] for end in ("low", "high"))
        ax.fill_between(points, low, np.minimum(high, 1), color=colour, alpha=0.12, lw=0)
        ax.plot(points, [interval.mean for interval in intervals], ls=line, color=colour, lw=1.6, label=method)
    ax.axhline(1 - found.about["spaces"][space]["floor"], color="black", lw=0.8, ls=(0, (1, 3)))
    ax.set_xscale("log")
    ax.set_xticks(found.about["budgets"], [str(n) for n in found.about["budgets"]])
    ax.minorticks_off()
    ax.set_xlabel("queries (log scale)")
    ax.set_ylabel("share of the true front's hypervolume")
    ax.legend(fontsize=7.5, frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    said = f"{space}: hypervolume against queries\nbands: 95 % interval; dotted: all queried"
    figure.suptitle(said, x=0.01, ha="left", fontweight="bold", fontsize=10.5)
    lay_out(figure)
    columns = ["space", "method", "queries", "hypervolume", "low", "high"]
    return Drawn(figure, pl.DataFrame(rows, schema=columns, orient="row"))


def fronts(found: Searches, space: str) -> Drawn:
    """The front that each method found, a panel each, beside the true one; within the reference."""
    facts, methods = found.about["spaces"][space], found.methods_of(space)
    n_rows = -(-len(methods) // COLUMNS)
    size = (3.0 * COLUMNS, 2.7 * n_rows + 0.5)
    figure, axes = plt.subplots(n_rows, COLUMNS, figsize=size, sharex=True, sharey=True, layout="constrained")
    shown, looks, rows = np.atleast_1d(axes).ravel(), looks_of(found), []
    for ax, method in zip(shown, methods, strict=False):
        _steps(ax, facts["front"], facts["reference"], TRUE)
        colour = looks[method][0] if method in found.predictors else "black"
        points = _steps(ax, facts["found"][method], facts["reference"], colour)
        rows += [(space, method, cost, accuracy) for cost, accuracy in points]
        ax.set_title(method, fontsize=9.5)
    for ax in shown[len(methods) :]:
        ax.set_visible(False)
    task = facts["task"]
    figure.supxlabel(f"{task['front']['target']} on {task['front']['device']}", fontsize=9)
    figure.supylabel(f"{' and '.join(task['report'])}, %", fontsize=9)
    said = f"{space}: front found after {SHOWN[1]} queries, seed {SHOWN[0]}; grey: the true one"
    figure.suptitle(said, x=0.01, ha="left", fontweight="bold", fontsize=10.5)
    lay_out(figure)
    return Drawn(figure, pl.DataFrame(rows, schema=["space", "method", "cost", "accuracy"], orient="row"))


def _steps(ax: Axes, front: list[list[float]], reference: list[float], colour: str) -> np.ndarray:
    """Draw what points (cost, accuracy) dominate up to the reference; returns those within it, (k, 2)."""
    accuracy, cost = reference
    points = np.array([point for point in sorted(front) if point[0] < cost and point[1] > accuracy]).reshape(-1, 2)
    if len(points):
        best = np.maximum.accumulate(points[:, 1])
        edge_x, edge_y = np.r_[points[0, 0], points[:, 0], cost], np.r_[accuracy, best, best[-1]]
        ax.step(edge_x, edge_y, where="post", color=colour, lw=1.2)
        ax.plot(*points.T, ".", color=colour, ms=5)
    return points
