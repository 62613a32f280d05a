"""Which labels a cell trains on and which graphs are held out; its words are those of `pipeline.config.budget`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from pipeline.config.budget import Sources, n_labels
from pipeline.core.errors import BenchError
from pipeline.split import splits


@dataclass(frozen=True)
class TrainingSet:
    """`rows`: graph_id, device, value of every training label, the cell's own device last. `val`, `test`: graph ids."""

    rows: pl.DataFrame
    n_train: int
    val: np.ndarray
    test: np.ndarray

    @property
    def n_source(self) -> int:
        """Labels of other devices."""
        return self.rows.height - self.n_train


def make(
    train: str, sources: Sources | None, device: str, labels: pl.DataFrame, graphs: pl.DataFrame, split: pl.DataFrame
) -> TrainingSet:
    """The training set of a cell.

    `labels`: graph_id, device, value, stage of one target; `graphs`: graph_id, family; `split`: see `splits`.

    Raises:
        BenchError: too few labels, no such family or no stage marks.
    """
    word = train.partition("-from-")[0]
    split_of = {role: split.filter(pl.col("role") == role).sort("rank")["graph_id"] for role in ("val", "test")}
    if word == "stage":
        test = labels.filter(pl.col("stage") == "test", pl.col("device") == device)["graph_id"]
        chosen = labels.filter(pl.col("stage") == "train").sort("graph_id")
        val = pl.Series([], dtype=pl.UInt32)
    elif word.startswith("without-"):
        test = graphs.filter(pl.col("family") == word.removeprefix("without-"))["graph_id"]
        chosen = labels.filter(~pl.col("graph_id").is_in(test.implode())).sort("graph_id")
        val = pl.Series([], dtype=pl.UInt32)
    else:
        test, val, chosen = split_of["test"], split_of["val"], labels
    if test.is_empty():
        raise BenchError(
            f"training set {train!r} on {device}: nothing is held out; check the family or the stage marks"
        )

    def of(name: str, n: int | None) -> pl.DataFrame:
        rows = chosen.filter(pl.col("device") == name)
        if word == "stage" or word.startswith("without-"):
            return rows
        have = rows["graph_id"]
        pool = split.filter(pl.col("role") == "pool", pl.col("graph_id").is_in(have.implode()))
        ids = splits.training_ids(split, have, pool.height if n is None else n)
        return ids.to_frame("graph_id").join(rows, on="graph_id", how="left", maintain_order="left")

    parts = [of(name, sources.labels) for name in sources.others(device)] if sources else []
    own = of(device, n_labels(train, graphs.height))
    if own.is_empty():
        raise BenchError(f"training set {train!r}: no labels on {device}; check the grid's device and target")
    rows = pl.concat([part.select("graph_id", "device", "value") for part in (*parts, own)])
    with_label = labels.filter(pl.col("device") == device)["graph_id"]
    return TrainingSet(rows, own.height, val.filter(val.is_in(with_label.implode())).to_numpy(), test.to_numpy())
