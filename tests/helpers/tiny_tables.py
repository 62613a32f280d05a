"""Made-up tables of 60 cells: two accuracies, latencies on three devices, families, marks, and labels that are missing.

Every label is a number of its own, so that a number tells whose label it is.
"""

from __future__ import annotations

import functools
from pathlib import Path

import polars as pl

from pipeline.core import schema, table_checks
from pipeline.spaces import cells
from pipeline.train.cell import Tables

N = 60
FAMILIES = ("alpha", "beta", "gamma")
DEVICES = ("server", "watch", "phone")
MISSING = {("latency_ms", "phone", 7), ("latency_ms", "phone", 22), ("latency_ms", "server", 31), ("val_acc", "any", 7)}
POOL_FIRST = [(7 * i + 3) % N for i in range(N)]  # a permutation: 3, 10, 17, ...
N_TEST = 15


@functools.cache
def tiny_tables() -> Tables:
    """The tables; do not change them. The first 15 of POOL_FIRST reversed are the split's test, the others the pool."""
    ops = [[cells.OPS_201[(graph // 5**k + k) % 5] for k in range(6)] for graph in range(N)]
    frame = cells.graphs_frame([str(g) for g in range(N)], "f", [cells.cell_201(row) for row in ops], cells.VOCAB_201)
    frame = frame.with_columns(family=pl.Series([FAMILIES[g % 3] for g in range(N)]))
    meta = {
        "dataset": "tiny",
        "version": "v0",
        "op_vocab": list(cells.VOCAB_201),
        "attr_names": [],
        "out_shape_rank": 0,
    }
    return Tables(frame, meta, targets(), split())


def write(folder: Path) -> list[str]:
    """The three tables in a folder; the options of a cell's command that name them."""
    tables = tiny_tables()
    write_all(folder, tables.frame, tables.meta, tables.targets, tables.split)
    return ["--data", str(folder), "--split", str(folder / "split.parquet")]


def write_all(folder: Path, graphs: pl.DataFrame, meta: dict, targets: pl.DataFrame, split: pl.DataFrame) -> Path:
    """Three tables as their steps write them, the split as that of seed 0: split.parquet."""
    table_checks.publish(folder, graphs, meta, targets)
    _, written = table_checks.read_graphs(folder / "graphs.parquet")
    about = {"dataset": meta["dataset"], "seed": 0}
    table_checks.write(folder / "split.parquet", split, about, written[table_checks.CONTENT])
    return folder


def targets() -> pl.DataFrame:
    """Labels: 90 and more for accuracies, 1 and more for latencies; every fourth graph is marked test."""
    of_a_target = [("val_acc", "any", 90.0), ("test_acc", "any", 91.0)]
    of_a_target += [("latency_ms", device, 1.0 + i) for i, device in enumerate(DEVICES)]
    rows = [
        (graph, target, device, 1, start + (graph * 37 % N) / 64, "test" if graph % 4 == 0 else "train")
        for target, device, start in of_a_target
        for graph in range(N)
        if (target, device, graph) not in MISSING
    ]
    return pl.DataFrame(rows, schema=schema.TARGETS, orient="row")


def split() -> pl.DataFrame:
    """Ranks go by POOL_FIRST, from its end for the graphs held out."""
    test, pool = POOL_FIRST[::-1][:N_TEST], POOL_FIRST[: N - N_TEST]
    rows = [(graph, "test", rank) for rank, graph in enumerate(test)]
    rows += [(graph, "pool", rank) for rank, graph in enumerate(pool)]
    return pl.DataFrame(rows, schema=schema.SPLITS, orient="row").sort("graph_id")
