"""The tables of a data set as they are read to train or to score: they may have changed since they were written.

A label that meets another graph than its own is no crash: nothing but such a check tells of it.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from pipeline.core import io, schema
from pipeline.core.errors import BenchError

SAME = (("dataset", "data set"), ("version", "version"))


def read(data: Path) -> tuple[pl.DataFrame, dict, pl.DataFrame]:
    """graphs.parquet of a folder, its metadata, and targets.parquet.

    Raises BenchError, naming the file, unless they keep to the rules and belong together.
    """
    graphs_file, targets_file = data / "graphs.parquet", data / "targets.parquet"
    graphs, meta, targets = io.read_parquet(graphs_file), io.read_meta(graphs_file), io.read_parquet(targets_file)
    schema.check_graphs(graphs, meta, graphs_file)
    schema.check_targets(targets, graphs.height, targets_file)
    require_same(meta, io.read_meta(targets_file), targets_file)
    return graphs, meta, targets


def read_split(path: Path, n_graphs: int) -> pl.DataFrame:
    """A split of `n_graphs` graphs. Raises BenchError, naming the file, unless it keeps to the rules."""
    split = io.read_parquet(path)
    schema.check_split(split, n_graphs, path)
    return split


def require_same(graphs: dict, targets: dict, where: Path | str) -> None:
    """Raise BenchError where the metadata of graphs and targets name two data sets or versions."""
    for key, word in SAME:
        if key in graphs and key in targets and graphs[key] != targets[key]:
            raise BenchError(
                f"{where}: of {word} {targets[key]!r}, the graphs are of {graphs[key]!r}; "
                "delete the file and convert again"
            )
