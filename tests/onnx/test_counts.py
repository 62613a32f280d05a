"""MACs and parameters against two independent counts: the package onnx-tool 1.0.1 and torchvision's published table."""

from __future__ import annotations

import math

import onnx
import pytest

from pipeline.onnx.graph import read_graph
from tests.helpers.onnx_files import LIGHT_NAMES, RESNET18, light, onnx_tool_counts

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
