"""The canonical Parquet schemas, and checks that a table keeps to them. Every message names the table and the row."""

from pathlib import Path

import polars as pl

from pipeline.core.errors import BenchError
from pipeline.core.targets import is_cost

GRAPHS = pl.Schema(
    {
        "graph_id": pl.UInt32,  # 0 .. n-1, sorted
        "name": pl.String,
        "family": pl.String,
        "iso": pl.UInt64,  # hash of the isomorphism class
        "n_nodes": pl.UInt16,
        "op": pl.List(pl.UInt16),  # one id into meta["op_vocab"] per node, nodes in topological order
        "src": pl.List(pl.UInt16),  # edges along the data, sorted by (src, dst), src < dst
        "dst": pl.List(pl.UInt16),
        "attrs": pl.List(pl.Float32),  # n_nodes x len(meta["attr_names"]), row by row
        "out_shape": pl.List(pl.Int32),  # n_nodes x meta["out_shape_rank"], row by row
        "flops": pl.Float64,
        "macs": pl.Float64,
        "params": pl.Float64,
    }
)
TARGETS = pl.Schema(
    {
        "graph_id": pl.UInt32,
        "target": pl.String,
        "device": pl.String,
        "batch_size": pl.UInt16,
        "value": pl.Float64,  # unit in the target's name; accuracies in percent
        "stage": pl.String,  # the source's own train/test mark, BUSY, or null
    }
)
BUSY = "busy"  # a stage: the label was timed beside other work, and never twice alike
# Columns that may follow those of TARGETS, in this order:
FAULTY = "faulty"  # where any reading cannot be; the data card gives the rule
TAG = "tag"  # where whoever trained a network did so in a way of their own: the source's word for it
MORE_OF_TARGETS = {FAULTY: pl.Boolean(), TAG: pl.String()}
SPLITS = pl.Schema({"graph_id": pl.UInt32, "role": pl.String, "rank": pl.UInt32})
ROLES = ("pool", "test")
GRAPHS_META = {"dataset": str, "version": str, "op_vocab": list, "attr_names": list, "out_shape_rank": int}
MAX_RANK = 16  # of a tensor
NULLABLE = frozenset({"flops", "macs", "params", "stage"})


def check(df: pl.DataFrame, schema: pl.Schema, where: Path | str = "table") -> None:
    """Raise BenchError unless `df` has the columns and types of `schema`, no NaN, and nulls only where allowed."""
    if df.columns != list(schema):
        raise _error(where, f"columns are {df.columns}, expected {list(schema)}")
    for name, dtype in schema.items():
        column = df[name]
        if column.dtype != dtype:
            raise _error(where, f"column {name} is {column.dtype}, expected {dtype}")
        if column.null_count() and name not in NULLABLE:
            raise _error(where, f"column {name} is null in row {column.is_null().arg_true()[0]}")
        values = column.explode() if isinstance(dtype, pl.List) else column
        if values.dtype.is_float() and not values.drop_nulls().is_finite().all():
            raise _error(where, f"column {name} holds NaN or an infinite number")
        if isinstance(dtype, pl.List) and values.null_count() > (column.list.len() == 0).sum():
            raise _error(where, f"column {name} holds a null inside a list")


def check_graphs(df: pl.DataFrame, meta: dict, where: Path | str = "graphs") -> None:
    """`check`, and the structure of each graph: list lengths, ids, edges in range, sorted, in topological order."""
    check(df, GRAPHS, where)
    for key, kind in GRAPHS_META.items():
        if not isinstance(meta.get(key), kind):
            raise _error(where, f"metadata key {key} is missing or not a {kind.__name__}")
    for key in ("op_vocab", "attr_names"):
        if not all(isinstance(word, str) for word in meta[key]) or len(set(meta[key])) < len(meta[key]):
            raise _error(where, f"metadata key {key} is no list of different words")
    if not 0 <= meta["out_shape_rank"] <= MAX_RANK:
        raise _error(where, f"metadata key out_shape_rank is not from 0 to {MAX_RANK}")
    n_nodes, n_edges = pl.col("n_nodes").cast(pl.Int64), pl.col("dst").list.len()
    wrong = {
        "graph_id is not 0, 1, 2, ...": pl.col("graph_id") != pl.int_range(pl.len()),
        "a graph has no nodes": n_nodes < 1,
        "length of op is not n_nodes": pl.col("op").list.len() != n_nodes,
        "src and dst differ in length": pl.col("src").list.len() != n_edges,
        "length of attrs is wrong": pl.col("attrs").list.len() != n_nodes * len(meta["attr_names"]),
        "length of out_shape is wrong": pl.col("out_shape").list.len() != n_nodes * meta["out_shape_rank"],
        "an op id is outside op_vocab": pl.col("op").list.max() >= len(meta["op_vocab"]),
        **{f"{name} is negative": pl.col(name) < 0 for name in ("flops", "macs", "params")},
    }
    _refuse(df, wrong, where)
    edges = df.select("graph_id", "n_nodes", "src", "dst").explode("src", "dst").drop_nulls()
    edge = pl.col("src").cast(pl.Int64) * 2**16 + pl.col("dst")
    same_graph = pl.col("graph_id") == pl.col("graph_id").shift()
    wrong = {
        "an edge points outside the graph": pl.col("dst") >= pl.col("n_nodes"),
        "nodes are not in topological order (src < dst)": pl.col("src") >= pl.col("dst"),
        "edges are not sorted by (src, dst), each once": same_graph & (edge.diff() <= 0),
    }
    _refuse(edges, wrong, where)


def targets_schema(df: pl.DataFrame) -> pl.Schema:
    """What a table of targets must be: TARGETS, and `faulty` and `tag` where it has them."""
    more = {name: kind for name, kind in MORE_OF_TARGETS.items() if name in df.columns}
    return pl.Schema({**TARGETS, **more})


def check_targets(df: pl.DataFrame, n_graphs: int, where: Path | str = "targets") -> None:
    """`check`, and: ids below `n_graphs`, costs above 0, accuracies of 0 to 100, one value a graph, target and device.

    The columns `faulty`, where a label is, and `tag` may follow those of TARGETS.
    """
    check(df, targets_schema(df), where)
    if FAULTY in df.columns and not df[FAULTY].any():
        raise _error(where, "no label is faulty, so the column must not be there")
    costs = [target for target in df["target"].unique() if is_cost(target)]
    wrong = {
        f"graph_id is not below {n_graphs}": pl.col("graph_id") >= n_graphs,
        "a latency or energy is not positive": pl.col("target").is_in(costs) & (pl.col("value") <= 0),
        "an accuracy is not from 0 to 100": pl.col("target").str.ends_with("_acc")
        & ~pl.col("value").is_between(0, 100),
        "batch_size is 0": pl.col("batch_size") < 1,
    }
    _refuse(df, wrong, where)
    same_list = (pl.col("target") == pl.col("target").shift()) & (pl.col("device") == pl.col("device").shift())
    rising = same_list & (pl.col("graph_id") > pl.col("graph_id").shift())
    starts = df.select("target", "device").filter(~df.select(rising.fill_null(False)).to_series())
    if starts.is_duplicated().any():  # not one list for each target and device, by graph: then the slow way
        twice = pl.struct("graph_id", "target", "device").is_duplicated()
        _refuse(df, {"two labels for one graph, target and device": twice}, where)


def sound(targets: pl.DataFrame, faulty: bool = False) -> pl.DataFrame:
    """The labels without the column `faulty`, and without those it marks unless `faulty`."""
    if FAULTY not in targets.columns:
        return targets
    return (targets if faulty else targets.filter(~pl.col(FAULTY))).drop(FAULTY)


def check_split(df: pl.DataFrame, n_graphs: int, where: Path | str = "split") -> None:
    """`check`, and: every graph once, known roles, ranks 0 .. k-1 inside each role."""
    check(df, SPLITS, where)
    _refuse(df, {f"role is not one of {', '.join(ROLES)}": ~pl.col("role").is_in(ROLES)}, where)
    if not df["graph_id"].sort().equals(pl.Series(range(df.height), dtype=pl.UInt32)):
        raise _error(where, f"graph_id is not 0 .. {df.height - 1}, each once")
    if df.height != n_graphs:
        raise _error(where, f"{df.height} rows for {n_graphs} graphs")
    for role, group in df.group_by("role"):
        if not group["rank"].sort().equals(pl.Series(range(group.height), dtype=pl.UInt32)):
            raise _error(where, f"ranks of role {role[0]} are not 0 .. {group.height - 1}")


def check_proxies(df: pl.DataFrame, n_graphs: int, where: Path | str = "proxies") -> None:
    """`check`, and: graph_id 0 .. n - 1, then a Float32 column a proxy; none where the networks have no proxies."""
    names = [name for name in df.columns if name != "graph_id"]
    check(df, pl.Schema({"graph_id": pl.UInt32(), **dict.fromkeys(names, pl.Float32())}), where)
    _refuse(df, {"graph_id is not 0, 1, 2, ...": pl.col("graph_id") != pl.int_range(pl.len())}, where)
    if df.height != n_graphs:
        raise _error(where, f"{df.height} rows for {n_graphs} graphs")


def _refuse(df: pl.DataFrame, wrong: dict[str, pl.Expr], where: Path | str) -> None:
    """Raise BenchError with the first reason of `wrong` that holds for a row, naming the first such row's graph."""
    found = df.select(*(reason.any().alias(what) for what, reason in wrong.items()))
    for what, reason in wrong.items():
        if found.height and found[what][0]:
            bad = df.filter(reason)["graph_id"]
            raise _error(where, f"{what} (graph_id {bad[0]}, {len(bad)} rows in all)")


def _error(where: Path | str, what: str) -> BenchError:
    return BenchError(f"{where}: {what}; mend what wrote it, or delete the file and make it again")
