"""Ranks over all tasks of a grid and the paired comparison of every predictor with the best. Nothing is imputed.

A task is a data set at one training size. Predictors are ranked by the main metric, seed by seed, so that a mean rank
is the rank to expect of one run, and its interval comes from the seeds like every other. Only predictors with a number
for every task and seed have a mean rank; the others are listed with what they lack.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pipeline.score import stats
from pipeline.score.tables import Size, Table


@dataclass(frozen=True)
class Compared:
    """A predictor beside the best one: the best less this one, in the metric's units; p corrected for their number."""

    predictor: str
    paired: stats.Paired
    p_holm: float


class Ranking:
    """All tables of one metric: tasks (table, size), the predictors ranked on all of them, and those that are not."""

    def __init__(self, metric: str, tables: list[Table]):
        self.metric, self.tables = metric, tables
        self.tasks: list[tuple[Table, Size]] = [(table, size) for table in tables for size in table.sizes]
        self.predictors = list(dict.fromkeys(p for table in tables for p in table.predictors))
        self.ranked = [p for p in self.predictors if all(_has_all(t, p) for t in tables)]

    @cached_property
    def values(self) -> list[np.ndarray]:
        """The main metric turned so that more is better: one array a table, (ranked, sizes, seeds)."""
        found = []
        for table in self.tables:
            sign = table.better(self.metric, 1.0)
            by_size = [[table.main(p, size).values for size in table.sizes] for p in self.ranked]
            found.append(sign * np.array(by_size).reshape(len(self.ranked), len(table.sizes), len(table.seeds)))
        return found

    @cached_property
    def mean_ranks(self) -> dict[str, stats.Interval | float]:
        """Mean rank of each ranked predictor, best first: with its interval, or bare where there is but one seed."""
        by_table = [stats.ranks(v).mean(1) for v in self.values]  # each (ranked, seeds)
        found = {}
        for i, predictor in enumerate(self.ranked):
            per_seed = [ranks[i] for ranks in by_table]
            found[predictor] = stats.interval(per_seed) or float(np.mean([ranks.mean() for ranks in per_seed]))
        return dict(sorted(found.items(), key=lambda item: (point(item[1]), item[0])))

    def task_ranks(self, table: Table, size: Size) -> dict[str, float]:
        """Rank of the mean over seeds among all predictors that are complete at this size."""
        complete = [p for p in table.predictors if table.main(p, size).complete]
        means = [table.better(self.metric, table.main(p, size).mean) for p in complete]
        return dict(zip(complete, stats.ranks(means), strict=True)) if complete else {}

    def pair(self, a: str, b: str) -> stats.Paired | None:
        """`a` less `b`, paired by task and seed; None with fewer than two seeds."""
        i, j = self.ranked.index(a), self.ranked.index(b)
        return stats.paired([v[i] for v in self.values], [v[j] for v in self.values])

    @cached_property
    def compared(self) -> list[Compared]:
        """Every other ranked predictor beside the best; [] without a second one or a second seed."""
        best, *others = self.mean_ranks or [""]
        pairs = [self.pair(best, other) for other in others]
        if not pairs or None in pairs:
            return []
        corrected = stats.holm([pair.p for pair in pairs])
        return [Compared(o, pair, float(p)) for o, pair, p in zip(others, pairs, corrected, strict=True)]

    @cached_property
    def tied(self) -> list[str]:
        """The best and the predictors that do not differ from it (Holm, 5 %), in order of mean rank."""
        apart = {found.predictor for found in self.compared if found.p_holm < 1 - stats.LEVEL}
        return [p for p in self.mean_ranks if p not in apart] if self.compared else list(self.mean_ranks)[:1]

    def coverage(self, predictor: str) -> tuple[int, int]:
        """Cells (task, seed) with a number, and those the grid asks for."""
        found = [table.main(predictor, size) for table, size in self.tasks if predictor in table.predictors]
        return sum(len(stat.values) for stat in found), sum(stat.expected for stat in found)


def point(rank: stats.Interval | float) -> float:
    """The mean rank itself."""
    return rank.mean if isinstance(rank, stats.Interval) else rank


def _has_all(table: Table, predictor: str) -> bool:
    found = [table.main(predictor, size) for size in table.sizes]
    return all(stat.complete and stat.seeds == tuple(table.seeds) for stat in found)


def rankings(tables: list[Table]) -> list[Ranking]:
    """One ranking a metric, in the order of the tables.

    Predictions scored on two kinds of labels count once, with the last (test accuracy under tnasp): they are no two
    independent tasks.
    """
    kept: dict[tuple, Table] = {(t.dataset, t.protocol, t.target): t for t in tables}
    by_metric: dict[str, list[Table]] = {}
    for table in kept.values():
        by_metric.setdefault(table.metric, []).append(table)
    return [Ranking(metric, found) for metric, found in by_metric.items()]
