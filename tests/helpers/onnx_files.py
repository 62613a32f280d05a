"""Small ONNX models for tests, and where the real ones are."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from pipeline.onnx.graph import OnnxGraph, read_graph

FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64
LIGHT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
LIGHT_NAMES = (
    *("bvlc_alexnet", "densenet121", "inception_v1", "inception_v2", "resnet50"),
    *("shufflenet", "squeezenet", "vgg19", "zfnet512"),
)
RESNET18 = "nnlqp/resnet18-v1-7-no-weight.onnx"  # in the mirror


def light(name: str) -> Path:
    """The file of a model that is packaged in onnx."""
    return LIGHT / f"light_{name}.onnx"


def node(op: str, inputs: Sequence[str], output: str | Sequence[str], **attributes: object) -> onnx.NodeProto:
    """One node; `output` is a name or several."""
    return helper.make_node(op, list(inputs), [output] if isinstance(output, str) else list(output), **attributes)


def weight(name: str, *shape: int, kind: int = FLOAT) -> onnx.TensorProto:
    """An initializer with a shape and no value, as NNLQP's files have them."""
    tensor = TensorProto(name=name, data_type=kind)
    tensor.dims.extend(shape)
    return tensor


def ints(name: str, *values: int) -> onnx.TensorProto:
    """An initializer of 64-bit integers, one dimension."""
    return helper.make_tensor(name, INT64, [len(values)], values)


def model(
    nodes: Sequence[onnx.NodeProto],
    inputs: dict[str, Sequence[int | str]],
    outputs: Sequence[str] = ("y",),
    weights: Sequence[onnx.TensorProto] = (),
    opset: int = 13,
    kind: int = FLOAT,
) -> onnx.ModelProto:
    """A model; `inputs` maps names to shapes, a string is an open dimension. Nothing is checked."""
    graph = helper.make_graph(
        list(nodes),
        "test",
        [helper.make_tensor_value_info(name, kind, list(shape)) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(name, kind, None) for name in outputs],
        initializer=list(weights),
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])


def conv_model(**attributes: object) -> onnx.ModelProto:
    """One 3x3 convolution of a (2, 4, 8, 8) input to 6 channels, with bias."""
    return model(
        [node("Conv", ["x", "w", "b"], "y", **attributes)],
        {"x": [2, 4, 8, 8]},
        weights=[weight("w", 6, 4 // attributes.get("group", 1), 3, 3), weight("b", 6)],
    )


def read(proto: onnx.ModelProto, **options: object) -> OnnxGraph:
    """The graph of a model, read from its bytes."""
    return read_graph(proto.SerializeToString(), "model", **options)


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
