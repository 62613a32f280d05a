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
from pipeline.onnx import microsoft, sizes
from pipeline.onnx.attributes import SETTINGS, attributes_of, complete
from pipeline.onnx.batch import BatchError, scale_batch
from pipeline.onnx.control_flow import CONTROL_FLOW
from pipeline.onnx.costs import elementwise, macs
from pipeline.onnx.fold import Folded, fold
from pipeline.onnx.load import MAX_FILE_BYTES, load, read_limited
from pipeline.onnx.model import Loaded, check_shape

INPUT = "Input"
MAX_NODES = 2**16 - 1
_BYTES = {  # of one element; 4 where not listed
    **dict.fromkeys((onnx.TensorProto.DOUBLE, onnx.TensorProto.INT64, onnx.TensorProto.UINT64), 8),
    **dict.fromkeys((onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16, onnx.TensorProto.INT16), 2),
    **dict.fromkeys((onnx.TensorProto.INT8, onnx.TensorProto.UINT8, onnx.TensorProto.BOOL), 1),
}


@dataclass(frozen=True, eq=False)
class OnnxGraph:
    """A network as a graph of operations in topological order, n nodes, its data inputs first (operation `Input`).

    `src`, `dst` (edges,): along the data, sorted, each once. `attributes`: name to values, per node. `out_shapes`: the
    shapes of all outputs that are used, per node. `in_channels` (n,): dimension 1 of the first input, else 0. `flops`,
    `macs`, `params`, `memory_bytes` (n,), float64, for the whole batch; a weight that several nodes read counts as a
    parameter of the first. `notes`: sizes that were assumed.
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
    notes: tuple[str, ...] = ()


def read_graph(
    source: Path | str | bytes,
    name: str = "",
    batch_size: int | None = None,
    dims: Mapping[str, int] | None = None,
    max_bytes: int = MAX_FILE_BYTES,
) -> OnnxGraph:
    """The graph of an ONNX model given as a path or as bytes; `name` is used in errors (default: the path).

    `batch_size` replaces the file's own (axis 0 of its inputs), `dims` sizes its open dimensions, by name or as
    input:axis. Raises BenchError: file too large, truncated, custom domain, cycle, unknown or absurd shape, wrong
    element type, a size that contradicts the file, ...
    """
    name = name or ("model" if isinstance(source, bytes) else str(source))
    folder = None if isinstance(source, bytes) else Path(source).parent
    try:
        content = source if isinstance(source, bytes) else read_limited(Path(source), max_bytes)
        return _read(content, name, batch_size, dims, max_bytes, folder)
    except MemoryError as error:
        raise BenchError(f"{name}: takes more memory than this process may have; refused, check the file") from error


def _read(
    content: bytes,
    name: str,
    batch_size: int | None,
    dims: Mapping[str, int] | None,
    max_bytes: int,
    folder: Path | None,
) -> OnnxGraph:
    """The graph; the file is inferred at its own batch size where the batch can be followed, for it may be written into
    the file, else at the one asked for."""
    loaded = load(content, name, dims, max_bytes, folder=folder)
    if batch_size is not None:
        if loaded.open_batch and not loaded.notes and loaded.batch != batch_size:
            load(content, name, dims, max_bytes, batch_size, folder)  # raises: --dim gives another one
        loaded.notes.clear()
    try:
        return _graph(loaded, batch_size)
    except BatchError:
        if not loaded.open_batch:
            raise
        return _graph(load(content, name, dims, max_bytes, batch_size, folder), batch_size)


def _graph(loaded: Loaded, batch_size: int | None) -> OnnxGraph:
    folded = fold(loaded)
    live = _live(loaded, folded)
    if len(live) > MAX_NODES:
        loaded.refuse(f"{len(live):,} operations, over the limit of {MAX_NODES:,}", "split the model")
    for node in folded.nodes:
        if node.op in CONTROL_FLOW:
            loaded.refuse(
                f"{node.op} runs another graph inside ({node.outputs[0]!r}), and data decide how",
                "export without control flow",
            )
        for tensor in node.outputs:
            if tensor in live:
                check_shape(loaded, tensor, node)
    if batch_size is not None:
        scale_batch(loaded, folded.nodes, live, batch_size, lambda node, key: attributes_of(node, loaded).get(key))
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
    out_shapes = [(check_shape(loaded, name),) for name in inputs]
    in_channels = [0] * len(inputs)
    costs = [(0, 0, 0, 0)] * len(inputs)
    edges = []
    counted: set[str] = set()
    bytes_of = functools.cache(functools.partial(_tensor_bytes, loaded))
    for index, node in enumerate(folded.nodes, start=len(inputs)):
        op, reads, writes, _ = node
        outputs = [name for name in writes if name in live]
        values = attributes_of(node, loaded)
        params = 0
        settings = SETTINGS.get(op, ())
        for slot, name in enumerate(reads):
            if name in maker:
                edges.append((maker[name], index))
            elif slot not in settings:
                for root in roots.get(name, ()):
                    if root not in counted:
                        counted.add(root)
                        params += folded.elements[root] * microsoft.weights_per_element(op, slot, values)
        before, after = [shapes.get(name, ()) for name in reads], [shapes[name] for name in outputs]
        try:
            complete(op, values, before, after, loaded)
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
        np.array(in_channels), flops, products, params, memory, tuple(loaded.notes),
    )  # fmt: skip


def _tensor_bytes(loaded: Loaded, name: str) -> int:
    return _BYTES.get(loaded.types.get(name), 4) * math.prod(loaded.shapes[name]) if name in loaded.shapes else 0


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
            + "".join(f"; {note}" for note in graph.notes)
        )
    return status
