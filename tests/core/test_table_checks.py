"""Tables that were changed after their conversion are refused where they are read, in one line that names the file."""

from __future__ import annotations

import math
from pathlib import Path

import polars as pl
import pytest

from pipeline.core import io, table_checks
from pipeline.core.errors import BenchError
from pipeline.train import command
from tests.helpers.tiny_tables import tiny_tables


def swapped(column: str) -> pl.Expr:
    """The first two rows of a column changed for one another."""
    at = pl.int_range(pl.len())
    return pl.when(at == 0).then(pl.col(column).shift(-1)).when(at == 1).then(pl.col(column).shift()).otherwise(column)


def first(column: str, value: object) -> pl.Expr:
    """A column whose first row has another value."""
    return pl.when(pl.int_range(pl.len()) == 0).then(pl.lit(value)).otherwise(pl.col(column)).alias(column)


GRAPHS = {
    "another order": (lambda t: t.reverse(), "graph_id is not 0, 1, 2"),
    "two swapped": (lambda t: t.with_columns(swapped("graph_id").alias("graph_id")), "graph_id is not 0, 1, 2"),
    "one twice": (lambda t: pl.concat([t, t.head(1)]), "graph_id is not 0, 1, 2"),
    "one less": (lambda t: t.tail(59), "graph_id is not 0, 1, 2"),
    "edges turned round": (
        lambda t: t.rename({"src": "dst", "dst": "src"}).select(t.columns),
        "not in topological order",
    ),
    "edges in another order": (
        lambda t: t.with_columns(pl.col("src", "dst").list.reverse()),
        "edges are not sorted",
    ),
    "edges twice": (
        lambda t: t.with_columns(pl.concat_list(c, c).list.sort().alias(c) for c in ("src", "dst")),
        "edges are not sorted|not in topological",
    ),
    "an operation too few": (lambda t: t.with_columns(pl.col("op").list.head(3)), "length of op is not n_nodes"),
    "an unknown operation": (
        lambda t: t.with_columns(pl.col("op").list.eval(pl.element() + pl.lit(99, pl.UInt16))),
        "outside op_vocab",
    ),
    "an edge too few": (lambda t: t.with_columns(pl.col("src").list.tail(2)), "src and dst differ in length"),
    "an edge outside": (
        lambda t: t.with_columns(pl.col("dst").list.eval(pl.element() + pl.lit(99, pl.UInt16))),
        "points outside",
    ),
    "another type": (lambda t: t.with_columns(pl.col("graph_id").cast(pl.Int64)), "column graph_id is Int64"),
    "a column less": (lambda t: t.drop("iso"), "columns are"),
}
TARGETS = {
    "not a number": (lambda t: t.with_columns(first("value", math.nan)), "column value holds NaN"),
    "infinite": (lambda t: t.with_columns(first("value", math.inf)), "column value holds NaN or an infinite"),
    "no value": (lambda t: t.with_columns(first("value", None)), "column value is null in row 0"),
    "twice": (lambda t: pl.concat([t, t]), "two labels for one graph, target and device"),
    "one twice": (lambda t: pl.concat([t, t.head(1)]), "two labels for one graph, target and device"),
    "twice by batch size": (
        lambda t: pl.concat([t, t.with_columns(batch_size=pl.lit(2, pl.UInt16))]),
        "two labels for one graph",
    ),
    "a negative latency": (
        lambda t: t.filter(target="latency_ms").with_columns(value=-pl.col("value")),
        "not positive",
    ),
    "of no graph": (lambda t: t.with_columns(pl.col("graph_id") + 1), "graph_id is not below 60"),
}
SPLITS = {
    "test networks in the pool": (lambda t: t.with_columns(role=pl.lit("pool")), "ranks of role pool are not"),
    "test networks in both": (
        lambda t: pl.concat([t, t.filter(role="test").with_columns(role=pl.lit("pool"))]),
        "graph_id is not 0",
    ),
    "one less": (lambda t: t.filter(pl.col("graph_id") < 59), "59 rows for 60 graphs"),
    "another role": (lambda t: t.with_columns(role=pl.lit("train")), "role is not one of"),
}
CASES = [
    (file, change, says)
    for file, cases in {"graphs": GRAPHS, "targets": TARGETS, "split": SPLITS}.items()
    for change, says in cases.values()
]


def read(folder: Path, **changed: pl.DataFrame) -> None:
    """Read all three tables from the disk, some of them changed."""
    tables = tiny_tables()
    parts = {"graphs": tables.frame, "targets": tables.targets, "split": tables.split, **changed}
    for name, table in parts.items():
        io.write_parquet(folder / f"{name}.parquet", table, tables.meta if name == "graphs" else {})
    graphs, _, _ = table_checks.read(folder)
    table_checks.read_split(folder / "split.parquet", graphs.height)


def test_tables_as_converted_are_fine(tmp_path):
    read(tmp_path)


@pytest.mark.hostile("tables")
@pytest.mark.parametrize(("file", "change", "says"), CASES)
def test_changed_tables_are_refused(file, change, says, tmp_path):
    tables = tiny_tables()
    table = {"graphs": tables.frame, "targets": tables.targets, "split": tables.split}[file]
    with pytest.raises(BenchError, match=rf"^{tmp_path}/{file}\.parquet: .*({says})") as caught:
        read(tmp_path, **{file: change(table)})
    assert "\n" not in str(caught.value)


def test_labels_in_any_order_are_fine(tmp_path):
    read(tmp_path, targets=tiny_tables().targets.sort("value"))


@pytest.mark.hostile("tables")
def test_graphs_and_labels_of_two_versions_are_refused():
    with pytest.raises(BenchError, match="targets: of version '2', the graphs are of '1'; delete the file and convert"):
        table_checks.require_same({"version": "1"}, {"version": "2"}, "targets")


@pytest.mark.hostile("tables")
def test_a_cell_is_not_trained_on_changed_tables(tmp_path):
    """The check stands where a cell's command reads its tables."""
    tables = tiny_tables()
    io.write_parquet(tmp_path / "graphs.parquet", tables.frame.reverse(), tables.meta)
    io.write_parquet(tmp_path / "targets.parquet", tables.targets, {})
    io.write_parquet(tmp_path / "split.parquet", tables.split, {})
    words = ["tiny", "test_acc", "mean", "n9", "--data", str(tmp_path), "--split", str(tmp_path / "split.parquet")]
    with pytest.raises(BenchError, match=r"graphs\.parquet: graph_id is not 0, 1, 2"):
        command.train(command.parser().parse_args(words))
