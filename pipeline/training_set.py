"""Which labels a cell trains on and which graphs are held out, from the words of its config.

The `train` word of a cell is one of

- ``0.05``: that fraction of the data set, the first graphs of the split's pool;
- ``n900``: that many labels, the first graphs of the pool that have one;
- ``stage``: the labels the source marks as train; its test marks are held out;
- ``without-<family>``: every label of the other families; the named one is held out.

With `sources` the labels of other devices are added, the cell's own device stays the one predicted, and the word ends
in ``-from-<hash of the sources>``.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import polars as pl

from pipeline import splits
from pipeline.errors import BenchError


@dataclass(frozen=True)
class Sources:
    """Devices whose labels are there before the cell's own: the first `labels` of each pool, or all with None."""

    devices: tuple[str, ...]
    labels: int | None

    @classmethod
    def parse(cls, text: str) -> Sources | None:
        """From the JSON of `text`; None for {}."""
        raw = json.loads(text)
        return cls(tuple(raw["devices"]), raw["labels"]) if raw else None

    def dump(self) -> str:
        """JSON that `parse` reads."""
        return json.dumps({"devices": self.devices, "labels": self.labels})

    @property
    def suffix(self) -> str:
        """What the `train` word of a cell with these sources ends in."""
        return f"-from-{hashlib.blake2b(self.dump().encode(), digest_size=4).hexdigest()}"


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


def n_labels(train: str, n_graphs: int) -> int | None:
    """Number of labels of a word: n900 -> 900, 0.005 of N -> floor(0.005 N + 0.5), None where the data decide."""
    word = train.partition("-from-")[0]
    if word == "stage" or word.startswith("without-"):
        return None
    if word.startswith("n"):
        return int(word[1:])
    return math.floor(Decimal(word) * n_graphs + Decimal("0.5"))


def make(
    train: str, sources: Sources | None, device: str, labels: pl.DataFrame, graphs: pl.DataFrame, split: pl.DataFrame
) -> TrainingSet:
    """The training set of a cell.

    `labels`: graph_id, device, value, stage of one target; `graphs`: graph_id, family; `split`: see `pipeline.splits`.

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

    parts = [of(name, sources.labels) for name in sources.devices] if sources else []
    own = of(device, n_labels(train, graphs.height))
    if own.is_empty():
        raise BenchError(f"training set {train!r}: no labels on {device}; check the grid's device and target")
    rows = pl.concat([part.select("graph_id", "device", "value") for part in (*parts, own)])
    with_label = labels.filter(pl.col("device") == device)["graph_id"]
    return TrainingSet(rows, own.height, val.filter(val.is_in(with_label.implode())).to_numpy(), test.to_numpy())
