"""Attributes of operations, the same whatever the opset: see `pipeline.onnx.graph`."""

from __future__ import annotations

import functools
import math

import onnx

from pipeline.onnx import microsoft
from pipeline.onnx.model import Loaded, Node, name_set
from pipeline.onnx.windows import same_pads

# Constant inputs that other opsets give as attributes, by operation and position.
_LIFTED = {
    "Clip": {1: "min", 2: "max"},
    "Dropout": {1: "ratio"},
    "Pad": {1: "pads", 2: "value"},
    "Resize": {2: "scales", 3: "sizes"},
    "Slice": {1: "starts", 2: "ends", 3: "axes", 4: "steps"},
    "Split": {1: "split"},
    "Squeeze": {1: "axes"},
    "Tile": {1: "repeats"},
    "TopK": {1: "k"},
    "Unsqueeze": {1: "axes"},
    "Upsample": {1: "scales"},
}
SETTINGS = _LIFTED | {"Resize": (1, 2, 3)}  # inputs that are no weights
MAX_SETTING = 64  # entries of a constant that becomes an attribute
_KERNEL_SLOT = dict.fromkeys(name_set("Conv ConvTranspose ConvInteger DeformConv FusedConv"), 1) | {"QLinearConv": 3}
_WINDOWED = _KERNEL_SLOT.keys() | {"AveragePool", "MaxPool", "LpPool"}


def attributes_of(node: Node, loaded: Loaded) -> dict[str, tuple]:
    """All attributes of a node as tuples of numbers or strings, with ONNX's defaults and lifted constant inputs."""
    values = _defaults(node.op, loaded.opset, node.proto.domain).copy()
    for attribute in node.proto.attribute:
        kind = attribute.type
        if kind in _READ:
            values[str(attribute.name)] = _READ[kind](attribute)
    if node.op not in _LIFTED:
        return values
    for slot, name in _LIFTED[node.op].items():
        if len(node.inputs) > slot and node.inputs[slot]:
            value = loaded.values.get(node.inputs[slot])
            if value is not None and 0 < value.size <= MAX_SETTING:
                values[name] = tuple(value.ravel().tolist())
    return values


def _text(raw: bytes) -> str:
    return raw.decode(errors="replace")


_READ = {
    onnx.AttributeProto.INT: lambda a: (a.i,),
    onnx.AttributeProto.INTS: lambda a: tuple(a.ints),
    onnx.AttributeProto.FLOAT: lambda a: (a.f,),
    onnx.AttributeProto.FLOATS: lambda a: tuple(a.floats),
    onnx.AttributeProto.STRING: lambda a: (_text(a.s),),
    onnx.AttributeProto.STRINGS: lambda a: tuple(_text(s) for s in a.strings),
}


@functools.cache
def _defaults(op: str, opset: int, domain: str) -> dict[str, tuple]:
    """ONNX's own default values of the attributes of an operation."""
    if not onnx.defs.has(op, opset, domain):
        return {}
    attributes = onnx.defs.get_schema(op, opset, domain).attributes
    return {
        name: _READ[a.default_value.type](a.default_value)
        for name, a in attributes.items()
        if a.default_value.type in _READ
    }


def complete(op: str, values: dict[str, tuple], before: list, after: list, loaded: Loaded) -> None:
    """Write out what convolutions and poolings leave to a rule, and check what onnx's inference does not."""
    if op == "Reshape" and math.prod(before[0]) != math.prod(after[0]):
        loaded.refuse(f"Reshape of {list(before[0])} to {list(after[0])}: different numbers of elements")
    if op in ("Conv", "ConvTranspose", "Gemm", "FusedConv", "FusedGemm"):
        values["has_bias"] = (int(len(before) > 2 and bool(before[2])),)
    if op not in _WINDOWED or microsoft.channels_last(op, values):
        return
    if op in _KERNEL_SLOT:
        weight, groups = before[_KERNEL_SLOT[op]], values.get("group", (1,))[0]
        values.setdefault("kernel_shape", weight[2:])
        channels = weight[0] if op == "ConvTranspose" else weight[1] * groups
        if before[0][1] != channels or weight[2:] != values["kernel_shape"]:
            loaded.refuse(f"{op} of {list(before[0])} with weight {list(weight)} in {groups} groups does not fit")
    rank = len(values["kernel_shape"])
    values.setdefault("strides", (1,) * rank)
    values.setdefault("dilations", (1,) * rank)
    if op == "ConvTranspose":
        values.setdefault("output_padding", (0,) * rank)
    automatic = values.pop("auto_pad", ("NOTSET",))[0]
    if automatic.startswith("SAME"):
        values["pads"] = same_pads(op, values, before[0][2:], after[0][2:], automatic == "SAME_LOWER")
    values.setdefault("pads", (0,) * (2 * rank))
