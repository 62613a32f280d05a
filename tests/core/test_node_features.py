"""Node and graph features of NNLP and NN-Former on nodes worked by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pipeline.core import node_features
from pipeline.onnx.columns import BASE, attribute_rows, op_ids, shape_rows, vocabulary
from pipeline.onnx.graph import read_graph
from tests.helpers.onnx_files import RESNET18, conv_model, model, node, weight

VOCAB = ("Input", "Conv", "Transpose", "MatMul", "Erf", "Gather", "NonZero", "Resize")
NAMES = ("unused", *BASE)


def rows(**values: float) -> np.ndarray:
    """One row of attributes: the given columns, else 0."""
    return np.array([[values.get(name, 0.0) for name in NAMES]], dtype=np.float32)


CONV = rows(kernel_shape_0=3, kernel_shape_1=5, strides_0=2, pads_0=1, dilations_0=1, group=4, has_bias=1)
TRANSPOSE = rows(perm_0=0, perm_1=2, perm_2=1, perm_3=3)


def waves(value: float, dim: int) -> list[float]:
    """sin and cos of the value at each frequency, by the formula of the paper."""
    half = dim // 2
    return [wave(value / 10000 ** (j / half)) for j in range(half) for wave in (math.sin, math.cos)]


def test_nnlp_convolution():
    (x,) = node_features.nnlp(np.array([1]), VOCAB, CONV, NAMES, np.array([[1, 64, 112, 56]]))
    assert x.shape == (44,)
    assert x[:32].tolist() == [1.0] + [0.0] * 31
    attributes = [(3 - 2.53) / 56, (2 - 1.16) / 56, (1 - 0.75) / 6, 0.0, (4 - 15.08) / 6144, 1 - 0.77, 0.0, 0.0]
    assert x[32:40] == pytest.approx(attributes, abs=1e-6)
    shape = [(1 - 12.25) / 1024, (64 - 286.96) / 2496, (112 - 32.62) / 256, (56 - 31.80) / 256]
    assert x[40:] == pytest.approx(shape, abs=1e-6)


def test_nnlp_transpose_uses_all_eight_slots_and_short_shapes_are_padded():
    (x,) = node_features.nnlp(np.array([2]), VOCAB, TRANSPOSE, NAMES, np.array([[7, 5]]))
    assert x[9] == 1.0
    assert x[32:40] == pytest.approx([(v - 1.78) / 4 for v in (0, 2, 1, 3, 0, 0, 0, 0)], abs=1e-6)
    assert x[40:] == pytest.approx([(7 - 12.25) / 1024, (5 - 286.96) / 2496, -32.62 / 256, -31.80 / 256], abs=1e-6)


def test_nn_former_convolution():
    (x,) = node_features.nn_former(np.array([1]), VOCAB, CONV, NAMES, np.array([[1, 64, 112, 56, 9]]))
    assert x.shape == (192,)
    slots = [wave for value in (3, 2, 1, 1, 4, 1) for wave in waves(value, 10)] + [0.0] * 20
    assert x[32:112] == pytest.approx(slots, abs=1e-6)
    assert x[112:] == pytest.approx([wave for value in (1, 64, 112, 56) for wave in waves(value, 20)], abs=1e-5)


def test_nn_former_transpose_has_a_slot_per_entry():
    (x,) = node_features.nn_former(np.array([2]), VOCAB, TRANSPOSE, NAMES, np.zeros((1, 4), dtype=int))
    assert x[32:112] == pytest.approx([w for value in (0, 2, 1, 3, 0, 0, 0, 0) for w in waves(value, 10)], abs=1e-6)
    assert x[112:].tolist() == [0.0, 1.0] * 40


def test_operations_outside_the_table_use_the_spare_codes():
    assert node_features.op_codes(VOCAB).tolist() == [28, 0, 9, 17, 29, 30, 31, 10]
    assert node_features.op_codes(VOCAB, spare_codes=False).tolist() == [-1, 0, 9, 17, -1, -1, -1, 10]
    op = np.array([0, 4])
    zeros = np.zeros((2, len(NAMES)), dtype=np.float32)
    assert node_features.nnlp(op, VOCAB, zeros, NAMES, np.zeros((2, 4)), spare_codes=False)[:, :32].sum() == 0


def test_many_nodes_at_once_equal_one_by_one():
    op = np.array([2, 1, 0, 1, 2])
    attrs = np.concatenate([TRANSPOSE, CONV, 0 * CONV, 2 * CONV, TRANSPOSE])
    shape = np.arange(20).reshape(5, 4)
    for function in (node_features.nnlp, node_features.nn_former):
        whole = function(op, VOCAB, attrs, NAMES, shape)
        single = [function(op[[i]], VOCAB, attrs[[i]], NAMES, shape[[i]])[0] for i in range(5)]
        assert np.array_equal(whole, np.stack(single))


def test_static_features():
    batch, flops, params = np.array([8.0]), np.array([2e9]), np.array([3e7])
    out_shape = np.array([[2, 3, 0, 0], [4, 0, 0, 0], [5, 5, 5, 0]])
    memory = node_features.memory_accesses(np.array([10.0, 0.0, 1.0]), out_shape, np.array([0, 2, 3]))
    assert memory.tolist() == [6 + 10 + 4, 125 + 1]
    assert node_features.static(batch, flops, params, np.array([2e7])).tolist() == [pytest.approx([8, 2, 0.03, 0.02])]
    (x,) = node_features.nn_former_static(batch, flops, params, np.array([2e7]))
    assert x == pytest.approx([wave for value in (8, 2, 3, 2) for wave in waves(value, 10)], abs=1e-5)


def test_from_a_file_to_features():
    graph = read_graph(conv_model(strides=[2, 2]).SerializeToString())
    vocab = vocabulary(graph.ops)
    arguments = op_ids(graph, vocab), vocab, attribute_rows(graph), BASE, shape_rows(graph)
    x = node_features.nn_former(*arguments)
    assert x[:, :32].argmax(axis=1).tolist() == [28, 0]
    assert x[1, 32:92] == pytest.approx([w for value in (3, 2, 0, 1, 1, 1) for w in waves(value, 10)], abs=1e-6)
    assert node_features.nnlp(*arguments)[1, 40] == pytest.approx((2 - 12.25) / 1024)


def test_matmul_has_its_code():
    graph = read_graph(
        model([node("MatMul", ["x", "w"], "y")], {"x": [2, 3]}, weights=[weight("w", 3, 4)]).SerializeToString()
    )
    vocab = vocabulary(graph.ops)
    assert node_features.op_codes(vocab)[op_ids(graph, vocab)].tolist() == [28, 17]


@pytest.mark.real_data
def test_released_code_s_features_of_resnet18(mirror):
    """Sums over all 70 nodes of the features that NNLQP's and NN-Former's released code computes for this file."""
    graph = read_graph(mirror / RESNET18)
    vocab = vocabulary(graph.ops)
    arguments = op_ids(graph, vocab), vocab, attribute_rows(graph), BASE, shape_rows(graph)
    assert node_features.nnlp(*arguments, spare_codes=False).sum() == pytest.approx(NNLP_SUM, abs=1e-3)
    assert node_features.nn_former(*arguments, spare_codes=False).sum() == pytest.approx(NN_FORMER_SUM, abs=1e-2)


NNLP_SUM, NN_FORMER_SUM = 52.37179, 2897.81860
