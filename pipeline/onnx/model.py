"""An ONNX model with static shapes, as the steps of the conversion pass it on."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple, NoReturn

import numpy as np
import onnx

from pipeline.core.errors import BenchError

Shape = tuple[int, ...]
MAX_DIM = 2**31 - 1
MAX_ELEMENTS = 2**40
MAX_FILE_NODES = 200_000  # nodes of the file, constants and repeated bodies of loops included


class Node(NamedTuple):
    """One node: its operation, the names it reads and writes, and the protobuf message itself.

    What a node reads includes what the graphs inside it read of the graph around them.
    """

    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    proto: onnx.NodeProto


@dataclass
class Loaded:
    """A checked model: nodes in topological order, and shape and element type of every tensor that has one.

    `inputs` are the data inputs, `weights` the initializers (maybe without values), `removed` the weights of which only
    name and shape are left. `batch` is the size of axis 0 of the inputs, `open_batch`: the file left it open. `values`:
    of small constants. `notes`: what was assumed.
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
    values: dict[str, np.ndarray] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def refuse(self, what: str, remedy: str = "check how the file was exported") -> NoReturn:
        """Raise BenchError naming the file."""
        raise BenchError(f"{self.where}: {what}; {remedy}")


def name_set(text: str) -> frozenset[str]:
    """The names in a text, separated by white space."""
    return frozenset(text.split())


def dims_of(shape: onnx.TensorShapeProto) -> tuple[int, ...]:
    """The dimensions of a shape, -1 where one is unknown."""
    return tuple([dim.dim_value or (0 if dim.HasField("dim_value") else -1) for dim in shape.dim])


def check_shape(loaded: Loaded, name: str, node: Node | None = None) -> tuple[int, ...]:
    """The shape of tensor `name`, which `node` makes (None: an input of the model).

    What a node makes may be empty. Raises BenchError when it is missing or absurd.
    """
    shape = loaded.shapes.get(name)
    maker = node.op if node else "Input"
    if shape is None or -1 in shape:
        if node is not None and node.proto.domain == "ai.onnx.ml":
            loaded.refuse(
                f"shapes of operations of ai.onnx.ml are not inferred, and {maker} makes {name!r}",
                "export without them; what remains must be tensor operations",
            )
        if shape is None and ("Sequence" in maker or "Optional" in maker):
            loaded.refuse(f"{maker} makes {name!r}, a sequence and no tensor", "export without sequences")
        known = "unknown" if shape is None else f"[{', '.join('?' if d < 0 else str(d) for d in shape)}]"
        loaded.refuse(
            f"shape of tensor {name!r} (made by {maker}) is {known}",
            "export with fixed shapes and without data-dependent ops",
        )
    if shape and not (min(shape) >= (node is None) and max(shape) <= MAX_DIM and math.prod(shape) <= MAX_ELEMENTS):
        loaded.refuse(f"absurd shape {list(shape)} of tensor {name!r} (made by {maker})")
    return shape


def short(error: Exception) -> str:
    """The first 200 characters of an error of onnx, on one line."""
    text = " ".join(str(error).replace("Inference error(s):", "").split())
    return text[:200] or type(error).__name__
