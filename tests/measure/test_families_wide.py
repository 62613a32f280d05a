"""Families beside the image classifiers: known counts, what their files say, and that a runtime runs them as meant."""

from __future__ import annotations

import random
from collections import Counter

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from pipeline.config import datasets
from pipeline.measure import families, platforms, runtime, weights
from pipeline.measure.builder import INPUT, Builder, Settings
from pipeline.measure.nets_operations import KINDS, operations
from pipeline.measure.precisions import Dynamic, Quantized
from pipeline.onnx.graph import OnnxGraph, read_graph

pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
PLATFORM = platforms.get("ort-cpu-fp32-1t")
WIDE = sorted(families.FAMILIES.keys() - set(datasets.get("measured").families))
# Parameters as published: BERT-base (bert-base-uncased), torchvision's convnext_tiny, timm's mixer_b16_224, LeNet-5 as
# it is taught (full second layer). Of the others: the sum by hand, layer by layer.
TCN = 7 * 25 + 25 + 15 * (7 * 25 * 25 + 25) + 25 + 25 + 25 * 10 + 10
MEDIUM = 2 * 4 * 650 * (650 + 650 + 2) + 650 * 10_000 + 10_000
PARAMS = {
    "bert": 109_482_240,
    "conv1d": TCN,
    "convnext": 28_589_128,
    "mlp_mixer": 59_880_472,
    "recurrent": MEDIUM,
    "tiny": 61_706,
}
# 10^9 multiply-accumulates: torchvision's of ConvNeXt-T and ResNet-18; others by hand.
GMACS = {
    "bert": (128 * 12 * (4 * 768**2 + 2 * 768 * 3072 + 2 * 128 * 768) + 768**2) / 1e9,
    "convnext": 4.456,
    "dynamic": 1.814,
    "float16": 1.814,
    "mlp_mixer": (768 * 768 * 196 + 12 * 2 * (768 * 196 * 384 + 196 * 768 * 3072) + 768_000) / 1e9,
    "quantized": 1.814,
    "recurrent": (35 * 2 * 4 * 650 * 1300 + 650 * 10_000) / 1e9,
    "tiny": 416_520 / 1e9,
}
OPERATIONS = {
    "bert": {"LayerNormalization": 25, "MatMul": 12 * 8, "Softmax": 12, "Gather": 2, "Tanh": 1},
    "conv1d": {"Conv": 17, "Slice": 16, "Add": 8, "Relu": 24, "Gather": 1},
    "convnext": {"Conv": 22, "LayerNormalization": 23, "MatMul": 36, "Erf": 18, "Add": 18 * 4},
    "detector": {"Conv": 20 + 3 + 3 + 3 + 3, "Resize": 2, "Sigmoid": 1, "Concat": 1},
    "dynamic": {"ConvInteger": 20, "MatMulInteger": 1, "DynamicQuantizeLinear": 21 - 3, "Cast": 21},
    "float16": {"Cast": 2, "Conv": 20, "Add": 8},
    "mlp_mixer": {"MatMul": 48, "LayerNormalization": 25, "Transpose": 25, "ReduceMean": 1},
    "operations": {"Abs": 1},
    "quantized": {"Conv": 20, "Gemm": 1, "Add": 8},
    "recurrent": {"LSTM": 2, "Gemm": 1},
    "tiny": {"Conv": 2, "AveragePool": 2, "Tanh": 4, "Gemm": 3},
}


def read(model: onnx.ModelProto) -> OnnxGraph:
    return read_graph(model.SerializeToString())


def test_the_tables_here_name_every_family():
    assert list(families.FAMILIES) == sorted(families.FAMILIES)
    assert list(OPERATIONS) == WIDE


@pytest.mark.parametrize("family", WIDE)
def test_the_unvaried_network(family):
    graph = read(families.unvaried(family))
    if family in PARAMS:
        assert graph.params.sum() == PARAMS[family]
    if family in GMACS:
        assert graph.macs.sum() / 1e9 == pytest.approx(GMACS[family], abs=6e-4)
    count = Counter(graph.ops)
    assert {op: count[op] for op in OPERATIONS[family]} == OPERATIONS[family]


def test_a_precision_changes_no_arithmetic():
    names = ("resnet18", "float16", "quantized", "dynamic")
    plain, half, small, dynamic = (read(families.unvaried(name)) for name in names)
    assert plain.macs.sum() == half.macs.sum() == small.macs.sum() == dynamic.macs.sum()
    assert plain.params.sum() == half.params.sum() == dynamic.params.sum()
    biases = sum(s[0][1] for op, s in zip(plain.ops, plain.out_shapes, strict=True) if op in ("Conv", "Gemm"))
    assert small.params.sum() == plain.params.sum() - biases  # int32, which are not counted
    assert half.memory_bytes.sum() < 0.55 * plain.memory_bytes.sum()


def profile_of(content: bytes, tmp_path) -> Counter:
    """How often each kind of operation is in the network that ONNX Runtime makes of the file."""
    model, values, _ = weights.fill(content, "m")
    path = tmp_path / "optimised.onnx"
    runtime._session(PLATFORM, model.SerializeToString(), values=values, optimized_model_filepath=str(path))
    return Counter(node.op_type for node in onnx.load(path).graph.node)


@pytest.mark.parametrize("family", WIDE)
def test_onnx_runtime_runs_variants(family):
    for model in families.variants(family, 3, seed=2):
        content = model.SerializeToString()
        run = runtime.prepare(PLATFORM, content, family)
        (output,) = run()
        graph = read_graph(content, family, 1)
        assert output.dtype == np.float32 and output.shape == graph.out_shapes[-1][0]
        assert np.isfinite(output).all()
        assert output.size == 1 or output.std() > 0


def test_most_operations_of_a_quantized_network_run_in_8_bits(tmp_path):
    found = profile_of(families.unvaried("quantized").SerializeToString(), tmp_path)
    assert found["QLinearConv"] == 20 and found["QLinearAdd"] == 8 and found["QGemm"] == 1
    assert found["Conv"] == found["Relu"] == found["Add"] == found["Gemm"] == 0
    assert found["QuantizeLinear"] == 1


def test_quantized_transformers_multiply_in_8_bits(tmp_path):
    builder = Quantized()
    output = families.FAMILIES["vit"].build(builder, families.Settings())
    found = profile_of(builder.model(output).SerializeToString(), tmp_path)
    assert found["MatMul"] == found["Gemm"] == 0  # it makes a Gemm of a MatMul and its bias
    assert sum(found[kind] for kind in ("QGemm", "MatMulIntegerToFloat", "QLinearMatMul")) == 12 * 8 + 1


def test_dynamic_products_are_fused_with_the_rounding_before_them(tmp_path):
    builder = Dynamic()
    output = families.FAMILIES["vit"].build(builder, families.Settings())
    found = profile_of(builder.model(output).SerializeToString(), tmp_path)
    assert found["DynamicQuantizeMatMul"] == 12 * 3 + 1  # queries, keys and values share one rounding
    assert (
        found["MatMulInteger"] + found["MatMulIntegerToFloat"] == 12 * 3
        and found["MatMul"] + found["FusedMatMul"] == 24
    )
    assert found["ConvInteger"] == 1


@pytest.mark.parametrize("number", range(len(KINDS)))
def test_each_single_operation_runs_and_is_counted(number):
    drawn = set()
    for seed in range(4):
        builder = Builder()
        output = operations(builder, Settings(random.Random(seed), number=number))
        content = builder.model(output).SerializeToString()
        graph = read_graph(content, "m", 1)
        assert (builder.macs, graph.out_shapes[-1][0]) == (graph.macs.sum(), builder.shapes[output])
        (result,) = runtime.prepare(PLATFORM, content, "m")()
        assert result.shape == builder.shapes[output] and result.size
        drawn.add(content)
    assert len(drawn) > 1


@pytest.mark.parametrize("family", ["float16", "quantized", "dynamic"])
def test_several_networks_are_given_other_precisions(family):
    models = families.variants(family, 12, seed=1)
    stems = {tuple(model.graph.node[1].input) + tuple(n.op_type for n in model.graph.node[:30]) for model in models}
    assert len(stems) > 3
    kinds = [Counter(t.data_type for t in m.graph.initializer if len(t.dims) > 1) for m in models]
    main = TensorProto.FLOAT16 if family == "float16" else TensorProto.INT8
    assert all(kind.most_common(1)[0][0] == main for kind in kinds)
    (value,) = models[0].graph.output
    assert value.type.tensor_type.elem_type == TensorProto.FLOAT


def test_text_is_read_as_numbers_of_tokens():
    for model in families.variants("bert", 5, seed=3):
        (value,) = model.graph.input
        assert value.name == INPUT and value.type.tensor_type.elem_type == TensorProto.INT64
        assert len(value.type.tensor_type.shape.dim) == 2


def test_half_of_the_recurrent_networks_are_grus():
    graphs = [read(model) for model in families.variants("recurrent", 30, seed=0)]
    grus = sum("GRU" in graph.ops for graph in graphs)
    assert 8 <= grus <= 22 and all(("GRU" in g.ops) != ("LSTM" in g.ops) for g in graphs)
    assert {n for g in graphs for n in (g.ops.count("GRU"), g.ops.count("LSTM"))} == {0, 1, 2, 3}
    both = {values["direction"] for g in graphs for values in g.attributes if "hidden_size" in values}
    assert both == {("forward",), ("bidirectional",)}


def test_tiny_networks_have_few_operations():
    graphs = [read(model) for model in families.variants("tiny", 30, seed=0)]
    assert all(2 <= len(graph.ops) <= 21 and graph.macs.sum() < 4e6 for graph in graphs)
    assert {len(graph.out_shapes[0][0]) for graph in graphs} == {2, 3, 4}


def test_int8_weights_without_values_are_no_zeros():
    content = families.unvaried("quantized").SerializeToString()
    values = weights.fill(content, "m")[1]
    matrices = [value for value in values.values() if value.dtype == np.int8]
    assert len(matrices) == 21
    assert all(25 < value.astype(float).std() < 40 and value.min() >= -127 for value in matrices)
    assert all(not value.any() for value in values.values() if value.dtype == np.int32)
