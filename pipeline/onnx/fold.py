"""What of an ONNX model is constant: weights, constant nodes and shape arithmetic, all folded away.

A tensor is constant when nothing but initializers, constant nodes and shapes of other tensors goes into it. A weight
that is computed (ConstantOfShape, Unsqueeze of an initializer, DequantizeLinear, ...) is counted by the elements of
the tensors it starts from, its roots.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from onnx import TensorProto

from pipeline.onnx.control_flow import CONTROL_FLOW
from pipeline.onnx.infer import SHAPE_OF
from pipeline.onnx.load import needed
from pipeline.onnx.model import Loaded, Node, name_set

RANDOM = name_set("RandomNormal RandomUniform RandomNormalLike RandomUniformLike Multinomial Bernoulli")
RUNS = RANDOM | SHAPE_OF | CONTROL_FLOW  # even on constants
# Element types of weights; other integers and booleans are indices, axes, shapes and masks.
WEIGHT_TYPES = frozenset(
    {
        TensorProto.FLOAT,
        TensorProto.FLOAT16,
        TensorProto.BFLOAT16,
        TensorProto.DOUBLE,
        TensorProto.INT8,
        TensorProto.UINT8,
    }
    | {value for name, value in TensorProto.DataType.items() if name.startswith(("FLOAT8", "FLOAT4", "INT4", "UINT4"))}
)


@dataclass
class Folded:
    """The operations that remain, in topological order, and the constants they read.

    `roots` maps every constant tensor to the weights it starts from, `elements` each of these to its element count.
    """

    nodes: list[Node]
    roots: dict[str, tuple[str, ...]]
    elements: dict[str, int]


def fold(loaded: Loaded) -> Folded:
    """Split the nodes of a model into operations and constants.

    Operations that no output depends on are dropped. Raises BenchError when nothing remains.
    """
    roots: dict[str, tuple[str, ...]] = {"": ()}
    elements: dict[str, int] = {}
    from_shape: set[str] = set()  # constants that a Shape went into
    shapes, types = loaded.shapes, loaded.types

    def root(name: str, shape: tuple[int, ...], kind: int) -> None:
        count = math.prod(shape)
        if kind in WEIGHT_TYPES and count > 1:
            roots[name] = (name,)
            elements[name] = count
        else:
            roots[name] = ()

    for name in (*loaded.weights, *loaded.removed):
        root(name, shapes.get(name, ()), types.get(name, 0))
    live = []
    for node in loaded.nodes:
        op, inputs, outputs, _ = node
        if op == "Constant":
            root(outputs[0], shapes.get(outputs[0], ()), types.get(outputs[0], 0))
        elif op in SHAPE_OF and -1 not in shapes.get(inputs[0], (-1,)):
            roots[outputs[0]] = ()
            from_shape.add(outputs[0])
        elif inputs and roots.keys() >= set(inputs) and op not in RUNS:
            computed = not from_shape.isdisjoint(inputs)
            if op == "ConstantOfShape" and not computed:
                root(outputs[0], shapes.get(outputs[0], ()), types.get(outputs[0], 0))
                continue
            merged = roots[inputs[0]] if len(inputs) == 1 else tuple({r: None for name in inputs for r in roots[name]})
            for name in outputs:
                roots[name] = merged
            if computed:
                from_shape.update(outputs)
        else:
            live.append(node)
    roots[""] = ()
    operations = needed(live, loaded.outputs)
    if not operations:
        loaded.refuse("no output depends on an input", "export the model with its inputs")
    return Folded(operations, roots, elements)
