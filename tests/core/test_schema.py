"""A table that breaks the canonical schema is refused with one line that says where and what."""

import polars as pl
import pytest

from pipeline.core import schema
from pipeline.core.errors import BenchError
from pipeline.spaces import cells
from pipeline.split import splits

META = {"dataset": "x", "version": "1", "op_vocab": list(cells.VOCAB_201), "attr_names": [], "out_shape_rank": 0}


@pytest.fixture
def graphs():
    archs = [("none",) * 6, ("nor_conv_3x3",) * 6, ("nor_conv_1x1", "none", "none", "none", "skip_connect", "none")]
    return cells.graphs_frame(["a", "b", "c"], "f", [cells.cell_201(ops) for ops in archs], cells.VOCAB_201)


@pytest.fixture
def targets():
    rows = [
        (0, "test_acc", "any", 1, 90.0, None),
        (0, "latency_ms", "x", 1, 2.0, None),
        (2, "latency_ms", "x", 8, 3.0, "a"),
    ]
    return pl.DataFrame(rows, schema=schema.TARGETS, orient="row")


def lists(column, values, dtype=pl.UInt16):
    return pl.Series(column, values, dtype=pl.List(dtype))


def test_valid_tables_pass(graphs, targets):
    schema.check_graphs(graphs, META)
    schema.check_targets(targets, 3)
    schema.check_graphs(graphs.clear(), META)
    schema.check_targets(targets.clear(), 0)


def test_attributes_and_shapes_pass_when_their_lengths_fit(graphs):
    meta = {**META, "attr_names": ["k", "s"], "out_shape_rank": 4}
    sizes = graphs["n_nodes"].to_list()
    wide = graphs.with_columns(
        lists("attrs", [[1.0] * 2 * n for n in sizes], pl.Float32),
        lists("out_shape", [[1] * 4 * n for n in sizes], pl.Int32),
    )
    schema.check_graphs(wide, meta)
    with pytest.raises(BenchError, match="length of attrs"):
        schema.check_graphs(wide, {**meta, "attr_names": ["k"]})
    with pytest.raises(BenchError, match="length of out_shape"):
        schema.check_graphs(wide, {**meta, "out_shape_rank": 3})
    nan = wide.with_columns(lists("attrs", [[float("nan")] * 2 * n for n in sizes], pl.Float32))
    with pytest.raises(BenchError, match="attrs holds NaN"):
        schema.check_graphs(nan, meta)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (pl.col("graph_id") + 1, "graph_id is not 0, 1, 2"),
        (pl.Series("graph_id", [0, 0, 1], dtype=pl.UInt32), "graph_id is not 0, 1, 2"),
        (pl.col("graph_id").cast(pl.Int64), "column graph_id is Int64, expected UInt32"),
        (pl.Series("name", ["a", None, "c"]), "column name is null in row 1"),
        (pl.Series("n_nodes", [2, 7, 4], dtype=pl.UInt16), "length of op is not n_nodes .graph_id 1"),
        (pl.Series("n_nodes", [0, 8, 4], dtype=pl.UInt16), "a graph has no nodes"),
        (lists("op", [[0, 6], [0] * 8, [0] * 4]), "an op id is outside op_vocab .graph_id 0"),
        (lists("src", [[], [], [0, 1, 2]]), "src and dst differ in length .graph_id 1"),
        (lists("op", [[0, None], [0] * 8, [0] * 4]), "column op holds a null inside a list"),
        (pl.Series("flops", [-1.0, None, 2.0]), "flops is negative"),
        (pl.Series("params", [float("inf"), None, 2.0]), "params holds NaN or an infinite number"),
    ],
)
def test_a_wrong_graphs_column_is_refused(graphs, change, match):
    with pytest.raises(BenchError, match=match):
        schema.check_graphs(graphs.with_columns(change), META)


@pytest.mark.parametrize(
    ("src", "dst", "match"),
    [
        ([0, 1, 2], [1, 2, 4], "an edge points outside"),
        ([0, 2, 2], [1, 1, 3], "not in topological order"),
        ([0, 1, 2], [1, 1, 3], "not in topological order"),
        ([1, 0, 2], [2, 1, 3], "edges are not sorted"),
        ([0, 0, 2], [1, 1, 3], "edges are not sorted"),
        ([0, 0, 2], [2, 1, 3], "edges are not sorted"),
    ],
)
def test_wrong_edges_are_refused(graphs, src, dst, match):
    rest = graphs["src"].to_list()[:2], graphs["dst"].to_list()[:2]
    wrong = graphs.with_columns(lists("src", [*rest[0], src]), lists("dst", [*rest[1], dst]))
    with pytest.raises(BenchError, match=f"{match}.*graph_id 2"):
        schema.check_graphs(wrong, META)


def test_missing_columns_and_metadata_are_refused(graphs):
    with pytest.raises(BenchError, match="columns are"):
        schema.check_graphs(graphs.drop("iso"), META)
    with pytest.raises(BenchError, match="columns are"):
        schema.check_graphs(graphs.select(reversed(graphs.columns)), META)
    for key in META:
        with pytest.raises(BenchError, match=f"metadata key {key}"):
            schema.check_graphs(graphs, {name: value for name, value in META.items() if name != key})


@pytest.mark.hostile("tables")
@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("op_vocab", [1, 2, 3, 4, 5, 6], "is no list of different words"),
        ("op_vocab", [["input"]] * 6, "is no list of different words"),
        ("op_vocab", ["input"] * 6, "is no list of different words"),
        ("out_shape_rank", 10**20, "is not from 0 to 16"),
        ("out_shape_rank", -1, "is not from 0 to 16"),
    ],
)
def test_metadata_that_can_t_be_are_refused(graphs, key, value, says):
    with pytest.raises(BenchError, match=f"metadata key {key} {says}"):
        schema.check_graphs(graphs, {**META, key: value})


def test_accuracies_of_no_and_all_images_are_fine(targets):
    rows = [(1, "cifar10_test_acc", "any", 1, 0.0, None), (2, "cifar10_test_acc", "any", 1, 100.0, None)]
    schema.check_targets(pl.concat([targets, pl.DataFrame(rows, schema=schema.TARGETS, orient="row")]), 3)


@pytest.mark.parametrize(
    ("row", "match"),
    [
        ((0, "test_acc", "any", 1, 91.0, None), "two labels for one"),
        ((3, "test_acc", "any", 1, 91.0, None), "graph_id is not below 3"),
        ((1, "test_acc", "any", 0, 91.0, None), "batch_size is 0"),
        ((1, "latency_ms", "x", 1, -1.0, None), "a latency or energy is not positive"),
        ((1, "energy_mj", "x", 1, 0.0, None), "a latency or energy is not positive"),
        ((1, "cifar10_test_acc", "any", 1, 100.01, None), "an accuracy is not from 0 to 100"),
        ((1, "cifar10_test_acc", "any", 1, -0.01, None), "an accuracy is not from 0 to 100"),
        ((1, "test_acc", "any", 1, float("nan"), None), "value holds NaN"),
        ((1, "test_acc", "any", 1, None, None), "value is null"),
        ((1, "test_acc", None, 1, 91.0, None), "device is null"),
    ],
)
def test_a_wrong_targets_row_is_refused(targets, row, match):
    wrong = pl.concat([targets, pl.DataFrame([row], schema=schema.TARGETS, orient="row")])
    with pytest.raises(BenchError, match=match):
        schema.check_targets(wrong, 3, "x/targets.parquet")


def test_a_wrong_split_is_refused():
    split = splits.make_split(10, "x", 0)
    schema.check_split(split, 10)
    wrong = {
        "role is not one of": split.with_columns(role=pl.lit("train")),
        "8 rows for 10|not 0 .. 7": split.filter(pl.col("role") == "pool"),
        "ranks of role": split.with_columns(rank=pl.col("rank") + 1),
        "graph_id is not": pl.concat([split, split[:1]]),
    }
    for match, table in wrong.items():
        with pytest.raises(BenchError, match=match):
            schema.check_split(table, 10)


def test_labels_may_have_the_tag_of_their_network(targets):
    tagged = targets.with_columns(tag=pl.Series(["a1", "", "tv"]))
    schema.check_targets(tagged, 3)
    schema.check_targets(targets.with_columns(faulty=pl.Series([True, False, False]), tag=tagged["tag"]), 3)
    assert schema.sound(tagged).equals(tagged)
    with pytest.raises(BenchError, match="column tag is null in row 1"):
        schema.check_targets(targets.with_columns(tag=pl.Series(["a1", None, "tv"])), 3)
    with pytest.raises(BenchError, match="columns are"):
        schema.check_targets(tagged.select("tag", *targets.columns), 3)


def test_faulty_labels_are_marked_in_a_column_that_only_they_bring(targets):
    sound = targets
    marked = sound.with_columns(faulty=pl.Series([True] + [False] * (sound.height - 1)))
    schema.check_targets(marked, 3)
    assert schema.sound(marked).equals(sound[1:]) and schema.sound(marked, faulty=True).equals(sound)
    assert schema.sound(sound).equals(sound)
    with pytest.raises(BenchError, match="the column must not be there"):
        schema.check_targets(sound.with_columns(faulty=pl.lit(False)), 3)
    with pytest.raises(BenchError, match="column faulty is"):
        schema.check_targets(sound.with_columns(faulty=pl.lit(1)), 3)
