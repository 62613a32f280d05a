"""An ONNX model with static shapes, as the steps of the conversion pass it on."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple, NoReturn

import onnx
from google.protobuf.message import DecodeError

from pipeline.core.errors import BenchError

INFERENCE_ERRORS = (
    onnx.shape_inference.InferenceError,
    onnx.checker.ValidationError,
    DecodeError,
    RuntimeError,
    ValueError,
    TypeError,
)
Shape = tuple[int, ...]
MAX_DIM = 2**31 - 1
MAX_ELEMENTS = 2**40


class Node(NamedTuple):
    """One node of the file: its operation, the names it reads and writes, and the protobuf message itself."""

    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    proto: onnx.NodeProto


@dataclass
class Loaded:
    """A checked model: nodes in topological order, and shape and element type of every tensor that has one.

    `inputs` are the data inputs, `weights` the initializers (maybe without values), `removed` the weights of which only
    name and shape are left. `batch` is the size of axis 0 of the inputs, `open_batch`: the file left it open.
    """

    where: str
    opset: int
    model: onnx.ModelProto
    nodes: list[Node]
    outputs: list[str]
    weights: dict[str, onnx.TensorProto]
    inputs: list[str] = field(default_factory=list)
    removed: set[str] = field(default_factory=set)
    batch: int = 1
    open_batch: bool = False
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    types: dict[str, int] = field(default_factory=dict)

    def refuse(self, what: str, remedy: str = "check how the file was exported") -> NoReturn:
        """Raise BenchError naming the file."""
        raise BenchError(f"{self.where}: {what}; {remedy}")


def name_set(text: str) -> frozenset[str]:
    """The names in a text, separated by white space."""
    return frozenset(text.split())


def infer(loaded: Loaded) -> None:
    """Fill `shapes` and `types` by onnx's strict shape inference. Raises BenchError on any contradiction."""
    try:
        inferred = onnx.shape_inference.infer_shapes(loaded.model, check_type=True, strict_mode=True, data_prop=True)
    except INFERENCE_ERRORS as error:
        loaded.refuse(f"onnx finds a contradiction: {short(error)}")
    graph = inferred.graph
    shapes, types = loaded.shapes, loaded.types
    for values in (graph.input, graph.value_info, graph.output):
        for value in values:
            tensor = value.type.tensor_type
            types[value.name] = tensor.elem_type
            if tensor.HasField("shape"):
                shapes[value.name] = dims_of(tensor.shape)


def dims_of(shape: onnx.TensorShapeProto) -> tuple[int, ...]:
    """The dimensions of a shape, -1 where one is unknown."""
    return tuple([dim.dim_value or (0 if dim.HasField("dim_value") else -1) for dim in shape.dim])


def check_shape(loaded: Loaded, name: str, op: str) -> tuple[int, ...]:
    """The shape of tensor `name`, which `op` makes. Raises BenchError when it is missing, empty or absurd."""
    shape = loaded.shapes.get(name)
    if shape is None or -1 in shape:
        known = "unknown" if shape is None else f"[{', '.join('?' if d < 0 else str(d) for d in shape)}]"
        loaded.refuse(
            f"shape of tensor {name!r} (made by {op}) is {known}",
            "export with fixed shapes and without data-dependent ops",
        )
    if shape and not (min(shape) > 0 and max(shape) <= MAX_DIM and math.prod(shape) <= MAX_ELEMENTS):
        loaded.refuse(f"absurd shape {list(shape)} of tensor {name!r} (made by {op})")
    return shape


def short(error: Exception) -> str:
    """The first 200 characters of an error of onnx, on one line."""
    text = " ".join(str(error).replace("Inference error(s):", "").split())
    return text[:200] or type(error).__name__
