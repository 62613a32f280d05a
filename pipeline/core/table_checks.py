"""The three tables of a data set as they are read to train or to score: they may have changed since they were written.

A label that meets another graph than its own is no crash: nothing but such a check tells of it.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from pipeline.core import schema
from pipeline.core.errors import BenchError

SAME = (("dataset", "data set"), ("version", "version"))


def check(
    frame: pl.DataFrame, meta: dict, targets: pl.DataFrame, about_targets: dict, split: pl.DataFrame, data: Path,
    split_file: Path,
) -> None:  # fmt: skip
    """Raise BenchError, naming the file, unless the three tables keep to the rules and belong together."""
    targets_file = data / "targets.parquet"
    schema.check_graphs(frame, meta, data / "graphs.parquet")
    schema.check_targets(targets, frame.height, targets_file)
    schema.check_split(split, frame.height, split_file)
    require_same(meta, about_targets, targets_file)


def require_same(graphs: dict, targets: dict, where: Path | str) -> None:
    """Raise BenchError where the metadata of graphs and targets name two data sets or versions."""
    for key, word in SAME:
        if key in graphs and key in targets and graphs[key] != targets[key]:
            raise BenchError(
                f"{where}: of {word} {targets[key]!r}, the graphs are of {graphs[key]!r}; "
                "delete the file and convert again"
            )
