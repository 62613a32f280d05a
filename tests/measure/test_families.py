"""Families of networks: the papers' own counts, variants that differ and can be read again, and that they run."""

from __future__ import annotations

import math
import os
import random
import subprocess
import sys

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from pipeline.core.errors import BenchError
from pipeline.measure import families, weights
from pipeline.measure.builder import INPUT, Builder, Settings
from pipeline.onnx.columns import class_hash
from pipeline.onnx.graph import OnnxGraph, read_graph
from tests.helpers.onnx_files import onnx_tool_counts

# Multiply-accumulates (10^9) and parameters as torchvision publishes them ("_ops" and "num_params" of the weights of
# alexnet, efficientnet_b0, googlenet, mnasnet1_0, mobilenet_v2, mobilenet_v3_large, resnet18, squeezenet1_0, vgg16 and
# vit_b_16), and the largest of NAS-Bench-201's networks for CIFAR-10 as its API has them (220.11969 M, 1.531546 MB).
PUBLISHED = {
    "alexnet": (0.714, 61_100_840),
    "efficientb0": (0.386, 5_288_548),
    "googlenet": (1.498, 6_624_904),
    "mnasnet": (0.314, 4_383_312),
    "mobilenetv2": (0.301, 3_504_872),
    "mobilenetv3": (0.217, 5_483_032),
    "nasbench201": (0.22012, 1_531_546),
    "resnet18": (1.814, 11_689_512),
    "squeezenet": (0.819, 1_248_424),
    "vgg16": (15.470, 138_357_544),
    "vit": (17.564, 86_567_656),
}
UNNORMALISED = {"alexnet", "squeezenet", "vgg16", "vit"}  # their convolutions have biases and no batch normalisation


def read(model: onnx.ModelProto) -> OnnxGraph:
    return read_graph(model.SerializeToString())


@pytest.mark.parametrize("family", PUBLISHED)
def test_unvaried_counts_are_the_published_ones(family):
    """Exactly so when a batch normalisation that was folded into a convolution is counted with its scale and shift."""
    gmacs, params = PUBLISHED[family]
    graph = read(families.unvaried(family))
    assert graph.macs.sum() / 1e9 == pytest.approx(gmacs, abs=6e-4)
    assert graph.params.sum() == pytest.approx(params, rel=0.01)
    scales = sum(
        graph.out_shapes[node][0][1]
        for node, op in enumerate(graph.ops)
        if op == "Conv" and graph.attributes[node]["has_bias"] == (1,) and not is_gate(graph, node)
    )
    running = sum(graph.params[node] / 2 for node, op in enumerate(graph.ops) if op == "BatchNormalization")
    assert graph.params.sum() + (0 if family in UNNORMALISED else scales) - running == params


# What costs no multiply-accumulates, counted in the papers: activations, residual sums, gates, modules.
OPERATIONS = {
    "alexnet": {"Conv": 5, "Gemm": 3, "Relu": 7, "MaxPool": 3},
    "efficientb0": {"Add": 9, "GlobalAveragePool": 17, "Sigmoid": 33 + 2 * 16, "Mul": 33 + 2 * 16},
    "googlenet": {"Concat": 9, "Conv": 57, "Relu": 57, "MaxPool": 13},
    "mnasnet": {"Add": 10, "Relu": 35, "GlobalAveragePool": 1},
    "mobilenetv2": {"Add": 10, "Clip": 35, "GlobalAveragePool": 1},
    "mobilenetv3": {"Add": 10, "HardSwish": 21, "HardSigmoid": 8, "Mul": 8, "Relu": 11 + 8},
    "nasbench201": {"Add": 47, "AveragePool": 2, "BatchNormalization": 1, "Relu": 95},
    "resnet18": {"Add": 8, "Conv": 20, "MaxPool": 1, "Relu": 17},
    "squeezenet": {"Concat": 8, "Conv": 26, "MaxPool": 3, "Relu": 26},
    "vgg16": {"Conv": 13, "Gemm": 3, "MaxPool": 5, "Relu": 15},
    "vit": {"Add": 1 + 12 * 9, "Erf": 12, "LayerNormalization": 25, "MatMul": 12 * 8, "Softmax": 12},
}


@pytest.mark.parametrize("family", OPERATIONS)
def test_operations_of_the_unvaried_networks(family):
    ops = read(families.unvaried(family)).ops
    assert {op: ops.count(op) for op in OPERATIONS[family]} == OPERATIONS[family]


def is_gate(graph: OnnxGraph, node: int) -> bool:
    """A convolution of squeeze-and-excitation: on 1 x 1 pixels."""
    return graph.out_shapes[node][0][2:] == (1, 1)


@pytest.mark.parametrize("family", PUBLISHED)
def test_counts_against_onnx_tool(family):
    for model in (families.unvaried(family), *families.variants(family, 2, seed=1)):
        graph = read(model)
        macs, params = onnx_tool_counts(with_made_weights(model))
        assert graph.macs.sum() == pytest.approx(macs, rel=1e-6)
        assert graph.params.sum() == pytest.approx(params, abs=4)  # onnx-tool counts numbers such as 6.0 too


def with_made_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with a ConstantOfShape for every weight: onnx-tool wants values, and VGG's are half a gigabyte."""
    made, kept = [], []
    for tensor in model.graph.initializer:
        if tensor.raw_data or tensor.float_data or tensor.int64_data:
            kept.append(tensor)
        else:
            shape = helper.make_tensor(f"shape of {tensor.name}", TensorProto.INT64, [len(tensor.dims)], tensor.dims)
            kept.append(shape)
            made.append(helper.make_node("ConstantOfShape", [shape.name], [tensor.name]))
    nodes = [*made, *model.graph.node]
    graph = helper.make_graph(nodes, "g", model.graph.input, model.graph.output, initializer=kept)
    return helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)


@pytest.mark.parametrize("family", families.FAMILIES)
def test_variants_are_small_read_again_and_stay_within_the_limits(family):
    models = families.variants(family, 10, seed=0)
    graphs = [read(model) for model in models]
    assert len({class_hash(graph) for graph in graphs}) == 10
    for model, graph in zip(models, graphs, strict=True):
        assert model.ByteSize() < 60_000
        assert all(np.isfinite(cost).all() for cost in (graph.flops, graph.macs, graph.params, graph.memory_bytes))
        assert (family != "operations") <= graph.macs.sum() <= 1.02 * families.MAX_MACS
        assert (family != "operations") <= graph.params.sum() <= 1.02 * families.MAX_PARAMS
        assert graph.batch_size == 1 and graph.ops.count("Input") == 1
        read_weights = {name for node in model.graph.node for name in node.input}
        assert {tensor.name for tensor in model.graph.initializer} <= read_weights
    assert family == "operations" or len({round(graph.macs.sum()) for graph in graphs}) > 5


@given(st.sampled_from(list(families.FAMILIES)), st.integers(-(2**70), 2**70))
@settings(max_examples=15, deadline=None)
def test_a_variant_hangs_on_family_seed_and_number_alone(family, seed):
    few, more = families.variants(family, 1, seed), families.variants(family, 2, seed)
    assert [m.SerializeToString() for m in few] == [m.SerializeToString() for m in more[:1]]
    graph = read(more[1])
    assert class_hash(read(more[0])) != class_hash(graph)
    assert math.isfinite(graph.flops.sum()) and graph.macs.sum() <= 1.02 * families.MAX_MACS


@pytest.mark.parametrize("family", families.FAMILIES)
@pytest.mark.parametrize("seed", range(3))
def test_the_builder_counts_what_the_converter_counts(family, seed):
    about = families.FAMILIES[family]
    builder = about.builder(about.size)
    graph = read(builder.model(about.build(builder, Settings(random.Random(seed)))))
    single = sum(tensor.name[0] == "w" and math.prod(tensor.dims) == 1 for tensor in builder.weights)
    assert (builder.macs, builder.params - single) == (graph.macs.sum(), graph.params.sum())
    live = {builder.source}
    for node in builder.nodes:
        live.update(node.output if live.intersection(node.input) else ())
    shapes = [shapes[0] for shapes in graph.out_shapes[1:]]
    assert [builder.shapes[node.output[0]] for node in builder.nodes if node.output[0] in live] == shapes


def test_what_varies():
    """Over some variants of a family all kernels, several depths and widths, and both presences of a gate occur."""
    kernels, expected = {}, {"resnet18": {1, 3, 5, 7}, "vgg16": {1, 3, 5}, "mobilenetv2": {1, 3, 5, 7, 9}}
    for family in (*expected, "mnasnet"):
        graphs = [read(model) for model in families.variants(family, 12, seed=3)]
        convs = [[n for n, op in enumerate(g.ops) if op == "Conv"] for g in graphs]
        kernels[family] = {g.attributes[n]["kernel_shape"][0] for g, ns in zip(graphs, convs, strict=True) for n in ns}
        assert len({len(ns) for ns in convs}) > 3
        assert len({g.out_shapes[ns[0]][0][1] for g, ns in zip(graphs, convs, strict=True)}) > 3
    assert {family: kernels[family] for family in expected} == expected
    gated = [any(is_gate(g, n) for n in ns) for g, ns in zip(graphs, convs, strict=True)]
    gates = [sum(g.ops[n] == "GlobalAveragePool" for n in range(len(g.ops))) - 1 for g in graphs]
    assert [count > 0 for count in gates] == gated and max(gates) > min(gates)


@given(st.integers(1, 4096), st.integers(1, 20), st.integers(0, 2**32), st.floats(0.05, 1))
def test_settings_stay_near_the_paper_s(width, depth, seed, narrower):
    own, drawn = Settings(), Settings(random.Random(seed), narrower)
    assert (own.width(width), own.kernel(3), own.depth(depth), own.pick(4, (1, 2))) == (width, 3, depth, 4)
    found = drawn.width(width)
    step, middle = drawn.step, narrower * width
    assert step in (8, 16) and found % step == 0 and found >= step
    assert 0.2 * middle - step / 2 <= found <= max(step, 1.8 * middle + step / 2)
    assert 1 <= drawn.depth(depth) <= depth + max(1, depth // 2)
    assert drawn.kernel(3) in (1, 3, 5, 7) and drawn.pick(4, (1, 2)) in (1, 2)


def test_half_of_the_variants_have_round_widths():
    round_ones = 0
    for model in families.variants("vgg16", 40, seed=4):
        graph = read(model)
        widths = [graph.out_shapes[n][0][1] for n, op in enumerate(graph.ops) if op == "Conv"]
        round_ones += all(width % 16 == 0 for width in widths)
    assert 10 < round_ones < 30


def test_stretching_cuts_or_repeats_the_last():
    rows = {tuple(Settings(random.Random(seed)).stretch("abc")) for seed in range(50)}
    assert rows == {("a", "b"), ("a", "b", "c"), ("a", "b", "c", "c")}
    assert Settings().stretch("abc") == ["a", "b", "c"]


def test_structure_ignores_the_order_of_branches_and_nothing_else():
    def network(*kernels: int, swap: bool = False, bias: bool = True) -> tuple[int, bytes]:
        b = Builder(8)
        branches = [b.conv(INPUT, 4, kernel, bias=bias) for kernel in kernels]
        output = b.add(*branches[::-1] if swap else branches)
        return b.structure(), b.model(output).SerializeToString()

    assert network(3, 5)[0] == network(5, 3)[0] and network(3, 5)[1] != network(5, 3)[1]
    assert network(3, 5)[0] == network(3, 5, swap=True)[0] != network(3, 5, bias=False)[0]
    assert len({network(*kernels)[0] for kernels in ((3, 5), (3, 3), (5, 5), (1, 5))}) == 4


def test_repeated_structures_are_drawn_again_until_the_family_is_exhausted(monkeypatch):
    def three(b: Builder, s: Settings) -> str:
        return b.conv(INPUT, 8, s.kernel(3, (1, 3, 5)))

    monkeypatch.setitem(families.FAMILIES, "three", families.Family(three, 16))
    kernels = {m.graph.node[0].attribute[0].ints[0] for m in families.variants("three", 3, seed=9)}
    assert kernels == {1, 3, 5}
    with pytest.raises(BenchError, match="three: no more than about 3 different variants"):
        families.variants("three", 4, seed=9)


@pytest.mark.parametrize("family", PUBLISHED)
def test_onnx_runtime_runs_a_variant(family):
    import onnxruntime

    (model,) = families.variants(family, 1, seed=2)
    filled, values, loaded = weights.fill(model.SerializeToString(), family)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    content = weights.embedded(filled, values).SerializeToString()
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    (output,) = session.run(None, weights.inputs(loaded))
    assert output.shape == (1, 10 if family == "nasbench201" else 1000)
    assert np.isfinite(output).all() and output.std() > 0


def test_command_line_writes_the_same_bytes_in_any_process(tmp_path):
    def run(folder: str, seed: str) -> subprocess.CompletedProcess:
        command = [sys.executable, "-m", "pipeline.measure.families", "--per-family", "2", "--seed", "7"]
        command += ["--out", str(tmp_path / folder), "--family", "squeezenet", "--family", "nasbench201"]
        return subprocess.run(
            command, env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        )

    lines = run("a", "1").stdout.splitlines()
    run("b", "2")
    assert [line.split(":")[0] for line in lines] == ["squeezenet", "nasbench201"] and "2 networks" in lines[0]
    files = sorted(path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*.onnx"))
    assert [path.name for path in files] == [
        *("nasbench201-7-0000.onnx", "nasbench201-7-0001.onnx"),
        *("squeezenet-7-0000.onnx", "squeezenet-7-0001.onnx"),
    ]
    for path in files:
        assert (tmp_path / "a" / path).read_bytes() == (tmp_path / "b" / path).read_bytes()
    here = [model.SerializeToString(deterministic=True) for model in families.variants("squeezenet", 2, 7)]
    assert here == [(tmp_path / "a" / path).read_bytes() for path in files[2:]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--per-family", "0"], "error: --per-family 0: give 1 or more"),
        (["--family", "alexnet", "--family", "lenet"], "error: family 'lenet' is not known; choose among alexnet, "),
        (["--out", "file/below", "--family", "alexnet"], "error: file/below/alexnet/alexnet-0-0000.onnx: cannot write"),
    ],
)
def test_command_line_errors_are_one_line(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(sys, "argv", ["families", "--per-family", "1", "--out", "out", *arguments])
    with pytest.raises(SystemExit) as stop:
        families.run_cli(families.main)
    assert stop.value.code == 1
    error = capsys.readouterr().err
    assert error.startswith(message) and error.count("\n") == 1
    assert not (tmp_path / "out").exists()
