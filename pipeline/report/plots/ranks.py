"""The rank diagram of all predictors and the forest plot of a predictor's variants."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import polars as pl
from matplotlib.ticker import MaxNLocator

from pipeline.core.names import is_focus
from pipeline.report.format import TITLES, labels, number
from pipeline.report.plots.style import SYNTHETIC, VERMILION, Drawn, heading
from pipeline.score import stats
from pipeline.score.ranking import Ranking, point, variant_effects
from pipeline.score.tables import Table


def rank_diagram(ranking: Ranking) -> Drawn | None:
    """Mean ranks with their intervals, the best on top; those not shown to differ from it are filled.

    After the critical-difference diagrams of Demšar (JMLR 2006, section 3.2.5), all against the best, with paired t
    tests over seeds and Holm's correction. None with fewer than three predictors.
    """
    order = list(ranking.mean_ranks)
    if len(order) < 3:
        return None
    figure, ax = plt.subplots(figsize=(7.2, 1.5 + 0.25 * len(order)), layout="constrained")
    places = {p: len(order) - 1 - i for i, p in enumerate(order)}
    for predictor, rank in ranking.mean_ranks.items():
        colour = VERMILION if is_focus(predictor) else "#0072B2" if predictor in ranking.tied else "#666666"
        place, mean = places[predictor], point(rank)
        if isinstance(rank, stats.Interval):
            ax.plot([rank.low, rank.high], [place, place], color=colour, lw=1.4)
        filled = colour if predictor in ranking.tied else "white"
        ax.plot(mean, place, "o", color=colour, mfc=filled, ms=6.5, mew=1.5)
        ax.annotate(
            f"{mean:.2f}", (1, place), xycoords=("axes fraction", "data"), xytext=(8, 0), textcoords="offset points",
            va="center", fontsize=8.5, color=colour, annotation_clip=False,
        )  # fmt: skip
    ax.set(xlim=(0.4, len(order) + 0.3), ylim=(-0.7, len(order) - 0.3))
    ax.set_yticks(list(places.values()), order)
    for label in ax.get_yticklabels():
        label.set_fontweight("bold" if is_focus(label.get_text()) else "normal")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=2))
    ax.grid(axis="y", visible=False)
    ax.tick_params(axis="y", length=0)
    metric = TITLES[ranking.metric].removesuffix(", %")
    ax.set_xlabel(f"rank of one run by {metric}, mean of {len(ranking.tasks)} tasks; whiskers: 95 % interval")
    loud = SYNTHETIC if any(table.synthetic for table in ranking.tables) else ""
    ax.set_title(f"{loud}Mean rank; filled: not shown to differ from the best")
    rows = [
        (p, point(r), *((r.low, r.high) if isinstance(r, stats.Interval) else (None, None)), p in ranking.tied)
        for p, r in ranking.mean_ranks.items()
    ]
    names = ["predictor", "mean_rank", "low", "high", "not_shown_to_differ"]
    return Drawn(figure, pl.DataFrame(rows, schema=names, orient="row", infer_schema_length=None))


def forest(table: Table) -> Drawn | None:
    """What each variant gains or loses against its bare predictor: difference of the main metric with its interval.

    Paired by seed; one row a variant and summary size. None without variants or without two seeds.
    """
    effects = variant_effects(table)
    if not effects:
        return None
    figure, ax = plt.subplots(figsize=(7.6, 1.3 + 0.3 * len(effects)), layout="constrained")
    places = np.arange(len(effects))[::-1]
    for place, effect in zip(places, effects, strict=True):
        mean, low, high = effect.paired.difference
        clear = effect.paired.p < 1 - stats.LEVEL
        colour = "#0072B2" if clear and mean > 0 else VERMILION if clear else "#666666"
        ax.plot([low, high], [place, place], color=colour, lw=1.8)
        ax.plot(mean, place, "s", color=colour, ms=6)
        text = number(mean, table.metric)
        ax.annotate(
            text if text.startswith("-") else f"+{text}", (1, place), xycoords=("axes fraction", "data"), xytext=(6, 0),
            textcoords="offset points", va="center", fontsize=8.5, color=colour, annotation_clip=False,
        )  # fmt: skip
    ax.axvline(0.0, color="#333333", lw=0.9)
    differences = [effect.paired.difference for effect in effects]
    reach = 1.3 * max(abs(mean) for mean, _, _ in differences) or 0.01
    reach = max(reach, float(np.median([max(abs(low), abs(high)) for _, low, high in differences])))
    ax.set(xlim=(-reach, reach), ylim=(-0.7, len(effects) - 0.3))
    ax.set_yticks(places, [f"{effect.variant}, {labels(effect.size)} labels" for effect in effects])
    ax.grid(axis="y", visible=False)
    ax.tick_params(axis="y", length=0)
    bases = " or ".join(dict.fromkeys(effect.base for effect in effects))
    counts = {effect.seeds for effect in effects}
    seeds = str(*counts) if len(counts) == 1 else f"{min(counts)} to {max(counts)}"
    ax.set_xlabel(f"{TITLES[table.metric]}, variant less {bases}; 95 % interval, paired over {seeds} seeds")
    ax.set_title(heading(table, f"what each variant changes, {table.scored_on}"))
    data = [(e.base, e.variant, e.size.n_train, *e.paired.difference, e.paired.p, e.seeds) for e in effects]
    names = ["base", "variant", "n_train", "difference", "low", "high", "p", "seeds"]
    return Drawn(figure, pl.DataFrame(data, schema=names, orient="row", infer_schema_length=None))
