"""Tables as they are read to train or to score: what a converter checked when it wrote them may have changed since.

The rules are those of `schema`; the checks here take a few milliseconds for 15,625 cells, so that each cell can afford
them. A label that meets another graph than its own is no crash: nothing but such a check tells of it.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from pipeline.core import schema
from pipeline.core.errors import BenchError
from pipeline.core.targets import is_cost

LABEL = ("graph_id", "target", "device")
SAME = (("dataset", "data set"), ("version", "version"))


def check_graphs(frame: pl.DataFrame, meta: dict, where: Path | str) -> None:
    """Raise BenchError unless graphs are numbered in their order and each is one of `schema.GRAPHS`."""
    schema.check(frame, schema.GRAPHS, where)
    for key, kind in schema.GRAPHS_META.items():
        if not isinstance(meta.get(key), kind):
            raise _error(where, f"metadata key {key} is missing or not a {kind.__name__}")
    n_nodes, edges = pl.col("n_nodes").cast(pl.Int64), pl.col("dst").list.len()
    _refuse(
        frame,
        {
            "graph_id is not 0, 1, 2, ...": pl.col("graph_id") != pl.int_range(pl.len()),
            "a graph has no nodes": n_nodes < 1,
            "length of op is not n_nodes": pl.col("op").list.len() != n_nodes,
            "src and dst differ in length": pl.col("src").list.len() != edges,
            "length of attrs is wrong": pl.col("attrs").list.len() != n_nodes * len(meta["attr_names"]),
            "length of out_shape is wrong": pl.col("out_shape").list.len() != n_nodes * meta["out_shape_rank"],
            "an op id is outside op_vocab": pl.col("op").list.max() >= len(meta["op_vocab"]),
        },
        where,
    )
    ends = frame.select("graph_id", "n_nodes", "src", "dst").explode("src", "dst").drop_nulls()
    edge = pl.col("src").cast(pl.Int64) * 2**16 + pl.col("dst")
    same_graph = pl.col("graph_id") == pl.col("graph_id").shift()
    _refuse(
        ends,
        {
            "an edge points outside the graph": pl.col("dst") >= pl.col("n_nodes"),
            "an edge runs against the order of nodes": pl.col("src") >= pl.col("dst"),
            "edges are not sorted by (src, dst), each once": same_graph & (edge.diff() <= 0),
        },
        where,
    )


def check_targets(targets: pl.DataFrame, n_graphs: int, where: Path | str) -> None:
    """Raise BenchError unless every label is finite, of a known graph, and the only one of its target and device.

    Costs are positive.
    """
    schema.check(targets, schema.targets_schema(targets), where)
    costs = [target for target in targets["target"].unique() if is_cost(target)]
    _refuse(
        targets,
        {
            f"graph_id is not below {n_graphs}": pl.col("graph_id") >= n_graphs,
            "a latency or energy is not positive": pl.col("target").is_in(costs) & (pl.col("value") <= 0),
        },
        where,
    )
    same_list = (pl.col("target") == pl.col("target").shift()) & (pl.col("device") == pl.col("device").shift())
    rising = same_list & (pl.col("graph_id") > pl.col("graph_id").shift())
    starts = targets.select("target", "device").filter(~targets.select(rising.fill_null(False)).to_series())
    if starts.is_duplicated().any():  # not one list for each target and device, by graph: then the slow way
        _refuse(targets, {"two labels for one graph, target and device": pl.struct(LABEL).is_duplicated()}, where)


def check(
    frame: pl.DataFrame, meta: dict, targets: pl.DataFrame, about_targets: dict, split: pl.DataFrame, data: Path,
    split_file: Path,
) -> None:  # fmt: skip
    """Raise BenchError, naming the file, unless the three tables keep to the rules and belong together."""
    graphs_file, targets_file = data / "graphs.parquet", data / "targets.parquet"
    check_graphs(frame, meta, graphs_file)
    check_targets(targets, frame.height, targets_file)
    schema.check_split(split, frame.height, split_file)
    require_same(meta, about_targets, targets_file)


def require_same(graphs: dict, targets: dict, where: Path | str) -> None:
    """Raise BenchError where the metadata of graphs and targets name two data sets or versions."""
    for key, word in SAME:
        if key in graphs and key in targets and graphs[key] != targets[key]:
            raise _error(where, f"of {word} {targets[key]!r}, the graphs are of {graphs[key]!r}")


def _refuse(table: pl.DataFrame, wrong: dict[str, pl.Expr], where: Path | str) -> None:
    """Raise BenchError with the first reason of `wrong` that holds for a row, naming the row's graph."""
    found = table.select(*(reason.any().alias(what) for what, reason in wrong.items()))
    for what, reason in wrong.items():
        if found.height and found[what][0]:
            graph = table.filter(reason)["graph_id"][0]
            raise _error(where, f"{what} (graph_id {graph})")


def _error(where: Path | str, what: str) -> BenchError:
    return BenchError(f"{where}: {what}; delete the file and convert again")
