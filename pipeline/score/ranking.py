"""Ranks over all tasks of a grid and the paired comparison of every predictor with the best. Nothing is imputed.

A task is a data set at one training size. Predictors are ranked by the main metric, seed by seed, so that a mean rank
is the rank to expect of one run, and its interval comes from the seeds like every other. Tasks and seeds are those that
the predictors share: `Table.shared_sizes`, and the seeds that the grid asks of all that have them. Only predictors with
a number for every such task and seed have a mean rank; the others are listed with what they lack.

A seed's runs on one data set are one repeat, whatever protocol or label they are scored by: their tables share a
stratum, in which tasks are averaged seed by seed.

Where the best of a first look got more seeds (`looked_at` of a grid), two of them are compared on the added seeds
alone: the first ones chose whom to compare.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pipeline.core.names import predictor_of
from pipeline.score import stats
from pipeline.score.tables import Size, Stat, Table


@dataclass(frozen=True)
class Compared:
    """A predictor beside the best one: the best less this one, in the metric's units; p corrected for their number.

    `seeds`: how many seeds both have, at least, on each data set.
    """

    predictor: str
    paired: stats.Paired
    p_holm: float
    seeds: int


class Ranking:
    """All tables of one metric: tasks (table, size), the predictors ranked on all of them, and those that are not."""

    def __init__(self, metric: str, tables: list[Table]):
        self.metric, self.tables = metric, tables
        self.tasks: list[tuple[Table, Size]] = [(table, size) for table in tables for size in table.shared_sizes]
        self.predictors = list(dict.fromkeys(p for table in tables for p in table.predictors))
        asked = [p for p in self.predictors if all(t.seeds_of(p, t.shared_sizes) for t in tables)]
        self.strata = by_dataset(tables)
        self.seeds = {
            table: tuple(sorted(set.intersection(*(_shared_seeds(other, asked) for other in stratum))))
            for stratum in self.strata
            for table in stratum
        }
        self.ranked = [p for p in asked if all(_has_all(t, p, self.seeds[t]) for t in tables)]

    @property
    def leaves_out(self) -> bool:
        """True when some predictor has more sizes or seeds than are ranked."""
        return any(
            len(table.shared_sizes) < len(table.sizes) or len(self.seeds[table]) < len(table.seeds)
            for table in self.tables
        )

    @cached_property
    def values(self) -> list[np.ndarray]:
        """The main metric turned so that more is better: one array a stratum, (ranked, tasks, seeds)."""
        return [
            np.array([np.concatenate([_values(t, p, self.seeds[t]) for t in stratum]) for p in self.ranked])
            for stratum in self.strata
        ]

    @cached_property
    def mean_ranks(self) -> dict[str, stats.Interval | float]:
        """Mean rank of each ranked predictor, best first: with its interval (`stats.rank_interval`), or bare where
        there is but one seed."""
        if not self.ranked:
            return {}
        by_stratum = [stats.ranks(v).mean(1) for v in self.values]  # each (ranked, seeds)
        mean_ranks = {}
        for i, predictor in enumerate(self.ranked):
            per_seed = [ranks[i] for ranks in by_stratum]
            interval = stats.rank_interval(per_seed, len(self.ranked))
            mean_ranks[predictor] = interval or float(np.mean([ranks.mean() for ranks in per_seed]))
        return dict(sorted(mean_ranks.items(), key=lambda item: (point(item[1]), item[0])))

    def task_ranks(self, table: Table, size: Size) -> dict[str, float]:
        """Rank of the mean over seeds among all predictors that are complete at this size."""
        complete = [p for p in table.predictors if table.main(p, size).complete]
        means = [table.better(self.metric, table.main(p, size).mean) for p in complete]
        return dict(zip(complete, stats.ranks(means), strict=True)) if complete else {}

    def pair(self, a: str, b: str) -> tuple[stats.Paired | None, int]:
        """`a` less `b`, paired by task and seed, on the seeds of `compared_seeds`: None with fewer than two of them."""
        seeds = [
            compared_seeds(stratum[0], a, b, *(t.main(p, s) for t in stratum for p in (a, b) for s in t.shared_sizes))
            for stratum in self.strata
        ]
        values = (
            [
                np.concatenate([_values(table, p, of_stratum) for table in stratum])
                for stratum, of_stratum in zip(self.strata, seeds, strict=True)
            ]
            for p in (a, b)
        )
        return stats.paired(*values), min(map(len, seeds))

    @cached_property
    def compared(self) -> list[Compared]:
        """The other ranked predictors beside the best, those that can be paired with it."""
        best, *others = self.mean_ranks or [""]
        return compared_with(best, others, self.pair)

    @cached_property
    def tied(self) -> list[str]:
        """The best and the predictors beside it that do not differ from it (Holm, 5 %), in order of mean rank."""
        return [
            *list(self.mean_ranks)[:1],
            *(compared.predictor for compared in self.compared if compared.p_holm >= 1 - stats.LEVEL),
        ]

    def coverage(self, predictor: str) -> tuple[int, int]:
        """Cells (task, seed) with a number, and those the grid asks for."""
        by_task = [t.main(predictor, size) for t in self.tables if predictor in t.predictors for size in t.sizes]
        return sum(len(stat.values) for stat in by_task), sum(stat.expected for stat in by_task)


def point(rank: stats.Interval | float) -> float:
    """The mean rank itself."""
    return rank.mean if isinstance(rank, stats.Interval) else rank


def compared_with(
    best: str, others: Sequence[str], pair: Callable[[str, str], tuple[stats.Paired | None, int]]
) -> list[Compared]:
    """The best less each of the others that `pair` can pair with it (with its number of seeds), p by Holm."""
    pairs = {other: (paired, n) for other in others for paired, n in [pair(best, other)] if paired}
    corrected = stats.holm([paired.p for paired, _ in pairs.values()])
    return [Compared(o, paired, float(p), n) for (o, (paired, n)), p in zip(pairs.items(), corrected, strict=True)]


def by_dataset(tables: list[Table]) -> list[list[Table]]:
    """Tables of one data set together."""
    strata: dict[str, list[Table]] = {}
    for table in tables:
        strata.setdefault(table.dataset, []).append(table)
    return list(strata.values())


def _shared_seeds(table: Table, predictors: list[str]) -> set[int]:
    """The seeds that the grid asks of all these predictors at the shared sizes."""
    seeds = [table.seeds_of(p, table.shared_sizes) for p in predictors]
    return set.intersection(*seeds) if seeds else set()


def _has_all(table: Table, predictor: str, seeds: tuple[int, ...]) -> bool:
    return bool(seeds) and all(set(seeds) <= set(table.main(predictor, size).seeds) for size in table.shared_sizes)


def _values(table: Table, predictor: str, seeds: tuple[int, ...]) -> np.ndarray:
    """The main metric at the shared sizes, more being better: (sizes, seeds)."""
    sign = table.better(table.metric, 1.0)
    return sign * np.array([table.main(predictor, size).values_of(seeds) for size in table.shared_sizes])


def compared_seeds(table: Table, a: str, b: str, *numbers: Stat) -> tuple[int, ...]:
    """The seeds that all of some numbers of two predictors have; only those added after a look, where there are any."""
    common = set.intersection(*(set(stat.seeds) for stat in numbers))
    seen = max(table.looked_at.get(p, 0) for p in (a, b))
    return tuple(sorted({seed for seed in common if seed >= seen} or common))


def rankings(tables: list[Table]) -> list[Ranking]:
    """One ranking a metric, in the order of the tables (`Scores.rankings`: computed once a board)."""
    by_metric: dict[str, list[Table]] = {}
    for table in independent(tables):
        by_metric.setdefault(table.metric, []).append(table)
    return [Ranking(metric, of_metric) for metric, of_metric in by_metric.items()]


def independent(tables: list[Table]) -> list[Table]:
    """The tables whose tasks count: predictions scored on two kinds of labels count once, with the last.

    (That is test accuracy under tnasp: the two are no independent tasks.)
    """
    last = {(t.dataset, t.protocol, t.target): t for t in tables}
    return list(last.values())


@dataclass(frozen=True)
class VariantEffect:
    """What a variant gains against its bare predictor at one size: variant less base, more being better."""

    base: str
    variant: str
    size: Size
    paired: stats.Paired
    seeds: int


def variants(table: Table) -> dict[str, list[str]]:
    """Variants of each predictor that is in the table both bare and varied: `nn_former` has `nn_former-plain`."""
    by_base: dict[str, list[str]] = {}
    for label in table.predictors:
        base = predictor_of(label)
        if label != base and base in table.predictors:
            by_base.setdefault(base, []).append(label)
    return by_base


def variant_effects(table: Table) -> list[VariantEffect]:
    """Every variant beside its bare predictor, paired by seed, at each summary size; [] with fewer than two seeds."""
    sign, effects = table.better(table.metric, 1.0), []
    for base, names in variants(table).items():
        for size in table.summary_sizes():
            for name in names:
                ours, theirs = table.main(name, size), table.main(base, size)
                seeds = compared_seeds(table, name, base, ours, theirs)
                pair = stats.paired(
                    [sign * np.array(ours.values_of(seeds))], [sign * np.array(theirs.values_of(seeds))]
                )
                if pair:
                    effects.append(VariantEffect(base, name, size, pair, len(seeds)))
    return effects
