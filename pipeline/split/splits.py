"""Splits: one permutation per data set and seed; smaller training sets are prefixes of larger ones.

The permutation is cut into test (first) and pool. The training set of n labels for a target and device is the
first n graphs of the pool, in rank order, that have that label.
"""

import argparse
import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from pipeline.config import datasets
from pipeline.core import schema, table_checks
from pipeline.core.errors import BenchError, short


def make_split(n_graphs: int, dataset: str, seed: int, test: float = 0.2) -> pl.DataFrame:
    """The split of graphs 0 .. n_graphs-1, sorted by graph_id: columns graph_id, role, rank (see pipeline.core.schema).

    `test` is a fraction of n_graphs, rounded to the nearest whole number. The permutation is numpy's PCG64
    seeded by (SHA-256 of the name, seed), so that two data sets do not share one. Raises BenchError on a bad argument.
    """
    if seed < 0 or not 0 <= test < 1:
        raise BenchError(f"split of {dataset}: test {test}, seed {seed}: need 0 <= test < 1 and seed >= 0")
    name = int.from_bytes(hashlib.sha256(dataset.encode()).digest()[:8], "little")
    order = np.random.Generator(np.random.PCG64([name, seed])).permutation(n_graphs)
    n_test = int(test * n_graphs + 0.5)
    sizes = {"test": n_test, "pool": n_graphs - n_test}
    return pl.DataFrame(
        {
            "graph_id": order,
            "role": [role for role, size in sizes.items() for _ in range(size)],
            "rank": [rank for size in sizes.values() for rank in range(size)],
        },
        schema=schema.SPLITS,
        strict=False,
    ).sort("graph_id")


def led_by(split: pl.DataFrame, first: Sequence[int]) -> pl.DataFrame:
    """The split with the networks `first` at the head of the pool, in their order; none of them is held out."""
    place = pl.DataFrame({"graph_id": first, "place": range(len(first))}, schema_overrides={"graph_id": pl.UInt32})
    named, rank = split.join(place, "graph_id", "left"), pl.col("rank").cast(pl.Int64) + len(first)
    return named.select(
        "graph_id",
        role=pl.when(pl.col("place").is_null()).then("role").otherwise(pl.lit("pool")),
        rank=pl.coalesce("place", rank),
    )


def training_ids(split: pl.DataFrame, labelled: pl.Series, n: int | None) -> pl.Series:
    """graph_id of the first n pool graphs (all with None), in rank order, that are in `labelled`.

    Raises BenchError if there are too few.
    """
    pool = split.filter((pl.col("role") == "pool") & pl.col("graph_id").is_in(labelled.implode()))
    if n is not None and pool.height < n:
        raise BenchError(f"training set: {n} labels asked for, the pool has {pool.height}; ask for fewer")
    return pool.sort("rank")["graph_id"].head(pool.height if n is None else n)


def main() -> None:
    """Command line: write one split file."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.split", description=__doc__.partition("\n")[0])
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--graphs", type=Path, required=True, help="data/parquet/<dataset>/graphs.parquet")
    parser.add_argument("--out", type=Path, required=True, help="data/splits/<dataset>/<seed>.parquet")
    args = parser.parse_args()
    dataset = datasets.get(args.dataset)
    graphs, meta = table_checks.read_graphs(args.graphs)
    if meta["dataset"] != dataset.name:
        raise BenchError(f"{args.graphs}: of data set {short(meta['dataset'])}, not {dataset.name!r}; convert it again")
    split = make_split(graphs.height, dataset.name, args.seed, dataset.test_fraction)
    schema.check_split(split, graphs.height, args.out)
    about = {"dataset": dataset.name, "version": dataset.version, "seed": args.seed}
    table_checks.write(args.out, split, about, meta[table_checks.CONTENT])
