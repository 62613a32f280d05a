"""Random weights for models that come without: seeded, in memory, and cheap even for VGG's 138 million.

Values are drawn once, a million of them; every weight repeats them, scaled by its fan-in (He et al., ICCV 2015) so that
activations neither overflow nor vanish. What a weight is does not change how long a dense operation takes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

from pipeline.core.errors import BenchError
from pipeline.onnx import external
from pipeline.onnx.load import load
from pipeline.onnx.model import Loaded

N_DRAWN = 1_000_003  # a prime: rows of a matrix differ
MAX_BYTES = 2**33
SMALL = 2**16  # bytes of a value that stays in the model: shapes among them, which a runtime reads as it loads
VALUE_FIELDS = ("raw_data", "float_data", "double_data", "int32_data", "int64_data", "uint64_data", "string_data")
PLACE = "in memory"
NORMS = {"BatchNormalization", "InstanceNormalization", "LayerNormalization", "GroupNormalization"}


def fill(
    content: bytes,
    where: str,
    seed: int = 0,
    batch_size: int | None = None,
    dims: Mapping[str, int] | None = None,
    folder: Path | None = None,
) -> tuple[onnx.ModelProto, dict[str, np.ndarray], Loaded]:
    """The model, the values that its file leaves out or keeps in files of `folder`, and the checked model.

    In the model each such weight is an initializer marked as external, to be replaced by its value. Integer weights
    without values are zeros, matrices of int8 excepted. `batch_size` and `dims` size the inputs as in
    `pipeline.onnx.graph.read_graph`. Raises BenchError for a file that can't be read and for weights above 8 GiB.
    """
    loaded = load(content, where, dims, batch=batch_size, folder=folder)
    _resize(loaded, batch_size)
    model = onnx.ModelProto.FromString(content)
    ones = _ones(loaded)
    outside = {t.name: t for t in model.graph.initializer if external.is_external(t)}
    if outside and folder is None:
        raise BenchError(f"{where}: its weights lie in other files; give the file by its path")
    empty = {t.name for t in model.graph.initializer if _is_empty(t)} | loaded.removed | outside.keys()
    size = sum(math.prod(loaded.shapes[name]) for name in empty) * 4
    if size > MAX_BYTES:
        raise BenchError(f"{where}: {size >> 20:,} MiB of weights, over the limit of {MAX_BYTES >> 20:,}; refused")
    used = _used(model.graph)  # one runtime removes the others before it looks for values
    empty &= used
    initializers = [t for t in model.graph.initializer if t.name in used and t.name not in empty]
    values = {
        name: external.read(outside[name], folder, where)
        if name in outside
        else _values(loaded, name, name in ones, seed)
        for name in sorted(empty)
    }
    small = {name: values.pop(name) for name in outside if name in values and values[name].nbytes <= SMALL}
    initializers += [onnx.numpy_helper.from_array(value, name) for name, value in small.items()]
    del model.graph.initializer[:]
    model.graph.initializer.extend(initializers)
    for name, value in values.items():
        tensor = model.graph.initializer.add(
            name=name, data_type=loaded.types[name], dims=value.shape, data_location=TensorProto.EXTERNAL
        )
        tensor.external_data.add(key="location", value=PLACE)
    model.ir_version = max(model.ir_version, 4)  # the first in which an initializer need not be an input as well
    inputs_left = [value for value in model.graph.input if value.name in loaded.inputs]
    del model.graph.input[:]
    model.graph.input.extend(inputs_left)
    for value in model.graph.input:
        for dim, size in zip(value.type.tensor_type.shape.dim, loaded.shapes[value.name], strict=True):
            dim.dim_value = size
    return model, values, loaded


def _resize(loaded: Loaded, batch_size: int | None) -> None:
    """Give the inputs another batch size than the file states; whether the network takes it shows when it runs."""
    for name in loaded.inputs:
        shape = loaded.shapes[name]
        if batch_size is not None and shape and shape[0] == loaded.batch:
            loaded.shapes[name] = (batch_size, *shape[1:])


def embedded(model: onnx.ModelProto, values: dict[str, np.ndarray]) -> onnx.ModelProto:
    """The model with its values inside; `model` is changed."""
    for tensor in model.graph.initializer:
        if tensor.name in values:
            tensor.ClearField("external_data")
            tensor.data_location = TensorProto.DEFAULT
            tensor.raw_data = values[tensor.name].tobytes()
    return model


def inputs(loaded: Loaded, seed: int = 0) -> dict[str, np.ndarray]:
    """Random data for every input: normal floats, zeros where integers or booleans are asked for."""
    rng = np.random.Generator(np.random.PCG64(seed))
    values = {}
    for name in loaded.inputs:
        shape, kind = loaded.shapes[name], helper.tensor_dtype_to_np_dtype(loaded.types[name])
        is_float = np.issubdtype(kind, np.floating)
        values[name] = rng.standard_normal(shape, dtype=np.float32).astype(kind) if is_float else np.zeros(shape, kind)
    return values


def _is_empty(tensor: onnx.TensorProto) -> bool:
    """True for an initializer of which only name, type and shape are there."""
    has_values = any(getattr(tensor, field) for field in VALUE_FIELDS) or tensor.external_data
    return not has_values and math.prod(tensor.dims) > 0


def _used(graph: onnx.GraphProto) -> set[str]:
    """Names that a node of the graph or of a graph inside it reads, or that the graph gives out."""
    used = {value.name for value in graph.output}
    for node in graph.node:
        used.update(node.input)
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                used |= _used(inner)
    return used


def _ones(loaded: Loaded) -> set[str]:
    """Scales and variances of normalizations."""
    norms = [node for node in loaded.nodes if node.op in NORMS]
    variances = {node.inputs[4] for node in norms if node.op == "BatchNormalization"}
    return variances | {node.inputs[1] for node in norms if len(node.inputs) > 1}


def _values(loaded: Loaded, name: str, all_ones: bool, seed: int) -> np.ndarray:
    shape, kind = loaded.shapes[name], helper.tensor_dtype_to_np_dtype(loaded.types[name])
    if all_ones:
        return np.ones(shape, kind)
    if len(shape) < 2 or not (np.issubdtype(kind, np.floating) or kind == np.int8):
        return np.zeros(shape, kind)
    if kind == np.int8:  # a standard deviation of a quarter of the range
        return np.resize(np.clip(_random_values(seed) * 32, -127, 127).astype(kind), shape)
    fan_in = math.prod(shape[1:]) if len(shape) > 2 else max(shape)
    needed = _random_values(seed)[: math.prod(shape)]  # most weights are far smaller than what is drawn
    scaled = (needed * np.float32(math.sqrt(2 / max(fan_in, 1)))).astype(kind, copy=False)
    return scaled.reshape(shape) if scaled.size == math.prod(shape) else np.resize(scaled, shape)


@cache
def _random_values(seed: int) -> np.ndarray:
    return np.random.Generator(np.random.PCG64(seed)).standard_normal(N_DRAWN, dtype=np.float32)
