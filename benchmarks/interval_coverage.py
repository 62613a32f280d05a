"""How often the intervals of the board cover the truth, on simulated boards: no number here is a result.

    python -m benchmarks.interval_coverage [--boards N]

prints the share of 95 % intervals that cover the true value: of a mean over seeds, of the mean over data sets, of the
mean rank of one run, of a paired difference; and, for comparison, of the percentiles of the stratified bootstrap of
the mean over data sets.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from pipeline.score import stats

SIZES = 5
PREDICTORS = 8


def simulate(random: np.random.Generator, n: int, datasets: int, seeds: int, skewed: bool) -> np.ndarray:
    """`n` boards of Kendall's tau, (n, datasets, sizes, seeds, predictors): a seed shifts all sizes of a predictor."""
    best = np.linspace(0.6, 0.9, SIZES)[:, None, None] - np.linspace(0.0, 0.3, PREDICTORS)
    spread = 0.02 * (1 + np.arange(PREDICTORS) % 3)
    shape = (n, datasets, SIZES, seeds, PREDICTORS)
    own = (2.0 - random.gamma(2.0, size=shape)) / np.sqrt(2.0) if skewed else random.normal(size=shape)
    shared = random.normal(size=(n, datasets, 1, seeds, PREDICTORS))
    return best + spread * np.sqrt(0.5) * (own + shared)


def truth() -> np.ndarray:
    """True tau, (sizes, predictors)."""
    return np.linspace(0.6, 0.9, SIZES)[:, None] - np.linspace(0.0, 0.3, PREDICTORS)


def covers(interval: stats.Interval, true: float) -> bool:
    """Whether an interval holds the true value, rounding aside."""
    return interval.low - 1e-12 <= true <= interval.high + 1e-12


def coverage(boards: int, datasets: int, seeds: int, skewed: bool = False, seed: int = 0) -> dict[str, float]:
    """Share of intervals that cover the truth, by kind of interval."""
    random = np.random.default_rng(seed)
    many = simulate(random, 4000, datasets, 1, skewed)
    true_rank = np.moveaxis(stats.ranks(np.moveaxis(many, -1, 0)), 0, -1).mean((0, 1, 2, 3))
    hits: dict[str, list[bool]] = {"mean": [], "overall": [], "rank": [], "paired": [], "bootstrap": []}
    for board in simulate(random, boards, datasets, seeds, skewed):
        over_sizes = board.mean(1)  # (datasets, seeds, predictors)
        rank = np.moveaxis(stats.ranks(np.moveaxis(board, -1, 0)), 0, -1).mean(1)
        for p in range(PREDICTORS):
            for size in range(SIZES):
                hits["mean"].append(covers(stats.interval([board[0, size, :, p]]), truth()[size, p]))
            hits["overall"].append(covers(stats.interval(list(over_sizes[:, :, p])), truth().mean(0)[p]))
            hits["rank"].append(covers(stats.rank_interval(list(rank[:, :, p]), PREDICTORS), true_rank[p]))
            if p:
                paired = stats.paired(list(board[..., 0]), list(board[..., p]))
                hits["paired"].append(covers(paired.difference, (truth()[:, 0] - truth()[:, p]).mean()))
        drawn, _ = stratified_bootstrap(list(over_sizes[:, :, 0]), 500)
        hits["bootstrap"].append(covers(drawn, truth().mean(0)[0]))
    return {name: float(np.mean(covered)) for name, covered in hits.items()}


def stratified_bootstrap(
    groups: Sequence[ArrayLike], draws: int = 2000, level: float = stats.LEVEL, seed: int = 0
) -> tuple[stats.Interval, float]:
    """Percentile interval of the mean of the groups' means, and its standard error, by drawing anew in each group.

    Of n values n - 1 are drawn, which makes the variance of a mean unbiased (Rao and Wu 1988): with endless draws the
    standard error is that of `stratified`. The percentiles are too near for fewer than about ten values a group.
    """
    values = [np.asarray(group, dtype=float) for group in groups]
    if not values or any(v.size < 2 for v in values):
        raise ValueError("a group has fewer than two values: nothing can be drawn")
    random = np.random.default_rng(seed)
    means = np.mean([random.choice(v, (draws, v.size - 1)).mean(1) for v in values], 0)
    low, high = np.quantile(means, [0.5 - level / 2, 0.5 + level / 2])
    return stats.Interval(float(np.mean([v.mean() for v in values])), float(low), float(high)), float(means.std(ddof=1))


def main() -> None:
    """Measure and print a line for each kind of board."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.interval_coverage", description="Coverage of intervals."
    )
    parser.add_argument("--boards", type=int, default=1000)
    args = parser.parse_args()
    for skewed in (False, True):
        for datasets in (1, 3):
            for seeds in (3, 5):
                found = coverage(args.boards, datasets, seeds, skewed)
                kind = "skewed" if skewed else "normal"
                shown = ", ".join(f"{name} {100 * share:.1f} %" for name, share in found.items())
                print(f"{datasets} data sets, {seeds} seeds, {kind} noise: {shown}")


if __name__ == "__main__":
    main()
