"""Which labels a cell trains on and which networks are held out, by its budget (`pipeline.config.budget`)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from pipeline.config.budget import Kind
from pipeline.config.cell_spec import CellSpec
from pipeline.config.references import REFERENCES
from pipeline.core import schema
from pipeline.core.errors import BenchError
from pipeline.split import splits


@dataclass(frozen=True)
class TrainingSet:
    """`rows`, `val_rows`: graph_id, device, value of every label for training (the cell's own device last, its
    `n_train` labels) and for validation (own device only). `test`: graph ids held out.
    """

    rows: pl.DataFrame
    n_train: int
    val_rows: pl.DataFrame
    test: np.ndarray

    @property
    def n_source(self) -> int:
        """Labels of other devices."""
        return self.rows.height - self.n_train


def make(spec: CellSpec, labels: pl.DataFrame, graphs: pl.DataFrame, split: pl.DataFrame) -> TrainingSet:
    """The training set of a cell.

    `labels`: graph_id, target, device, value, stage, of which those marked as faulty are left out unless the budget
    takes them; `graphs`: graph_id, family; `split`: see `splits`.

    Raises:
        BenchError: too few labels, no such family or no stage marks.
    """
    budget, device = spec.budget, spec.device
    labels = schema.sound(labels, budget.faulty).filter(pl.col("target") == spec.target)
    if budget.references:
        split = splits.led_by(split, REFERENCES[spec.dataset])
    if budget.kind is Kind.MARKED:
        test = labels.filter(pl.col("stage") == "test", pl.col("device") == device)["graph_id"]
        eligible = labels.filter(pl.col("stage") == "train").sort("graph_id")
    elif budget.kind is Kind.FAMILY:
        test = graphs.filter(pl.col("family") == budget.family)["graph_id"]
        eligible = labels.filter(~pl.col("graph_id").is_in(test.implode())).sort("graph_id")
    else:
        test, eligible = split.filter(pl.col("role") == "test").sort("rank")["graph_id"], labels
    if test.is_empty():
        raise BenchError(f"budget {budget} on {device}: nothing is held out; check the family or the stage marks")

    def labels_on(name: str, n: int | None) -> pl.DataFrame:
        """The first `n` labels of a device in the order of the pool; all of them with None."""
        rows = eligible.filter(pl.col("device") == name).select("graph_id", "device", "value")
        if budget.kind in (Kind.MARKED, Kind.FAMILY):
            return rows
        ids = splits.training_ids(split, rows["graph_id"], n)
        return ids.to_frame("graph_id").join(rows, on="graph_id", how="left", maintain_order="left")

    sources = spec.sources
    source_labels = [labels_on(name, sources.labels) for name in sources.besides(device)] if sources else []
    n_train = budget.n_labels(graphs.height)
    own_labels = labels_on(device, None if n_train is None else n_train + budget.n_val)
    if own_labels.is_empty() and n_train != 0:
        raise BenchError(f"budget {budget}: no labels on {device}; check the grid's device and target")
    n_train = own_labels.height - budget.n_val
    rows = pl.concat([*source_labels, own_labels.head(n_train)])
    return TrainingSet(rows, n_train, own_labels.tail(budget.n_val), test.to_numpy())
