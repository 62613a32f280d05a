"""The inputs of an ONNX model: data or weight, sizes of open dimensions, and no shapes but those inference needs."""

from __future__ import annotations

import math
from collections.abc import Mapping

import onnx

from pipeline.onnx.model import MAX_DIM, MAX_ELEMENTS, Loaded

# Inputs of an operation that are weights. A graph input without a value that is only used there is a removed weight.
WEIGHT_SLOTS = {
    "Conv": (1, 2),
    "ConvTranspose": (1, 2),
    "Gemm": (1, 2),
    "BatchNormalization": (1, 2, 3, 4),
    "InstanceNormalization": (1, 2),
    "LayerNormalization": (1, 2),
    "GroupNormalization": (1, 2),
    "PRelu": (1,),
    "LSTM": (1, 2, 3),
    "GRU": (1, 2, 3),
    "RNN": (1, 2, 3),
}


def split_inputs(loaded: Loaded) -> None:
    """Tell data inputs from weights: initializers, and inputs without a value that only stand where weights do.

    Initializers are no inputs of the model any more then.
    """
    graph = loaded.model.graph
    inputs = {value.name: value for value in graph.input if value.name not in loaded.weights}
    if len(inputs) < len(graph.input):
        del graph.input[:]
        graph.input.extend(inputs.values())
    names = list(inputs)
    data = set()
    for node in loaded.nodes if len(names) > 1 else ():
        slots = WEIGHT_SLOTS.get(node.op, ())
        data.update(name for slot, name in enumerate(node.inputs) if slot not in slots)
    if data.intersection(names):
        loaded.removed = set(names) - data
    loaded.inputs = [name for name in names if name not in loaded.removed]


def fix_dims(loaded: Loaded, dims: Mapping[str, int], batch: int) -> None:
    """Give every dimension of every input a size, `batch` for an open batch; find the batch size of the file."""
    shapes = {}
    for value in loaded.model.graph.input:
        if not value.type.HasField("tensor_type"):
            loaded.refuse(f"input {value.name!r} is not a tensor", "export a model of tensors")
        if not value.type.tensor_type.HasField("shape"):
            loaded.refuse(f"input {value.name!r} has no shape", "export with fixed shapes")
        shapes[value.name] = value.type.tensor_type.shape.dim
    batches = {shape[0].dim_param for shape in shapes.values() if shape and not shape[0].dim_value}
    for name, shape in shapes.items():
        for axis, dim in enumerate(shape):
            if not 0 <= dim.dim_value <= MAX_DIM:
                loaded.refuse(f"input {name!r} has the absurd dimension {dim.dim_value}")
            symbol = dim.dim_param
            if dim.dim_value == 0:
                if symbol not in dims and axis and (not symbol or symbol not in batches):
                    loaded.refuse(
                        f"dimension {axis} of input {name!r} is open ({symbol or 'without a name'})",
                        f"export with fixed shapes, or give --dim {symbol or 'NAME'}=SIZE",
                    )
                dim.dim_value = dims.get(symbol, batch)
    loaded.open_batch = bool(batches)
    loaded.batch = next((shapes[name][0].dim_value for name in loaded.inputs if shapes[name]), 1)


def drop_stated_shapes(loaded: Loaded) -> None:
    """Leave to inference every shape that it can find itself; state the shapes of weights only once."""
    graph = loaded.model.graph
    shapes, types = loaded.shapes, loaded.types
    for name, tensor in loaded.weights.items():
        shape = tuple(tensor.dims)
        if shape and (min(shape) < 0 or math.prod(shape) > MAX_ELEMENTS):
            loaded.refuse(f"absurd shape {list(shape)} of weight {name!r}", "get the file again")
        shapes[name], types[name] = shape, tensor.data_type
    for sparse in graph.sparse_initializer:
        shapes[sparse.values.name] = tuple(sparse.dims)
    if loaded.model.ir_version < 4:
        loaded.model.ir_version = 4  # the first in which an initializer need not be an input as well
    for value in graph.output:
        if value.type.HasField("tensor_type"):
            value.type.tensor_type.ClearField("shape")
    if graph.value_info:
        unknown = set()
        for node in loaded.nodes:
            if not onnx.defs.has(node.op, loaded.opset, node.proto.domain):
                unknown.update(node.outputs)
        stated = [value for value in graph.value_info if value.name in unknown]
        del graph.value_info[:]
        graph.value_info.extend(stated)
