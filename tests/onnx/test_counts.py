"""MACs and parameters against two independent counts: the package onnx-tool 1.0.1 and torchvision's published table."""

from __future__ import annotations

import contextlib
import io
import math

import numpy as np
import onnx
import pytest

from pipeline.onnx.graph import read_graph
from tests.helpers.onnx_files import LIGHT_NAMES, RESNET18, light

# "GFLOPS" (multiply-accumulates) and parameters as torchvision's documentation states them for the same networks.
TORCHVISION = {
    "densenet121": (2.834, 7_978_856),
    "resnet50": (4.089, 25_557_032),
    "squeezenet": (0.349, 1_235_496),
    "vgg19": (19.632, 143_667_240),
}


@pytest.mark.parametrize("name", LIGHT_NAMES)
def test_packaged_models_against_onnx_tool(name):
    graph = read_graph(light(name))
    macs, params = onnx_tool_counts(onnx.load(light(name)))
    assert graph.macs.sum() == pytest.approx(macs, rel=0.01)
    assert graph.params.sum() == pytest.approx(params, rel=0.01)


@pytest.mark.real_data
def test_the_mirror_s_resnet18_against_onnx_tool_and_torchvision(mirror):
    graph = read_graph(mirror / RESNET18)
    model = onnx.load(mirror / RESNET18)
    for tensor in model.graph.initializer:  # onnx-tool wants values
        tensor.raw_data = bytes(4 * math.prod(tensor.dims))
    macs, params = onnx_tool_counts(model)
    assert graph.macs.sum() == pytest.approx(macs, rel=0.01)
    assert graph.params.sum() == pytest.approx(params, rel=0.01)
    assert graph.macs.sum() / 1e9 == pytest.approx(1.814, abs=5e-4)
    assert graph.params.sum() - running_statistics(graph) == 11_689_512


@pytest.mark.parametrize("name", TORCHVISION)
def test_packaged_models_against_torchvision(name):
    gmacs, params = TORCHVISION[name]
    graph = read_graph(light(name))
    assert graph.macs.sum() / 1e9 == pytest.approx(gmacs, abs=6e-4)
    assert graph.params.sum() - running_statistics(graph) == params


def running_statistics(graph) -> float:
    """Running means and variances of batch normalisation: ONNX stores them as weights, PyTorch does not count them.

    DenseNet's file has scale and shift in a Mul and an Add behind each: there all four vectors are extra.
    """
    of_norm = sum(graph.params[i] for i, op in enumerate(graph.ops) if op == "BatchNormalization")
    scales = sum(graph.params[i] for i, op in enumerate(graph.ops) if op in ("Mul", "Add"))
    return of_norm if scales else of_norm / 2


def onnx_tool_counts(model: onnx.ModelProto) -> tuple[float, float]:
    """onnx-tool's MACs of Conv, Gemm and MatMul without their biases, and its sizes of the weights that nodes read.

    onnx-tool counts every elementwise operation as MACs; those are left out. Weights that ConstantOfShape nodes make
    are tensors to it and not parameters; they are added by the shapes that it finds for them.
    """
    onnx_tool = pytest.importorskip("onnx_tool", reason="the independent counter onnx-tool is not installed")
    with contextlib.redirect_stdout(io.StringIO()):
        counted = onnx_tool.Model(model)
        counted.graph.shape_infer(None)
        counted.graph.profile()
    size = {name: float(np.prod(tensor.get_shape())) for name, tensor in counted.graph.tensormap.items()}
    macs, weights = 0.0, {}
    floats = {tensor.name for tensor in model.graph.initializer if tensor.data_type == onnx.TensorProto.FLOAT}
    made = {node.output[0] for node in model.graph.node if node.op_type == "ConstantOfShape"}
    for node in counted.graph.nodemap.values():
        if node.op_type in ("Conv", "Gemm", "MatMul"):
            bias = size[node.output[0]] if len(node.input) > 2 else 0
            macs += node.macs[0] - bias
        weights |= {name: size[name] for name in node.input if name in floats or name in made}
    return macs, sum(weights.values())
