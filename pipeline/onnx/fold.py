"""What of an ONNX model is constant: weights, constant nodes and shape arithmetic, all folded away.

A tensor is constant when nothing but initializers, constant nodes and shapes of other tensors goes into it. A weight
that is computed (ConstantOfShape, Unsqueeze of an initializer, DequantizeLinear, ...) is counted by the elements of
the tensors it starts from, its roots.
"""

from __future__ import annotations

import contextlib
import math
from dataclasses import dataclass, field

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

from pipeline.onnx.model import INFERENCE_ERRORS, Loaded, Node, dims_of, name_set, short

RANDOM = name_set("RandomNormal RandomUniform RandomNormalLike RandomUniformLike Multinomial Bernoulli")
SHAPE_OF = frozenset({"Shape", "Size"})
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
MAX_VALUES = 4096  # elements of a constant that is evaluated
ARITHMETIC = name_set(
    """Abs Add And Cast Ceil Concat ConstantOfShape Div Equal Expand Floor Gather GatherElements GatherND Greater
    GreaterOrEqual Identity Less LessOrEqual Max Min Mod Mul Neg NonZero Not Or Pow Range ReduceMax ReduceMin ReduceProd
    ReduceSum Reshape ScatterND Slice Split Sqrt Squeeze Sub Tile Transpose Unsqueeze Where"""
)


@dataclass
class Folded:
    """The operations that remain, in topological order, and the constants they read.

    `roots` maps every constant tensor to the weights it starts from, `elements` each of these to its element count.
    """

    nodes: list[Node]
    roots: dict[str, tuple[str, ...]]
    elements: dict[str, int]
    tensors: dict[str, onnx.TensorProto]
    values: dict[str, np.ndarray] = field(default_factory=dict)

    def value(self, name: str, limit: int = 64) -> np.ndarray | None:
        """The value of constant `name` when it is known and has at most `limit` elements."""
        if name in self.values:
            return self.values[name] if self.values[name].size <= limit else None
        tensor = self.tensors.get(name)
        if tensor is None or math.prod(tensor.dims) > limit:
            return None
        try:
            return numpy_helper.to_array(tensor)
        except (ValueError, TypeError):  # the value was taken out of the file
            return None


def fold(loaded: Loaded) -> Folded:
    """Split the nodes of a model into operations and constants; find shapes that hang on shape arithmetic.

    Operations that no output depends on are dropped. Raises BenchError when nothing remains.
    """
    folded = _split(loaded)
    if _lacks_shape(loaded, folded):
        values = _resolve(loaded)
        folded = _split(loaded)
        folded.values = values
    return folded


def _split(loaded: Loaded) -> Folded:
    roots: dict[str, tuple[str, ...]] = {"": ()}
    elements: dict[str, int] = {}
    tensors = dict(loaded.weights)
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
        op, inputs, outputs, proto = node
        if op == "Constant":
            name = outputs[0]
            if proto.attribute and proto.attribute[0].type == onnx.AttributeProto.TENSOR:
                tensors[name] = proto.attribute[0].t
                shapes.setdefault(name, tuple(tensors[name].dims))
            root(name, shapes.get(name, ()), types.get(name, 0))
        elif op in SHAPE_OF and -1 not in shapes.get(inputs[0], (-1,)):
            roots[outputs[0]] = ()
            from_shape.add(outputs[0])
        elif inputs and roots.keys() >= set(inputs) and op not in RANDOM and op not in SHAPE_OF:
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
    return Folded(_needed(loaded, live), roots, elements, tensors)


def _needed(loaded: Loaded, live: list[Node]) -> list[Node]:
    """The operations that an output depends on."""
    needed = set(loaded.outputs)
    operations = []
    for node in reversed(live):
        if not needed.isdisjoint(node.outputs):
            needed.update(node.inputs)
            operations.append(node)
    if not operations:
        loaded.refuse("no output depends on an input", "export the model with its inputs")
    return operations[::-1]


def _lacks_shape(loaded: Loaded, folded: Folded) -> bool:
    return any(-1 in loaded.shapes.get(name, (-1,)) for node in folded.nodes for name in node.outputs[:1])


def _resolve(loaded: Loaded) -> dict[str, np.ndarray]:
    """One pass over the nodes that evaluates shape arithmetic and infers, node by node, the shapes that hang on it.

    onnx's inference of a whole model follows shape arithmetic only through the simplest operations. Returns the values
    found; `loaded` gets the shapes and types.
    """
    values = {}
    for name, tensor in loaded.weights.items():
        _keep_value(values, name, tensor)
    for node in loaded.nodes:
        op, inputs, outputs, proto = node
        shape = loaded.shapes.get(inputs[0], (-1,)) if op in SHAPE_OF else (-1,)
        if op == "Constant" and proto.attribute and proto.attribute[0].type == onnx.AttributeProto.TENSOR:
            _keep_value(values, outputs[0], proto.attribute[0].t)
        elif op == "Constant" or (op in ARITHMETIC and _is_small(node, values)):
            _evaluate(loaded, node, {name: values[name] for name in inputs if name}, values)
        elif -1 not in shape:
            bounds = {attribute.name: attribute.i for attribute in proto.attribute}
            part = shape[bounds.get("start") : bounds.get("end")]
            values[outputs[0]] = np.array(part if op == "Shape" else math.prod(shape), dtype=np.int64)
            loaded.shapes[outputs[0]], loaded.types[outputs[0]] = values[outputs[0]].shape, TensorProto.INT64
        elif any(-1 in loaded.shapes.get(name, (-1,)) for name in outputs if name):
            _infer_node(loaded, node, values)
    return values


def _keep_value(values: dict[str, np.ndarray], name: str, tensor: onnx.TensorProto) -> None:
    if math.prod(tensor.dims) <= MAX_VALUES:
        with contextlib.suppress(ValueError, TypeError):  # the value was taken out of the file
            values[name] = numpy_helper.to_array(tensor)


def _evaluate(loaded: Loaded, node: Node, feeds: dict[str, np.ndarray], values: dict[str, np.ndarray]) -> None:
    """Run one node on known inputs and keep its outputs."""
    from onnx.reference import ReferenceEvaluator

    try:
        with np.errstate(all="ignore"):
            results = ReferenceEvaluator(node.proto, opsets={"": loaded.opset}).run(None, feeds)
    except Exception as error:  # noqa: BLE001  the evaluator raises whatever numpy raises
        loaded.refuse(f"{node.op} ({node.outputs[0]!r}) of its shape arithmetic fails with {type(error).__name__}")
    for name, result in zip(node.outputs, results, strict=False):
        array = np.asarray(result)
        if name and array.size <= MAX_VALUES:
            values[name] = array
        loaded.shapes[name] = array.shape
        loaded.types[name] = onnx.helper.np_dtype_to_tensor_dtype(array.dtype)


def _infer_node(loaded: Loaded, node: Node, values: dict[str, np.ndarray]) -> None:
    """Infer the output shapes of one node from the shapes and known values of its inputs."""
    inputs = [name for name in node.inputs if name]
    if not onnx.defs.has(node.op, loaded.opset, node.proto.domain) or not loaded.types.keys() >= set(inputs):
        return
    types, data = {}, {}
    for name in inputs:
        shape = loaded.shapes.get(name)
        sizes = None if shape is None else [None if size < 0 else size for size in shape]
        types[name] = onnx.helper.make_tensor_type_proto(loaded.types[name], sizes)
        if name in values:
            data[name] = numpy_helper.from_array(values[name], name)
    schema = onnx.defs.get_schema(node.op, loaded.opset, node.proto.domain)
    imports = [onnx.helper.make_opsetid(node.proto.domain, loaded.opset)]
    try:
        inferred = onnx.shape_inference.infer_node_outputs(schema, node.proto, types, data, opset_imports=imports)
    except INFERENCE_ERRORS as error:
        loaded.refuse(f"onnx can't infer {node.op} ({node.outputs[0]!r}): {short(error)}")
    for name, kind in inferred.items():
        if kind.HasField("tensor_type"):
            loaded.types[name] = kind.tensor_type.elem_type
            if kind.tensor_type.HasField("shape"):
                loaded.shapes[name] = dims_of(kind.tensor_type.shape)


def _is_small(node: Node, values: dict[str, np.ndarray]) -> bool:
    """True when all inputs are known, and numbers, and the result can't be large."""
    inputs = [values.get(name) for name in node.inputs if name]
    if not inputs or any(value is None or value.dtype.kind not in "biuf" for value in inputs):
        return False
    if node.op in ("ConstantOfShape", "Expand"):
        return bool(np.prod(inputs[-1].astype(float)) <= MAX_VALUES)
    if node.op == "Tile":
        return bool(inputs[0].size * np.prod(inputs[-1].astype(float)) <= MAX_VALUES)
    if node.op == "Range" and [value.size for value in inputs] == [1, 1, 1]:
        start, limit, delta = (value.item() for value in inputs)
        return delta != 0 and (limit - start) / delta <= MAX_VALUES
    return node.op != "Range"
