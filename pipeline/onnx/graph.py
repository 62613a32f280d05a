"""ONNX to the canonical graph: operations as nodes, constants folded away, costs of every node.

    python -m pipeline.onnx FILE... [--batch-size N] [--dim NAME=SIZE]

prints one line per file and exits 1 when a file is refused. Any opset that the onnx package reads, with or without
weights. Attributes are the same whatever the opset: a value that newer opsets give as a constant input is an attribute
here (axes, pads, min, max, ...), kernel sizes come from the weight where the attribute is left out, strides, dilations
and pads are always written out (also for auto_pad), and other attributes have the default of ONNX where it has one.
Costs are defined in `pipeline.onnx.costs`; memory traffic is the bytes of all tensors that a node reads (weights
included) and writes, each once.
"""

from __future__ import annotations

import argparse
import functools
import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx

from pipeline.core.errors import BenchError
from pipeline.core.memory import bounded_memory
from pipeline.onnx import sizes
from pipeline.onnx.batch import BatchError, scale_batch
from pipeline.onnx.costs import elementwise, macs
from pipeline.onnx.fold import Folded, fold
from pipeline.onnx.load import MAX_FILE_BYTES, load, read_limited
from pipeline.onnx.model import Loaded, Node, check_shape

INPUT = "Input"
MAX_NODES = 2**16 - 1
MEMORY_BYTES = 2**29  # for one model, beside three times its size
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
_WINDOWED = frozenset(
    {"Conv", "ConvTranspose", "ConvInteger", "QLinearConv", "DeformConv", "AveragePool", "MaxPool", "LpPool"}
)
_KERNEL_SLOT = {"Conv": 1, "ConvTranspose": 1, "ConvInteger": 1, "DeformConv": 1, "QLinearConv": 3}
_BYTES = {  # of one element; 4 where not listed
    **dict.fromkeys((onnx.TensorProto.DOUBLE, onnx.TensorProto.INT64, onnx.TensorProto.UINT64), 8),
    **dict.fromkeys((onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16, onnx.TensorProto.INT16), 2),
    **dict.fromkeys((onnx.TensorProto.INT8, onnx.TensorProto.UINT8, onnx.TensorProto.BOOL), 1),
}


@dataclass(frozen=True)
class OnnxGraph:
    """A network as a graph of operations in topological order, n nodes, its data inputs first (operation `Input`).

    `src`, `dst` (edges,): along the data, sorted, each once. `attributes`: name to values, per node. `out_shapes`: the
    shapes of all outputs that are used, per node. `in_channels` (n,): dimension 1 of the first input, else 0. `flops`,
    `macs`, `params`, `memory_bytes` (n,), float64, for the whole batch; a weight that several nodes read counts as a
    parameter of the first.
    """

    name: str
    opset: int
    batch_size: int
    ops: tuple[str, ...]
    src: np.ndarray
    dst: np.ndarray
    attributes: tuple[dict[str, tuple], ...]
    out_shapes: tuple[tuple[tuple[int, ...], ...], ...]
    in_channels: np.ndarray
    flops: np.ndarray
    macs: np.ndarray
    params: np.ndarray
    memory_bytes: np.ndarray


def read_graph(
    source: Path | str | bytes,
    name: str = "",
    batch_size: int | None = None,
    dims: Mapping[str, int] | None = None,
    max_bytes: int = MAX_FILE_BYTES,
) -> OnnxGraph:
    """The graph of an ONNX model given as a path or as bytes; `name` is used in errors (default: the path).

    `batch_size` replaces the file's own (axis 0 of its inputs), `dims` sizes its open dimensions by name. Raises
    BenchError: file too large, truncated, custom domain, cycle, unknown or absurd shape, wrong element type, ...
    """
    name = name or ("model" if isinstance(source, bytes) else str(source))
    content = source if isinstance(source, bytes) else read_limited(Path(source), max_bytes)
    with bounded_memory(name, MEMORY_BYTES + 3 * len(content)):
        loaded = load(content, name, dims, max_bytes)
        try:
            return _graph(loaded, batch_size)
        except BatchError:
            if not loaded.open_batch:
                raise
            return _graph(load(content, name, dims, max_bytes, batch_size), batch_size)


def _graph(loaded: Loaded, batch_size: int | None) -> OnnxGraph:
    folded = fold(loaded)
    live = _live(loaded, folded)
    if len(live) > MAX_NODES:
        loaded.refuse(f"{len(live):,} operations, over the limit of {MAX_NODES:,}", "split the model")
    for node in folded.nodes:
        for tensor in node.outputs:
            if tensor in live:
                check_shape(loaded, tensor, node.op)
    if batch_size is not None:
        scale_batch(
            loaded, folded.nodes, live, batch_size, lambda node, key: _attributes(node, loaded, folded).get(key)
        )
    return _build(loaded, folded, live)


def _live(loaded: Loaded, folded: Folded) -> set[str]:
    """Names of the tensors that flow between operations: the data inputs, and outputs that something uses."""
    used = set(loaded.outputs)
    for node in folded.nodes:
        used.update(node.inputs)
    made = {name for node in folded.nodes for name in node.outputs}
    return (used & made) | (used & set(loaded.inputs))


def _build(loaded: Loaded, folded: Folded, live: set[str]) -> OnnxGraph:
    inputs = [name for name in loaded.inputs if name in live]
    maker = {name: index for index, name in enumerate(inputs)}
    shapes, roots = loaded.shapes, folded.roots
    ops = [INPUT] * len(inputs)
    attributes: list[dict[str, tuple]] = [{} for _ in inputs]
    out_shapes = [(check_shape(loaded, name, INPUT),) for name in inputs]
    in_channels = [0] * len(inputs)
    costs = [(0, 0, 0, 0)] * len(inputs)
    edges = []
    counted: set[str] = set()
    bytes_of = functools.cache(functools.partial(_tensor_bytes, loaded))
    for index, node in enumerate(folded.nodes, start=len(inputs)):
        op, reads, writes, _ = node
        outputs = [name for name in writes if name in live]
        values = _attributes(node, loaded, folded)
        params = 0
        for name in reads:
            if name in maker:
                edges.append((maker[name], index))
            else:
                for root in roots.get(name, ()):
                    if root not in counted:
                        counted.add(root)
                        params += folded.elements[root]
        before, after = [shapes.get(name, ()) for name in reads], [shapes[name] for name in outputs]
        try:
            _complete(op, values, before, after, loaded)
            products = macs(op, values, before, after)
            flops = 2 * products + elementwise(op, values, before, after)
        except (IndexError, KeyError, ValueError, TypeError, ZeroDivisionError) as error:
            loaded.refuse(f"{op} ({writes[0]!r}) has inputs or attributes that do not fit: {type(error).__name__}")
        for name in outputs:
            maker[name] = index
        ops.append(op)
        attributes.append(values)
        out_shapes.append(tuple(after))
        in_channels.append(before[0][1] if before and len(before[0]) > 1 else 0)
        costs.append((flops, products, params, sum([bytes_of(name) for name in {*reads, *outputs}])))
    src, dst = np.array(sorted(set(edges)), dtype=np.int64).reshape(-1, 2).T
    flops, products, params, memory = np.array(costs, dtype=np.float64).T
    return OnnxGraph(
        loaded.where, loaded.opset, loaded.batch, tuple(ops), src, dst, tuple(attributes), tuple(out_shapes),
        np.array(in_channels), flops, products, params, memory,
    )  # fmt: skip


def _tensor_bytes(loaded: Loaded, name: str) -> int:
    return _BYTES.get(loaded.types.get(name), 4) * math.prod(loaded.shapes[name]) if name in loaded.shapes else 0


def _attributes(node: Node, loaded: Loaded, folded: Folded) -> dict[str, tuple]:
    """All attributes of a node as tuples of numbers or strings, with ONNX's defaults and lifted constant inputs."""
    values = _defaults(node.op, loaded.opset, node.proto.domain).copy()
    for attribute in node.proto.attribute:
        kind = attribute.type
        if kind in _READ:
            values[str(attribute.name)] = _READ[kind](attribute)
        elif kind in (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS):
            loaded.refuse(f"{node.op} runs another graph inside", "export without control flow")
    if node.op not in _LIFTED:
        return values
    for slot, name in _LIFTED[node.op].items():
        if len(node.inputs) > slot and node.inputs[slot]:
            value = folded.value(node.inputs[slot])
            if value is not None and value.size:
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


def _complete(op: str, values: dict[str, tuple], before: list, after: list, loaded: Loaded) -> None:
    """Write out what convolutions and poolings leave to a rule, and check what onnx's inference does not."""
    if op == "Reshape" and math.prod(before[0]) != math.prod(after[0]):
        loaded.refuse(f"Reshape of {list(before[0])} to {list(after[0])}: different numbers of elements")
    if op in ("Conv", "ConvTranspose", "Gemm"):
        values["has_bias"] = (int(len(before) > 2 and bool(before[2])),)
    if op not in _WINDOWED:
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
        values["pads"] = _same_pads(op, values, before[0][2:], after[0][2:], automatic == "SAME_LOWER")
    values.setdefault("pads", (0,) * (2 * rank))


def _same_pads(op: str, values: dict[str, tuple], before: tuple, after: tuple, lower: bool) -> tuple[int, ...]:
    """The pads that auto_pad SAME_UPPER or SAME_LOWER stands for: all begins, then all ends."""
    if op == "ConvTranspose":
        before, after = after, before
    begins, ends = [], []
    sizes = zip(before, after, values["kernel_shape"], values["strides"], values["dilations"], strict=True)
    for size, count, kernel, stride, dilation in sizes:
        total = max((count - 1) * stride + (kernel - 1) * dilation + 1 - size, 0)
        small, large = total // 2, total - total // 2
        begins.append(large if lower else small)
        ends.append(small if lower else large)
    return (*begins, *ends)


def main() -> int:
    """Print one line per file; status 1 when a file is refused."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.onnx", description="Operations and costs of ONNX files.")
    parser.add_argument("files", nargs="+", metavar="FILE")
    sizes.add_sizes(parser)
    parser.add_argument("--max-mb", type=int, default=MAX_FILE_BYTES >> 20, help="refuse larger files (%(default)s)")
    args = parser.parse_args()
    dims = sizes.dims(args)
    status = 0
    for file in args.files:
        try:
            graph = read_graph(file, batch_size=args.batch_size, dims=dims, max_bytes=args.max_mb << 20)
        except BenchError as error:
            print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
            status = 1
            continue
        print(
            f"{file}: {len(graph.ops) - graph.ops.count(INPUT)} operations, {len(graph.src)} edges, "
            f"{graph.macs.sum():,.0f} MACs, {graph.flops.sum():,.0f} FLOPs, {graph.params.sum():,.0f} parameters, "
            f"{graph.memory_bytes.sum():,.0f} bytes of memory traffic, batch {graph.batch_size}"
        )
    return status
