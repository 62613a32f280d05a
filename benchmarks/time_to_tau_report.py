"""What the runs of `benchmarks.time_to_tau` say: a picture, and lines about the time to the published tau."""

from __future__ import annotations

import math
from pathlib import Path

import matplotlib.pyplot as plt
import polars as pl
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, NullLocator

from benchmarks.time_to_tau_runs import DATASET, SCORED_ON, full_epochs, longest, resolved
from pipeline.core.names import FOCUS, is_focus
from pipeline.report.format import compact
from pipeline.report.plots import style, text_labels
from pipeline.report.plots.style import GREY, MARKERS, VERMILION, Drawn
from pipeline.score import published

RELEASED_EPOCHS = 3000
BAR = 500
SQUASHED = 0.35  # tau below the best: what lies lower is left out of the picture


def means(rows: pl.DataFrame, target: str) -> pl.DataFrame:
    """Means over seeds: predictor, n_train, budget, fit_cpu_s, tau, low, high, seeds, in the order of time.

    ``low`` and ``high`` are those of the seeds. Budgets that not every seed has finished well are left out.
    """
    tau = pl.col(f"tau_{target}")
    by_budget = rows.group_by("predictor", "n_train", "budget", maintain_order=True).agg(
        pl.col("fit_cpu_s").mean(), tau.mean().alias("tau"), tau.min().alias("low"), tau.max().alias("high"),
        tau.count().alias("seeds"),
    )  # fmt: skip
    seeds = rows.group_by("n_train").agg(pl.col("seed").n_unique().alias("all"))
    whole = by_budget.join(seeds, on="n_train").filter(pl.col("seeds") == pl.col("all")).drop("all")
    return whole.sort("n_train", "predictor", "fit_cpu_s")


def figures() -> dict[int, published.Figure]:
    """Published tau of NN-Former by number of labels."""
    wanted = (DATASET, "tnasp", FOCUS, "kendall_tau")
    return {f.n_train: f for f in published.load() if (f.dataset, f.protocol, f.predictor, f.metric) == wanted}


def released_seconds(n: int, rate: float) -> float:
    """CPU-seconds of the released recipe on ``n`` labels: 3000 epochs at ``rate`` samples per CPU-second."""
    return RELEASED_EPOCHS * n / rate


def summary(rows: pl.DataFrame, rate: float) -> list[str]:
    """A line for each number of labels and scored label; then the schedules that are extrapolated."""
    lines, known = [], figures()
    for n in sorted(set(rows["n_train"])):
        for target in SCORED_ON:
            points = means(rows, target).filter(pl.col("n_train") == n, pl.col("predictor") == FOCUS)
            if points.height:
                text = reached(points, known[n], released_seconds(n, rate)) if n in known else "no published tau"
                lines.append(f"{n} labels, {target}: {text}")
        for label in extrapolated(rows, n):
            epochs, seconds = longest(rows, label, n)
            full, size = full_epochs(label), min(resolved(label).config.batch_size, n)
            samples = epochs * math.ceil(n / size) * size
            lines.append(
                f"{n} labels, {label}: {full} epochs would take {seconds * full / epochs:,.0f} CPU-s, extrapolated "
                f"from {epochs} in {seconds:.1f} CPU-s ({samples / seconds:.0f} samples per CPU-s)"
            )
    return lines


def extrapolated(rows: pl.DataFrame, n: int) -> list[str]:
    """Predictors whose schedule counts epochs and that have a finished run on ``n`` labels."""
    ended = rows.filter(pl.col("n_train") == n, pl.col("status") == "ok")["predictor"]
    return [label for label in ended.unique(maintain_order=True) if full_epochs(label)]


def reached(points: pl.DataFrame, figure: published.Figure, released: float) -> str:
    """When the means ``points`` of NN-Former first reach a published figure, and that against the released time."""
    goal = f"published tau {figure.value:.3f} ({published.CONFIDENCE[figure.confidence]})"
    recipe = f"the released recipe takes {released:,.0f} s (computed), the bar is 1/{BAR} of it, {released / BAR:.0f} s"
    enough = points.filter(pl.col("tau") >= figure.value)
    if not enough.height:
        best = points.sort("tau").row(-1, named=True)
        return f"{goal} is not reached: {best['tau']:.4f} after {best['fit_cpu_s']:.1f} CPU-s; {recipe}"
    first = enough.row(0, named=True)
    verdict = "met" if first["fit_cpu_s"] * BAR <= released else "missed"
    return (
        f"{goal} is reached after {first['fit_cpu_s']:.1f} CPU-s (budget {first['budget']}, mean tau "
        f"{first['tau']:.4f} of {first['seeds']} seeds); {recipe}; 1/{released / first['fit_cpu_s']:,.0f}: {verdict}"
    )


def save(rows: pl.DataFrame, folder: Path, target: str, rate: float) -> None:
    """Write folder/time-to-tau.svg, .png and .csv (the means); nothing without a finished run."""
    data = means(rows, target)
    if not data.height:
        return
    with style.style():
        files = [folder / f"time-to-tau.{kind}" for kind in ("png", "svg")]
        style.save(Drawn(draw(data, rows, target, rate), data), made_with(rows), *files)


def draw(data: pl.DataFrame, rows: pl.DataFrame, target: str, rate: float) -> plt.Figure:
    """One panel for each number of labels of ``data`` (see `means`)."""
    sizes = sorted(set(data["n_train"]))
    looks = line_looks(list(rows["predictor"].unique(maintain_order=True)))
    figure, axes = plt.subplots(1, len(sizes), figsize=(5.6 * len(sizes), 5.4), squeeze=False, layout="constrained")
    named = [
        _panel(ax, data.filter(pl.col("n_train") == n), n, rate, looks) for ax, n in zip(axes[0], sizes, strict=True)
    ]
    for ax, n in zip(axes[0], sizes, strict=True):
        for label in extrapolated(rows, n):
            epochs, seconds = longest(rows, label, n)
            full = full_epochs(label)
            _upright(ax, seconds * full / epochs, f"{label}: {full} epochs (extrapolated)", looks[label][0])
    axes[0][0].set_ylabel(f"Kendall's τ of all cells, {target}")
    seeds = rows["seed"].n_unique()
    spread = f"mean and range of {seeds} seeds" if seeds > 1 else "one seed"
    figure.suptitle(
        f"{DATASET}: quality against training time, {spread}", x=0.01, ha="left", fontweight="bold", fontsize=11.5
    )
    style.lay_out(figure)
    for ax, (ends, line) in zip(axes[0], named, strict=True):
        text_labels.label_points(ax, ends, line)
    return figure


def line_looks(labels: list[str]) -> dict[str, tuple[str, str, str]]:
    """Colour, marker and line style of each predictor; NN-Former and its presets share a colour."""
    palette = plt.rcParams["axes.prop_cycle"].by_key()["color"]
    palette = [colour if colour.startswith("#") else f"#{colour}" for colour in palette]
    others = [label for label in labels if not is_focus(label)]
    loud = [label for label in labels if is_focus(label)]
    colours = [*palette, *[GREY] * len(others)]
    looks = {p: (colours[i], MARKERS[i % len(MARKERS)], "-") for i, p in enumerate(others)}
    looks |= {p: (VERMILION, MARKERS[i % len(MARKERS)], "-" if p == FOCUS else "--") for i, p in enumerate(loud)}
    return looks


def _panel(ax: Axes, data: pl.DataFrame, n: int, rate: float, looks: dict) -> tuple[list[text_labels.Label], list]:
    """Draw one number of labels; returns the names to place and the line they should keep off."""
    floor = data["tau"].max() - SQUASHED
    ends, line, low = [], [], []
    for label in [label for label in looks if label in set(data["predictor"])]:
        points = data.filter(pl.col("predictor") == label)
        shown = points.filter(pl.col("tau") >= floor)
        if not shown.height:
            low.append(f"{label} {points['tau'].max():.2f}")
            continue
        (colour, marker, dashes), x, y = looks[label], shown["fit_cpu_s"].to_list(), shown["tau"].to_list()
        ax.vlines(x, shown["low"].clip(floor), shown["high"], color=colour, lw=1, alpha=0.5)
        width = 2.4 if is_focus(label) else 1.4
        ax.plot(x, y, dashes, color=colour, marker=marker, ms=6, lw=width, mec="white", mew=0.6)
        ends.append(text_labels.Label(label, x[-1], y[-1], colour, is_focus(label)))
        line = list(zip(x, y, strict=True)) if label == FOCUS else line
    figure = figures().get(n)
    if figure:
        released_s = released_seconds(n, rate)
        ax.axhline(figure.value, color="#444444", lw=1, ls="--", zorder=1)
        ax.plot(released_s, figure.value, "o", color="#444444", mfc="white", ms=6)
        ax.annotate(
            f"published {figure.value:.3f}\nreleased recipe:\n{released_s:,.0f} s, computed",
            (released_s, figure.value),
            xytext=(0, -9), textcoords="offset points", fontsize=8, color="#444444", ha="right", va="top",
        )  # fmt: skip
        _upright(ax, released_s / BAR, f"1/{BAR} of the released recipe", "#444444")
    ax.set_xscale("log")
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: compact(value)))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.margins(x=0.08, y=0.1)
    ax.set_xlabel("CPU-seconds to fit, one thread (log scale)")
    ax.set_title(f"{n:,} labels", fontweight="normal", fontsize=10)
    style.note_below(ax, f"Best below the picture: {', '.join(low)}." if low else "")
    return ends, line


def _upright(ax: Axes, seconds: float, text: str, colour: str) -> None:
    """A dotted line up from the time axis with a text along it."""
    ax.axvline(seconds, ymax=0.6, color=colour, lw=1, ls=":", zorder=1)
    ax.annotate(
        text, (seconds, 0.59), xytext=(-3, 0), xycoords=("data", "axes fraction"), textcoords="offset points",
        rotation=90, fontsize=8, color=colour, ha="right", va="top", path_effects=text_labels.HALO,
    )  # fmt: skip


def made_with(rows: pl.DataFrame) -> str:
    """Data version, seeds, code and machine."""

    def distinct(column: str) -> str:
        return ", ".join(sorted(str(value) for value in rows[column].drop_nulls().unique())) or "unknown"

    return (
        f"data {DATASET} version {distinct('dataset_version')} · seeds {distinct('seed')} · "
        f"code {distinct('code_rev')} · PyTorch {distinct('torch_version')} on one thread · {distinct('host_cpu')}"
    )
