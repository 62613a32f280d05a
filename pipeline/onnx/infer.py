"""Shapes and small values of all tensors of a model, node by node in topological order.

Each node is inferred by onnx from the shapes of its inputs and the values of those that are constants; values come from
`pipeline.onnx.evaluate`, shapes that onnx does not know or gets wrong from `pipeline.onnx.rules`. Control flow whose
course is constant is written out. What can't be said stays unknown; a contradiction is refused with the node's name.
"""

from __future__ import annotations

import functools
import math

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import AttributeProto, TensorProto, helper, numpy_helper

from pipeline.onnx import rules
from pipeline.onnx.control_flow import CONTROL_FLOW, WrittenOut, node_of, renamed, settings_of
from pipeline.onnx.evaluate import MAX_VALUES, OPERATIONS, evaluated
from pipeline.onnx.model import Loaded, Node, dims_of, name_set, short

INFERENCE_ERRORS = (
    onnx.shape_inference.InferenceError,
    onnx.checker.ValidationError,
    DecodeError,
    RuntimeError,
    ValueError,
    TypeError,
)
MISFITS = (LookupError, ArithmeticError, ValueError, TypeError, AttributeError)
SHAPE_OF = frozenset({"Shape", "Size"})
MAX_RANK = 64
MAX_OPERAND = 2**16  # entries of a vector such as starts or sizes; inference takes memory in proportion
MAX_DATA = 1024  # entries of a constant that inference is told


def infer(loaded: Loaded) -> None:
    """Fill `shapes`, `types` and `values` of `loaded`; write constant control flow out in its nodes.

    Raises BenchError on a contradiction, and on control flow that hangs on data.
    """
    walk = _Walk(loaded)
    for node in loaded.nodes:
        try:
            walk.visit(node)
        except MISFITS as error:
            what = f"{node.op} ({node.outputs[0]!r}) has inputs or attributes that do not fit: {type(error).__name__}"
            loaded.refuse(what)
    loaded.nodes = walk.nodes
    loaded.outputs = [walk.alias.get(name, name) for name in loaded.outputs]


class _Walk(WrittenOut):
    """One pass over the nodes of a model."""

    def __init__(self, loaded: Loaded) -> None:
        super().__init__(loaded)
        self.types = loaded.types
        self.kinds: dict[str, onnx.TypeProto] = {}
        self.imports = {opset.domain: opset.version for opset in loaded.model.opset_import}
        self.opsets = [helper.make_opsetid(domain, version) for domain, version in self.imports.items()]
        self.schema = functools.cache(self._schema)
        for name, tensor in loaded.weights.items():
            self.keep_value(name, tensor)

    def visit(self, node: Node) -> None:
        """Take in the next node."""
        if not self.alias.keys().isdisjoint(node.inputs):
            node = node_of(renamed(node.proto, self.alias))
        op, inputs, outputs, proto = node
        if op in CONTROL_FLOW and not proto.domain and self.expand(node):
            return
        self.nodes.append(node)
        if op == "Constant":
            self.constant(outputs[0], proto)
        elif op in SHAPE_OF and -1 not in self.shapes.get(inputs[0], (-1,)):
            shape = self.shapes[inputs[0]]
            bounds = {attribute.name: attribute.i for attribute in proto.attribute}
            part = shape[bounds.get("start") : bounds.get("end")]
            self.know_value(outputs[0], np.array(part if op == "Shape" else math.prod(shape), dtype=np.int64))
        elif not (op in OPERATIONS and not proto.domain and self.evaluate(node)):
            self.infer(node)

    def know(self, name: str, kind: int, shape: tuple[int, ...] | None) -> None:
        """Element type and shape of a tensor."""
        self.types[name] = kind
        self.kinds.pop(name, None)
        if shape is not None:
            self.shapes[name] = shape
            if len(shape) > MAX_RANK:
                self.loaded.refuse(f"tensor {name!r} has the absurd number of {len(shape):,} dimensions")

    def know_value(self, name: str, value: np.ndarray) -> None:
        """The value of a constant, and so its type and shape."""
        self.know(name, helper.np_dtype_to_tensor_dtype(value.dtype), value.shape)
        self.values[name] = value

    def keep_value(self, name: str, tensor: TensorProto) -> None:
        """Type and shape of a weight, and its value when that is small and there."""
        self.know(name, tensor.data_type, tuple(tensor.dims))
        if math.prod(tensor.dims) <= MAX_VALUES and tensor.data_location != TensorProto.EXTERNAL:
            try:
                self.values[name] = numpy_helper.to_array(tensor)
            except (ValueError, TypeError):  # the value was taken out of the file
                self.values.pop(name, None)

    def constant(self, name: str, proto: onnx.NodeProto) -> None:
        """The value of a Constant node."""
        for attribute in proto.attribute:
            if attribute.type == AttributeProto.TENSOR:
                self.keep_value(name, attribute.t)
            elif attribute.type == AttributeProto.SPARSE_TENSOR:
                self.know(name, attribute.sparse_tensor.values.data_type, tuple(attribute.sparse_tensor.dims))
            elif attribute.name in _PLAIN:
                self.know_value(name, np.array(helper.get_attribute_value(attribute), dtype=_PLAIN[attribute.name]))

    def evaluate(self, node: Node) -> bool:
        """Whether the outputs are known now, because all inputs were."""
        inputs = [self.values.get(name) for name in node.inputs]
        if any(value is None and name for name, value in zip(node.inputs, inputs, strict=True)):
            return False
        results = evaluated(node.op, inputs, settings_of(node.proto), len(node.outputs))
        for name, value in zip(node.outputs, results or (), strict=False):
            self.know_value(name, value)
        return results is not None

    def infer(self, node: Node) -> None:
        """Types and shapes of the outputs of one node, as far as they can be said."""
        op, _, outputs, proto = node
        inputs = list(proto.input)
        if self.loaded.types.keys() >= {name for name in inputs if name}:
            self.guard(node)
            schema = self.schema(op, proto.domain)
            if schema is None or op in rules.OPERATIONS:
                shapes = [self.shapes.get(name) if name else () for name in inputs]
                types = [self.types.get(name, 0) for name in inputs]
                known = rules.outputs_of(node, settings_of(proto), shapes, types, self.values)
                if known is not None:
                    for name, (kind, shape) in zip(outputs, known, strict=False):
                        self.know(name, kind, shape)
                    return
            if schema is not None:
                self.by_onnx(schema, rules.completed(proto))

    def by_onnx(self, schema: onnx.defs.OpSchema, proto: onnx.NodeProto) -> None:
        """What onnx says of the outputs of a node."""
        kinds = {name: self.kind(name) for name in proto.input if name}
        known = {name: self.values[name] for name in kinds.keys() & self.values.keys()}
        data = {name: numpy_helper.from_array(v, name) for name, v in known.items() if v.size <= MAX_DATA}
        try:
            inferred = onnx.shape_inference.infer_node_outputs(schema, proto, kinds, data, opset_imports=self.opsets)
        except INFERENCE_ERRORS as error:
            output = next(iter(proto.output), "")
            self.loaded.refuse(f"onnx finds a contradiction in {proto.op_type} ({output!r}): {short(error)}")
        for name, kind in inferred.items():
            if name and kind.HasField("tensor_type"):
                tensor = kind.tensor_type
                self.know(name, tensor.elem_type, dims_of(tensor.shape) if tensor.HasField("shape") else None)
                self.kinds[name] = kind

    def kind(self, name: str) -> onnx.TypeProto:
        """Type and shape of a tensor as onnx has it."""
        if name not in self.kinds:
            shape = self.shapes.get(name)
            sizes = None if shape is None else [None if size < 0 else size for size in shape]
            self.kinds[name] = helper.make_tensor_type_proto(self.types[name], sizes)
        return self.kinds[name]

    def guard(self, node: Node) -> None:
        """Refuse what would make onnx's inference take memory without measure."""
        if node.op in _OPERANDS:
            for name in node.inputs[_OPERANDS[node.op] :]:
                shape = self.shapes.get(name, ())
                if len(shape) == 1 and shape[0] > MAX_OPERAND:
                    self.loaded.refuse(f"{node.op} ({node.outputs[0]!r}) has a setting of {shape[0]:,} numbers")
        for attribute in node.proto.attribute if node.op == "Split" else ():
            if attribute.name == "num_outputs" and attribute.i != len(node.outputs):
                self.loaded.refuse(f"Split ({node.outputs[0]!r}) states {attribute.i} outputs and has others")

    def _schema(self, op: str, domain: str) -> onnx.defs.OpSchema | None:
        version = self.imports.get(domain, 0)
        return onnx.defs.get_schema(op, version, domain) if onnx.defs.has(op, version, domain) else None


_PLAIN = {"value_int": np.int64, "value_ints": np.int64, "value_float": np.float32, "value_floats": np.float32}
# Where the inputs start that are settings: vectors of axes, sizes, starts and so on.
_OPERANDS = {
    **dict.fromkeys(name_set("Slice Reshape Expand Tile Pad Unsqueeze Squeeze Resize Upsample Split CenterCropPad"), 1),
    **dict.fromkeys(
        name_set("Col2Im AffineGrid ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean"), 1
    ),
    **dict.fromkeys(name_set("ReduceMin ReduceProd ReduceSum ReduceSumSquare"), 1),
    "ConstantOfShape": 0,
}
