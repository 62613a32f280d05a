"""Architectures by recipes in one table: what each gives."""

from __future__ import annotations

from pipeline.report.format import MISSING, TITLES, cell, markdown, title
from pipeline.report.questions import RECIPE_WORDS, gain_text
from pipeline.score.recipes import TwoWay


def two_way_section(two_way: TwoWay) -> list[str]:
    """A row an architecture, a column a recipe; below, what a recipe adds and how far the first is ahead."""
    table, metric = two_way.table, two_way.table.metric
    rows = [
        [f"`{a}`", *(cell(table.main(two_way.labels[a, r], two_way.size), metric) for r in two_way.recipes)]
        for a in two_way.architectures
    ]
    added = [gain_text(gain, metric) for gain in two_way.recipe]
    ahead = [gain_text(two_way.architecture[r], metric) for r in two_way.recipes]
    rows.append(["*more than by the recipe before, mean*", MISSING, *added])
    rows.append(["*the first less the next*", *ahead])
    seeds = two_way.recipe[0].seeds
    return [
        f"### Architecture and recipe: {title(table)}, {two_way.size.n_train:,} labels", "",
        f"{TITLES[metric]}, split `{table.split}`; differences paired over {seeds} seeds, with 95 % intervals:", "",
        *markdown(["Architecture", *(RECIPE_WORDS[r] for r in two_way.recipes)], rows), "",
    ]  # fmt: skip
