"""The numbers that a board opens with: the best predictors, unseen families, how published figures compare."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.core.names import focus_first, is_focus
from pipeline.score import stats
from pipeline.score.label_noise import Noise
from pipeline.score.label_noise import floor as noise_floor
from pipeline.score.published import VERDICTS, Comparison
from pipeline.score.tables import Size, Stat, Table

FRACTIONS = ("0.01", "0.05")


@dataclass(frozen=True)
class Best:
    """The best predictor on some (table, size) tasks, its interval over seeds (None: one seed) and what it costs.

    `cheapest` is the predictor that takes the fewest CPU-seconds of those whose mean is no worse than the near end of
    that interval.
    """

    tasks: tuple[tuple[Table, Size], ...]
    metric: str
    predictor: str
    mean: float
    interval: stats.Interval | None
    cheapest: str
    cheapest_mean: float
    cpu_s: dict[str, float]

    @property
    def half(self) -> float | None:
        """Half of the interval."""
        return None if self.interval is None else self.interval.high - self.interval.mean


@dataclass(frozen=True)
class UnseenFamily:
    """The best latency predictor by MAPE over families, each left out of training in turn.

    `families` were left out, of `known` in the data set; `repeated_mape` is that of labels measured a second time.
    """

    best: Best
    dataset: str
    families: int
    known: int
    repeated_mape: float | None


@dataclass(frozen=True)
class Verdicts:
    """How our numbers of one label compare with published ones: how many each verdict, how many figures verified."""

    figures: int
    verified: int
    counts: dict[str, int]


@dataclass(frozen=True)
class Headline:
    """`best`: by fraction of the labels, those that the grid has; `verdicts`: by label of NN-Former."""

    synthetic: bool
    best: dict[str, Best]
    unseen_family: UnseenFamily | None
    verdicts: dict[str, Verdicts]


def headline(
    tables: list[Table], compared_tables: list[Table], comparisons: dict[str, list[Comparison]], noise: Sequence[Noise]
) -> Headline:
    """All of it. `compared_tables` are those that count once (`ranking.independent`); `comparisons`: by table name."""
    best = {f: best_on(accuracy_tasks(compared_tables, f), "kendall_tau") for f in FRACTIONS}
    return Headline(
        synthetic=any(table.synthetic for table in tables),
        best={fraction: of_fraction for fraction, of_fraction in best.items() if of_fraction},
        unseen_family=unseen_family(tables, noise),
        verdicts=verdicts(tables, comparisons),
    )


def best_on(tasks: list[tuple[Table, Size]], metric: str) -> Best | None:
    """The best predictor by the mean over tasks, of those with every seed of every task; None without any."""
    sizes: dict[Table, list[Size]] = {}
    for table, size in tasks:
        sizes.setdefault(table, []).append(size)
    values, cpu_s = {}, {}
    for predictor in tasks[0][0].predictors if tasks else []:
        by_table = [
            table.over_sizes(predictor, metric, table.split, sizes=of_table) for table, of_table in sizes.items()
        ]
        seconds = [table.stat(predictor, size, "fit_cpu_s", "run").mean for table, size in tasks]
        if all(stat.complete for stat in by_table):
            values[predictor] = [np.array(stat.values) for stat in by_table]  # a stratum a table, over seeds
            cpu_s[predictor] = float(np.mean(seconds)) if None not in seconds else float("inf")
    if not values:
        return None
    sign = tasks[0][0].better(metric, 1.0)
    means = {p: float(np.mean([v.mean() for v in strata])) for p, strata in values.items()}
    best = min(means, key=lambda p: (-sign * means[p], p))
    interval = stats.interval(values[best])
    worst = sign * means[best] if interval is None else min(sign * interval.low, sign * interval.high)
    close = [p for p in means if sign * means[p] >= worst]
    cheapest = min(close, key=lambda p: (cpu_s[p], p))
    return Best(tuple(tasks), metric, best, means[best], interval, cheapest, means[cheapest], cpu_s)


def accuracy_tasks(tables: list[Table], fraction: str) -> list[tuple[Table, Size]]:
    """The accuracy tasks of some tables at a fraction of the labels."""
    accuracy = [table for table in tables if not table.is_cost]
    return [(table, size) for table in accuracy for size in table.sizes if str(size.budget) == fraction]


def mean_over_tasks(tasks: list[tuple[Table, Size]], predictor: str) -> Stat:
    """The main metric averaged over tasks seed by seed, for the seeds that the grid asks for in all of them.

    A task that lacks a seed's number makes that seed fail.
    """
    by_task = [table.main(predictor, size) for table, size in tasks]
    if len(by_task) == 1:
        return by_task[0]
    seeds = sorted(set.intersection(*(table.seeds_of(predictor, [size]) for table, size in tasks)))
    complete = [seed for seed in seeds if all(seed in stat.seeds for stat in by_task)]
    why = {seed: status for stat in by_task for seed, status in stat.failed}
    failed = tuple((seed, why.get(seed, "missing")) for seed in seeds if seed not in complete)
    values = np.array([stat.values_of(complete) for stat in by_task]).mean(0)
    return Stat(tuple(map(float, values)), len(seeds), failed, tuple(complete))


def unseen_family(tables: list[Table], noise: Sequence[Noise] = ()) -> UnseenFamily | None:
    """The best latency predictor on families left out of training; None without such data."""
    for table in tables:
        if table.is_cost and table.protocol == "leave_one_family_out":
            best = best_on([(table, size) for size in table.sizes], "mape")
            repeated = noise_floor(noise, table.dataset, table.scored_on, table.devices).get("mape")
            return best and UnseenFamily(best, table.dataset, len(table.sizes), len(table.about.families), repeated)
    return None


def verdicts(tables: list[Table], comparisons: dict[str, list[Comparison]]) -> dict[str, Verdicts]:
    """Published figures of NN-Former beside ours, by label: no form with a part changed."""
    by_label: dict[str, list[Comparison]] = {}
    for table in tables:
        for comparison in comparisons[table.name]:
            label = comparison.label
            if is_focus(label) and set(json.loads(table.overrides[label])) <= {"preset"}:
                by_label.setdefault(label, []).append(comparison)
    return {label: _counted(by_label[label]) for label in focus_first(by_label)}


def _counted(comparisons: list[Comparison]) -> Verdicts:
    words = [comparison.verdict for comparison in comparisons]
    verified = sum(comparison.figure.confidence == "V" for comparison in comparisons)
    return Verdicts(len(words), verified, {word: words.count(word) for word in VERDICTS if word in words})
