"""The scores of one grid and all that is quoted from them, worked out once a board."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import polars as pl

from pipeline.config import datasets
from pipeline.config import grid as grids
from pipeline.core import io
from pipeline.core.errors import BenchError, quoted
from pipeline.score import external, label_noise, pairs, published, ranking, score_table
from pipeline.score import likeness as device_likeness
from pipeline.score.headline import Headline, headline
from pipeline.score.likeness import Likeness
from pipeline.score.messages import Messages
from pipeline.score.messages import parse as parse_messages
from pipeline.score.tables import Table, tables_of


@dataclass(frozen=True, eq=False)
class Scores:
    """`rows`: the table of scores; `tables`: its rows by task; `figures`: published ones; `noise`: of the labels.

    `messages`: of the cells that failed. `likeness`: of the devices of a data set. `external`: results from outside.
    """

    grid: grids.Grid
    rows: pl.DataFrame
    tables: list[Table]
    figures: list[published.Figure]
    noise: list[label_noise.Noise]
    messages: Messages = field(default_factory=dict)
    likeness: list[Likeness] = field(default_factory=list)
    external: list[external.Scored] = field(default_factory=list)

    @cached_property
    def rankings(self) -> list[ranking.Ranking]:
        """One a metric."""
        return ranking.rankings(self.tables)

    @cached_property
    def compared_tables(self) -> list[Table]:
        """The tables whose tasks count in ranks and means, in the order of the rankings."""
        return [table for ranking in self.rankings for table in ranking.tables]

    @cached_property
    def pairs(self) -> list[pairs.Pair]:
        """The pairs that the grid wants compared."""
        return pairs.compare(self.tables, self.grid.pairs)

    @cached_property
    def comparisons(self) -> dict[str, list[published.Comparison]]:
        """Published figures beside ours, by the name of the table."""
        return {table.name: published.compare(table, self.figures) for table in self.tables}

    @cached_property
    def headline(self) -> Headline:
        """What the board opens with."""
        return headline(self.tables, self.compared_tables, self.comparisons, self.noise, self.figures, self.pairs)

    @property
    def synthetic(self) -> bool:
        """True when a label is made up."""
        return any(table.synthetic for table in self.tables)


def load(grid: Path | str, scores: Path | str) -> Scores:
    """The scores of a grid. Raises BenchError when a file is missing or damaged, or the two are of different cells."""
    asked, rows = grids.load_grid(grid), score_table.read(scores)
    tables = tables_of(asked, rows, datasets.load(), scores)
    meta = io.read_meta(scores)
    try:
        noise, messages = label_noise.parse(meta.get("noise")), parse_messages(meta.get("messages"))
        alike = device_likeness.parse(meta.get("likeness"))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        said = f"what it says of noise, messages or devices can't be read ({quoted(error)})"
        raise BenchError(f"{scores}: {said}; score again") from error
    return Scores(asked, rows, tables, published.load(), noise, messages, alike, external.beside(scores))
