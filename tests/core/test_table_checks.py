"""Tables that were changed after their conversion are refused where they are read, in one line that names the file."""

from __future__ import annotations

import json
import math
from pathlib import Path

import polars as pl
import pytest

from pipeline.core import io, table_checks
from pipeline.core.errors import BenchError
from pipeline.train import command
from pipeline.train.cell import Tables
from tests.helpers.tiny_tables import tiny_tables, write, write_all


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
    """Write all three tables, some of them changed before, and read them."""
    tables = tiny_tables()
    parts = {"graphs": tables.frame, "targets": tables.targets, "split": tables.split, **changed}
    write_all(folder, parts["graphs"], tables.meta, parts["targets"], parts["split"])
    read_again(folder)


def read_again(folder: Path, dataset: str = "tiny", seed: int = 0) -> None:
    Tables.read(folder, folder / "split.parquet", dataset, seed)


def test_tables_as_converted_are_fine(tmp_path):
    read(tmp_path)


@pytest.mark.hostile("tables")
@pytest.mark.parametrize(("file", "change", "says"), CASES)
def test_tables_that_break_the_rules_are_refused(file, change, says, tmp_path):
    tables = tiny_tables()
    table = {"graphs": tables.frame, "targets": tables.targets, "split": tables.split}[file]
    with pytest.raises(BenchError, match=rf"^{tmp_path}/{file}\.parquet: .*({says})") as caught:
        read(tmp_path, **{file: change(table)})
    assert "\n" not in str(caught.value)


def renumbered(table: pl.DataFrame) -> pl.DataFrame:
    """Graphs in another order, counted anew."""
    return table.reverse().with_columns(graph_id=pl.int_range(pl.len(), dtype=pl.UInt32))


def roles_changed(table: pl.DataFrame) -> pl.DataFrame:
    return table.with_columns(role=pl.col("role").replace({"pool": "test", "test": "pool"}))


def ranks_reversed(table: pl.DataFrame) -> pl.DataFrame:
    return table.with_columns(rank=(pl.len().over("role") - 1 - pl.col("rank")).cast(pl.UInt32))


CHANGED, NO_DIGEST = "changed since it was written; delete the file and ", "without a digest of what is in it"
AFTERWARDS = {
    "graphs in another order": ("graphs", renumbered, {}, CHANGED + "convert again"),
    "a name": ("graphs", lambda t: t.with_columns(first("name", "x")), {}, CHANGED + "convert again"),
    "op vocabulary": ("graphs", None, {"op_vocab": list(tiny_tables().meta["op_vocab"])[::-1]}, CHANGED),
    "another version": ("graphs", None, {"version": "v1"}, CHANGED + "convert again"),
    "graphs without a digest": ("graphs", None, {"content": None}, NO_DIGEST),
    "labels of others": ("targets", lambda t: t.with_columns(pl.col("value").reverse()), {}, CHANGED + "convert again"),
    "two labels": ("targets", lambda t: t.with_columns(swapped("value")), {}, CHANGED + "convert again"),
    "a label less": ("targets", lambda t: t.head(t.height - 1), {}, CHANGED + "convert again"),
    "labels without a digest": ("targets", None, {"content": None}, NO_DIGEST),
    "nothing said of labels": ("targets", None, dict.fromkeys(("content", "graphs", "dataset", "version")), NO_DIGEST),
    "labels of no graphs": ("targets", None, {"graphs": None}, CHANGED + "convert again"),
    "roles": ("split", roles_changed, {}, CHANGED + "split again"),
    "ranks": ("split", ranks_reversed, {}, CHANGED + "split again"),
    "another seed": ("split", None, {"seed": 1}, "of seed 1, not 0; delete the file and split again"),
    "another data set": ("split", None, {"dataset": "x" * 10**5}, "of data set 'x+\\.\\.\\.x+', not 'tiny'; delete"),
    "a split without a digest": ("split", None, {"content": None}, NO_DIGEST),
}


@pytest.mark.hostile("tables")
@pytest.mark.parametrize("case", AFTERWARDS)
def test_tables_changed_after_they_were_written_are_refused(case, tmp_path):
    file, change, words, says = AFTERWARDS[case]
    read(tmp_path)
    path = tmp_path / f"{file}.parquet"
    table = io.read_parquet(path)
    meta = {key: value for key, value in (io.read_meta(path) | words).items() if value is not None}
    io.write_parquet(path, change(table) if change else table, meta)
    with pytest.raises(BenchError, match=rf"^{path}: .*({says})") as caught:
        read_again(tmp_path)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < len(str(path)) + 300


@pytest.mark.hostile("tables")
@pytest.mark.parametrize("file", ["targets", "split"])
def test_tables_of_other_graphs_are_refused(file, tmp_path):
    """Each is as it was written, but not for these graphs."""
    read(tmp_path)
    read(tmp_path / "other", graphs=tiny_tables().frame.with_columns(first("name", "x")))
    path = tmp_path / f"{file}.parquet"
    path.write_bytes((tmp_path / "other" / path.name).read_bytes())
    with pytest.raises(BenchError, match=rf"^{path}: of other graphs than those in graphs\.parquet; delete the file"):
        read_again(tmp_path)


@pytest.mark.hostile("tables")
def test_the_split_of_another_seed_or_data_set_is_refused(tmp_path):
    read(tmp_path)
    for asked, says in ((("tiny", 1), "of seed 0, not 1"), (("huge", 0), "of data set 'tiny', not 'huge'")):
        with pytest.raises(BenchError, match=rf"split\.parquet: {says}; delete the file and split again"):
            read_again(tmp_path, *asked)


def test_how_a_file_is_packed_does_not_matter(tmp_path):
    read(tmp_path)
    for path in tmp_path.glob("*.parquet"):
        table, meta = io.read_parquet(path), io.read_meta(path)
        parts = pl.concat([table.head(7), table.tail(table.height - 7)], rechunk=False)
        text = json.dumps(meta, indent=1)
        parts.write_parquet(path, compression="snappy", row_group_size=5, statistics=False, metadata={"bench": text})
    read_again(tmp_path)


def test_different_tables_have_different_digests():
    """By hand: where a list, a word or a null ends, of which type a column is, and which name it has."""
    columns = [
        pl.Series("a", [[1, 2], [3]]), pl.Series("a", [[1], [2, 3]]), pl.Series("a", [[1, 2, 3], []]),
        pl.Series("a", [[1, 2, 3], None]), pl.Series("a", ["ab", "c"]), pl.Series("a", ["a", "bc"]),
        pl.Series("a", ["b", "b"]), pl.Series("a", ["b"]), pl.Series("a", ["abc", None]),
        pl.Series("a", ["abc", ""]), pl.Series("a", [None, "abc"]),
        pl.Series("a", [1, 2]), pl.Series("b", [1, 2]), pl.Series("a", [1.0, 2.0]), pl.Series("a", [1, 2, None]),
        pl.Series("a", [None, 1, 2]), pl.Series("a", [1, 0]), pl.Series("a", [True, False]),
        pl.Series("a", [], pl.String),
    ]  # fmt: skip
    digests = {table_checks.digest(column.to_frame(), {}) for column in columns}
    digests |= {table_checks.digest(columns[0].to_frame(), meta) for meta in ({"a": 1}, {"a": "1"}, {"b": 1})}
    assert len(digests) == len(columns) + 3
    assert table_checks.digest(columns[0].to_frame(), {"content": "0"}) in digests


def test_a_digest_stays_the_same():
    """Tables of users carry it: another one would have them convert again."""
    table = pl.DataFrame({"a": [[1, 2], []], "b": ["é", None], "c": [0.5, 1.0]})
    said = "8a0e9b52f2000896149ead92f041b09674a8debcdd09cdcab79e9931723c8a51"
    assert table_checks.digest(table, {"version": "1"}) == said


def test_labels_in_any_order_are_fine(tmp_path):
    read(tmp_path, targets=tiny_tables().targets.sort("value"))


@pytest.mark.hostile("tables")
def test_graphs_and_labels_of_two_versions_are_refused():
    with pytest.raises(BenchError, match="targets: of version '2', the graphs are of '1'; delete the file and convert"):
        table_checks.require_same({"version": "1"}, {"version": "2"}, "targets")


@pytest.mark.hostile("tables")
@pytest.mark.parametrize(("file", "step"), [("graphs", "convert"), ("targets", "convert"), ("split", "split")])
def test_a_cell_is_not_trained_on_changed_tables(file, step, tmp_path):
    """The check stands where a cell's command reads its tables."""
    words = ["tiny", "test_acc", "mean", "n9", *write(tmp_path)]
    path = tmp_path / f"{file}.parquet"
    change = {"graphs": renumbered, "targets": lambda t: t.with_columns(swapped("value")), "split": roles_changed}
    io.write_parquet(path, change[file](io.read_parquet(path)), io.read_meta(path))
    with pytest.raises(BenchError, match=f"{path}: {CHANGED}{step} again"):
        command.train(command.parser().parse_args(words))


@pytest.mark.hostile("tables")
@pytest.mark.parametrize("words", [["tiny", "--seed", "1"], ["huge"]])
def test_a_cell_is_not_trained_on_the_split_of_another(words, tmp_path):
    words = [words[0], "test_acc", "mean", "n9", *words[1:], *write(tmp_path)]
    with pytest.raises(BenchError, match=r"split\.parquet: of (seed|data set) .*; delete the file and split again"):
        command.train(command.parser().parse_args(words))
