"""A network as runtimes run it equals the same network written that way."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper

from pipeline.measure import families
from pipeline.onnx.as_run import as_run
from pipeline.onnx.columns import class_hash
from pipeline.onnx.graph import OnnxGraph, read_graph
from tests.helpers.onnx_files import model, node, read, weight
from tests.helpers.onnx_networks import FAMILIES, Builder

LIGHT = sorted((Path(onnx.__file__).parent / "backend/test/data/light").glob("*.onnx"))


def network(trained: bool) -> OnnxGraph:
    """A residual block and a classifier, as trained (normalisations, dropout, identity) or with these taken out."""
    b = Builder((2, 3, 32, 32), opset=13)

    def conv(x: str, channels: int, bias: bool = False) -> str:
        return b.norm(b.conv(x, channels, 3, bias=bias)) if trained else b.conv(x, channels, 3, bias=True)

    x = b.op("Relu", conv("input", 8))
    y = b.op("Relu", conv(x, 8, bias=True))
    y = b.op("Identity", conv(y, 8)) if trained else conv(y, 8)
    x = b.op("Relu", b.op("Sum" if trained else "Add", y, x))
    x = b.norm(b.op("Concat", x, b.conv(x, 4, 1), axis=1))  # no convolution before it: it stays
    b.channels[x] = 12
    shared = b.conv(x, 12, 3)
    x = b.op("Mul", b.norm(shared), shared)  # the convolution is read twice: it stays
    x = b.op("Flatten", b.op("GlobalAveragePool", x), axis=1)
    x = b.op("Dropout", x) if trained else x
    return read_graph(b.model(b.linear(x, 12, 10)), "network")


def same(a: OnnxGraph, b: OnnxGraph) -> None:
    assert a.ops == b.ops and a.attributes == b.attributes and a.out_shapes == b.out_shapes
    for name in ("src", "dst", "in_channels", "flops", "macs", "params", "memory_bytes"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name), err_msg=name)


def test_fused_operations_go_by_their_heaviest_part():
    proto = model(
        [node("FusedConv", ["x", "w"], "c", activation="Relu"), node("Identity", ["c"], "y")],
        {"x": [1, 3, 8, 8]},
        weights=[weight("w", 4, 3, 3, 3)],
    )
    proto.graph.node[0].domain = "com.microsoft"
    proto.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    plain = read(proto)
    assert plain.ops == ("Input", "FusedConv", "Identity")
    assert as_run(plain).ops == ("Input", "Conv")
    assert as_run(plain).macs.sum() == plain.macs.sum() == 36 * 4 * 27


def test_a_trained_network_becomes_the_one_that_is_run():
    trained, run = network(True), network(False)
    assert trained.ops.count("BatchNormalization") == 5 and run.ops.count("BatchNormalization") == 2
    same(as_run(trained), run)


def test_a_convolution_that_others_read_keeps_its_normalisation():
    graph = as_run(network(False))
    assert graph.ops.count("BatchNormalization") == 2


@pytest.mark.parametrize("path", LIGHT, ids=lambda path: path.stem)
def test_packaged_models(path):
    before = read_graph(path)
    after = as_run(before)
    same(as_run(after), after)
    assert after.macs.sum() == before.macs.sum()
    assert not {"Dropout", "Identity", "Sum"} & set(after.ops)
    assert (after.src < after.dst).all()
    assert after.out_shapes[-1] == before.out_shapes[-1]


@pytest.mark.real_data
def test_resnet18_keeps_its_convolutions_and_loses_its_normalisations(mirror):
    path = mirror / "nnlqp" / "resnet18-v1-7-no-weight.onnx"
    if not path.exists():
        pytest.skip(f"{path} is not in the mirror")
    graph, published = as_run(read_graph(path)), read_graph(families.unvaried("resnet18").SerializeToString(), "")
    assert "BatchNormalization" not in graph.ops
    assert sorted(graph.ops) == sorted(published.ops)
    assert graph.params.sum() == published.params.sum()


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_a_network_as_run_is_left_alone(family):
    graph = as_run(read_graph(FAMILIES[family](random.Random(3)), family))
    again = as_run(graph)
    same(again, graph)
    assert class_hash(again) == class_hash(graph)
