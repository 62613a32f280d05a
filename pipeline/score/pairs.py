"""Two predictors that a grid wants compared, table by table, device by device, seed by seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.score import stats
from pipeline.score.ranking import compared_seeds
from pipeline.score.tables import Size, Stat, Table


@dataclass(frozen=True)
class Pair:
    """`a` beside `b` in one metric. `sizes`: one, or all families left out, averaged. `paired`: `a` less `b`, in the
    metric's units, more being better; `p_holm` is corrected for all pairs of the board."""

    a: str
    b: str
    table: Table
    sizes: tuple[Size, ...]
    device: str
    metric: str
    of_a: Stat
    of_b: Stat
    paired: stats.Paired
    seeds: int
    p_holm: float


def compare(tables: Sequence[Table], wanted: Sequence[tuple[str, str]]) -> list[Pair]:
    """All comparisons of the pairs `wanted`, on the main split; where the two share two seeds at least.

    Costs are compared in MAPE and Acc(10 %), accuracies in the main metric.
    """
    found = [
        (a, b, table, sizes, device, metric, *compared)
        for a, b in wanted
        for table in tables
        if {a, b} <= set(table.predictors)
        for sizes in _sizes(table)
        for device in table.devices
        for metric in (("mape", "acc10") if table.is_cost else (table.metric,))
        if (compared := _compared(table, a, b, sizes, device, metric))
    ]
    corrected = stats.holm([entry[8].p for entry in found])
    return [Pair(*entry, float(p)) for entry, p in zip(found, corrected, strict=True)]


def _sizes(table: Table) -> list[tuple[Size, ...]]:
    if all(size.budget.family for size in table.sizes):
        return [tuple(table.sizes)]
    return [(size,) for size in table.sizes]


def _compared(table: Table, a: str, b: str, sizes: tuple[Size, ...], device: str, metric: str) -> tuple | None:
    """Both numbers, their paired difference and the number of seeds it is of."""
    of_a, of_b = (table.over_sizes(p, metric, table.split, device, sizes) for p in (a, b))
    seeds = compared_seeds(table, a, b, of_a, of_b)
    sign = table.better(metric, 1.0)
    paired = stats.paired(*([sign * np.array(stat.values_of(seeds))] for stat in (of_a, of_b)))
    return None if paired is None else (of_a, of_b, paired, len(seeds))
