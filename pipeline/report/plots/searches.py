"""Figures of searches: regret against queries, and measures of a ranking against the regret that follows."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import polars as pl
from matplotlib.axes import Axes

from pipeline.report.plots.style import GREY, MARKERS, Drawn, lay_out
from pipeline.score.search import FEWER_IS_BETTER, Searches

DASHES = ["--", ":", "-."]  # of methods without a predictor
LINES = ["-", (0, (5, 1))]  # of those with one, where colours come again


def looks_of(found: Searches) -> dict[str, tuple[str, str | tuple]]:
    """Colour and line of each method; those without a predictor are grey."""
    palette = [entry["color"] for entry in plt.rcParams["axes.prop_cycle"]]
    palette = [colour if colour.startswith("#") else f"#{colour}" for colour in palette]
    others = [name for name in found.about["methods"] if name not in found.predictors]
    looks = {name: (GREY, DASHES[i % len(DASHES)]) for i, name in enumerate(others)}
    for i, name in enumerate(found.predictors):
        looks[name] = palette[i % len(palette)], LINES[i // len(palette) % len(LINES)]
    return looks


def regret(found: Searches) -> Drawn:
    """Mean regret against queries with its 95 % interval, one panel a space."""
    spaces, points = found.choices, found.points()
    figure, axes = plt.subplots(1, len(spaces), figsize=(4.4 * len(spaces), 4.2), squeeze=False, layout="constrained")
    rows, looks = [], looks_of(found)
    for ax, space in zip(axes[0], spaces, strict=True):
        for method in found.methods_of(space):
            colour, line = looks[method]
            intervals = [found.interval(space, method, n) for n in points]
            rows += [(space, method, n, *interval) for n, interval in zip(points, intervals, strict=True)]
            low, high = ([getattr(interval, end) for interval in intervals] for end in ("low", "high"))
            ax.fill_between(points, np.maximum(low, 0), high, color=colour, alpha=0.12, lw=0)
            ax.plot(points, [interval.mean for interval in intervals], ls=line, color=colour, lw=1.6, label=method)
        ax.axhline(found.about["spaces"][space]["floor"], color="black", lw=0.8, ls=(0, (1, 3)))
        ax.set_xscale("log")
        ax.set_xticks(found.about["budgets"], [str(n) for n in found.about["budgets"]])
        ax.minorticks_off()
        ax.set_ylim(bottom=0)
        ax.set_title(space)
        ax.set_xlabel("queries (log scale)")
    axes[0][0].set_ylabel("regret, percentage points")
    lines = {line.get_label(): line for ax in axes[0] for line in ax.get_lines() if line.get_label() in looks}
    named = [name for name in looks if name in lines]
    place = {"loc": "upper left", "bbox_to_anchor": (1.0, 1.0)}
    axes[0][-1].legend([lines[name] for name in named], named, fontsize=7.5, frameon=False, **place)
    said = "Regret against queries; bands: 95 % interval; dotted: floor"
    figure.suptitle(said, x=0.01, ha="left", fontweight="bold", fontsize=11.5)
    lay_out(figure)
    return Drawn(
        figure, pl.DataFrame(rows, schema=["space", "method", "queries", "regret", "low", "high"], orient="row")
    )


def measures(found: Searches, titles: dict[str, str]) -> Drawn:
    """Every measure after the labels of a budget against the regret at the next: means over seeds, a panel each."""
    figure, axes = plt.subplots(1, len(titles), figsize=(3.6 * len(titles), 4.0), squeeze=False, layout="constrained")
    rows: list[tuple] = []
    for ax, (measure, title) in zip(axes[0], titles.items(), strict=True):
        rows += _panel(ax, found, measure)
        agreement = found.agreement(measure)
        said = (
            ""
            if agreement is None
            else f"\nagreement {agreement.mean:.2f} ({agreement.low:.2f} to {agreement.high:.2f})"
        )
        ax.set_title(title + said, fontsize=9.5)
        if measure in FEWER_IS_BETTER:
            ax.set_xscale("log")
            ax.invert_xaxis()
        ax.set_xlabel(f"{title} after n labels")
    axes[0][0].set_ylabel("regret at the next budget, percentage points")
    axes[0][-1].legend(fontsize=7.5, frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    lay_out(figure)
    columns = ["measure", "space", "predictor", "labels", "value", "next_budget", "regret"]
    return Drawn(figure, pl.DataFrame(rows, schema=columns, orient="row"))


def _panel(ax: Axes, found: Searches, measure: str) -> list[tuple]:
    """One measure's points, a colour a predictor and a marker a space; returns what is shown."""
    rows, looks, budgets = [], looks_of(found), found.about["budgets"]
    for marker, space in zip(MARKERS, found.choices, strict=False):
        for predictor in found.predictors_of(space):
            x, y = [], []
            for now, then in zip(budgets, budgets[1:], strict=False):
                values = list(found.by_seed(space, predictor, now, measure).values())
                if values:
                    x.append(float(np.mean(values)))
                    y.append(float(np.mean(list(found.by_seed(space, predictor, then).values()))))
                    rows.append((measure, space, predictor, now, x[-1], then, y[-1]))
            label = predictor if space == found.choices[0] else None
            ax.plot(x, y, marker, color=looks[predictor][0], ms=5, mec="white", mew=0.5, alpha=0.9, label=label)
    for marker, space in zip(MARKERS, found.choices, strict=False):
        ax.plot([], [], marker, color=GREY, ms=5, label=space)
    return rows
