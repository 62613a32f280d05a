"""Networks as canonical columns: attribute columns, padding, and the hash of a network."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from pipeline.core import schema
from pipeline.core.errors import BenchError
from pipeline.onnx.columns import BASE, BASE_OPS, attribute_names, attribute_rows, class_hash, frame, pack, shape_rows
from pipeline.onnx.graph import OnnxGraph
from tests.helpers.onnx_files import conv_model, ints, model, node, read, weight

RESIZE = model(
    [
        node("Resize", ["x", "", "scales"], "r", mode="linear"),
        node("Reshape", ["r", "s"], "q"),
        node("Transpose", ["q"], "y", perm=[2, 0, 1, 4, 3]),
    ],
    {"x": [1, 3, 4, 4]},
    weights=[onnx.helper.make_tensor("scales", 1, [4], [1.0, 1.0, 2.0, 2.0]), ints("s", 1, 3, 8, 2, 4)],
)


def test_every_entry_and_every_string_has_a_column():
    packed = pack(read(RESIZE))
    assert {"scales_2", "mode=linear", "perm_3", "perm_0", "exclude_outside"} <= set(packed.names)
    table, meta = frame([packed], ["a"], ["f"])
    schema.check_graphs(table, {"dataset": "d", "version": "1", **meta})
    assert meta["out_shape_rank"] == 5
    attrs = np.array(table["attrs"][0]).reshape(4, -1)
    column = {name: attrs[:, index].tolist() for index, name in enumerate(meta["attr_names"])}
    assert column["scales_2"] == [0, 2, 0, 0]
    assert column["mode=linear"] == [0, 1, 0, 0]
    assert [column[f"perm_{i}"][3] for i in range(8)] == [2, 0, 1, 4, 3, 0, 0, 0]
    assert column["memory_bytes"] == [0, *read(RESIZE).memory_bytes[1:]]
    shapes = np.array(table["out_shape"][0]).reshape(4, 5).tolist()
    assert shapes == [[1, 3, 4, 4, 0], [1, 3, 8, 8, 0], [1, 3, 8, 2, 4], [8, 1, 3, 4, 2]]


def test_networks_of_different_operations_share_one_vocabulary():
    first, second = read(conv_model()), read(RESIZE)
    table, meta = frame([pack(first), pack(second)], ["a", "b"], ["f", "g"])
    schema.check_graphs(table, {"dataset": "d", "version": "1", **meta})
    assert meta["op_vocab"] == [*BASE_OPS, "Resize"]
    for row, graph in zip(table.iter_rows(named=True), (first, second), strict=True):
        assert [meta["op_vocab"][op] for op in row["op"]] == list(graph.ops)
        assert np.array_equal(np.array(row["attrs"], np.float32), attribute_rows(graph, meta["attr_names"]).ravel())


def test_numbers_too_large_for_a_column_are_cut_and_never_infinite():
    huge = [onnx.helper.make_tensor(name, 1, [], [value]) for name, value in (("lo", float("-inf")), ("hi", 3e38))]
    graph = read(model([node("Clip", ["x", "lo", "hi"], "y")], {"x": [1, 3]}, weights=huge))
    rows = attribute_rows(graph, (*BASE, "min", "max"))
    assert np.isfinite(rows).all()
    assert rows[1, -2:] == pytest.approx([-3.4028e38, 3e38], rel=1e-4)


def test_absurdly_many_attributes_are_refused():
    with pytest.raises(BenchError, match="1000 different attributes, over the limit of 256"):
        attribute_names(f"a{i}" for i in range(1000))


def test_scalars_have_rank_zero():
    graph = read(model([node("ReduceSum", ["x"], "y", keepdims=0)], {"x": [2, 3]}))
    assert shape_rows(graph).tolist() == [[2, 3, 0, 0], [0, 0, 0, 0]]


def test_the_hash_depends_on_the_network_and_not_on_the_order_of_its_nodes():
    branches = [node("Relu", ["x"], "a"), node("Sigmoid", ["x"], "b")]
    join = node("Add", ["a", "b"], "y")
    graph = read(model([*branches, join], {"x": [1, 3]}))
    assert class_hash(graph) == class_hash(read(model([*branches[::-1], join], {"x": [1, 3]})))
    assert class_hash(graph) != class_hash(read(model([*branches, join], {"x": [1, 4]})))
    assert class_hash(graph) != class_hash(read(model([*branches, join], {"x": [1, 3]}), batch_size=2))
    conv = [class_hash(read(conv_model(**options))) for options in ({}, {"pads": [1, 1, 1, 1]}, {"strides": [2, 2]})]
    assert len(set(conv)) == 3


def test_weights_differ_in_name_only():
    def linear(name: str) -> OnnxGraph:
        return read(model([node("MatMul", ["x", name], "y")], {"x": [1, 3]}, weights=[weight(name, 3, 4)]))

    assert class_hash(linear("w")) == class_hash(linear("v"))
