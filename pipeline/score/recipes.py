"""What the architecture gives and what the recipe gives: architectures by recipes, where a table has several of both.

The label says which is which (`pipeline.core.names.recipe_of`). Compared are the architectures that have a number for
every seed under each of the recipes that two or more of them share.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.core.names import RECIPES, recipe_of
from pipeline.score import stats
from pipeline.score.tables import Size, Table


@dataclass(frozen=True)
class Gain:
    """How much `first` is ahead of `second`, paired by seed on `seeds` of them: architectures, or recipes."""

    first: str
    second: str
    paired: stats.Paired
    seeds: int


@dataclass(frozen=True)
class TwoWay:
    """Architectures by recipes at one size of a table.

    `labels`: the label by (architecture, recipe). `architecture`: by recipe, its best architecture and the next.
    `recipe`: each recipe against the one before it, mean over architectures.
    """

    table: Table
    size: Size
    architectures: tuple[str, ...]
    recipes: tuple[str, ...]
    labels: dict[tuple[str, str], str]
    architecture: dict[str, Gain]
    recipe: tuple[Gain, ...]


def two_ways(table: Table) -> list[TwoWay]:
    """One a size that has two architectures or more under two recipes or more, with two seeds or more."""
    found = (_two_way(table, size) for size in table.sizes)
    return [two_way for two_way in found if two_way]


def _two_way(table: Table, size: Size) -> TwoWay | None:
    complete = [label for label in table.predictors if recipe_of(label) and table.main(label, size).complete]
    labels = {recipe_of(label): label for label in complete}
    shared = [r for r in RECIPES if sum(recipe == r for _, recipe in labels) > 1]
    architectures = [a for a in dict.fromkeys(a for a, _ in labels) if all((a, r) in labels for r in shared)]
    if len(shared) < 2 or len(architectures) < 2:
        return None
    numbers = {key: table.main(labels[key], size) for key in ((a, r) for a in architectures for r in shared)}
    seeds = sorted(set.intersection(*(set(stat.seeds) for stat in numbers.values())))
    if len(seeds) < 2:
        return None
    sign = table.better(table.metric, 1.0)
    values = {key: sign * np.array(stat.values_of(seeds)) for key, stat in numbers.items()}
    by_recipe = {r: np.mean([values[a, r] for a in architectures], 0) for r in shared}
    architecture = {}
    for r in shared:
        first, second, *_ = sorted(architectures, key=lambda a: (-values[a, r].mean(), a))
        architecture[r] = Gain(first, second, stats.paired([values[first, r]], [values[second, r]]), len(seeds))
    recipe = tuple(
        Gain(after, before, stats.paired([by_recipe[after]], [by_recipe[before]]), len(seeds))
        for before, after in zip(shared, shared[1:], strict=False)
    )
    of_both = {key: labels[key] for key in numbers}
    return TwoWay(table, size, tuple(architectures), tuple(shared), of_both, architecture, recipe)
