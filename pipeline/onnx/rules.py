"""Output shapes that onnx's own inference lacks or gets wrong.

- A pooling that rounds up: `pipeline.onnx.windows`.
- GroupNormalization and MeanVarianceNormalization, of which onnx infers nothing by themselves.
- STFT gives one side of the spectrum unless told otherwise; onnx's inference takes the default for both.
- Operations of com.microsoft: `pipeline.onnx.microsoft`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper

from pipeline.onnx import microsoft
from pipeline.onnx.model import Node, Shape
from pipeline.onnx.windows import windows

POOLS = frozenset({"AveragePool", "MaxPool", "LpPool"})
LIKE_FIRST = frozenset({"GroupNormalization", "MeanVarianceNormalization"})
OPERATIONS = POOLS | LIKE_FIRST
Known = list[tuple[int, Shape]]  # element type and shape of each output


def outputs_of(
    node: Node,
    settings: Mapping[str, object],
    shapes: Sequence[Shape | None],
    types: Sequence[int],
    values: Mapping[str, np.ndarray],
) -> Known | None:
    """Types and shapes of the outputs of a node by these rules; None where they say nothing."""
    if node.op in microsoft.OPERATIONS and node.proto.domain in ("", microsoft.DOMAIN):
        known = [values.get(name) for name in node.proto.input]
        return microsoft.outputs_of(node.op, settings, shapes, types, known)
    if node.op in LIKE_FIRST:
        return [(types[0], shapes[0])]
    if node.op in POOLS and settings.get("ceil_mode") and shapes[0] and -1 not in shapes[0]:
        shape = (*shapes[0][:2], *windows(settings, shapes[0][2:], settings["kernel_shape"]))
        return [(types[0], shape), (TensorProto.INT64, shape)]
    return None


def completed(proto: onnx.NodeProto) -> onnx.NodeProto:
    """The node with the defaults that onnx's inference forgets."""
    if proto.op_type != "STFT" or any(attribute.name == "onesided" for attribute in proto.attribute):
        return proto
    copy = onnx.NodeProto()
    copy.CopyFrom(proto)
    copy.attribute.append(helper.make_attribute("onesided", 1))
    return copy
