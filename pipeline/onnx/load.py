"""ONNX file to a checked model with static shapes: everything that can be wrong with a file is found here.

The bytes are read only when the file is small enough. Shapes come from onnx's own inference in strict mode; shapes and
values stated in the file are dropped first, so that a file can't contradict itself.
"""

from __future__ import annotations

import stat
from collections import deque
from collections.abc import Mapping
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError

from pipeline.core import io
from pipeline.core.errors import BenchError
from pipeline.onnx.inputs import drop_stated_shapes, fix_dims, split_inputs
from pipeline.onnx.model import Loaded, Node, infer, short

MAX_FILE_BYTES = 2**30
MAX_FILE_NODES = 200_000  # nodes of the file, constants included
DOMAINS = ("", "ai.onnx", "ai.onnx.ml")


def load(
    content: bytes,
    where: str,
    dims: Mapping[str, int] | None = None,
    max_bytes: int = MAX_FILE_BYTES,
    batch: int = 1,
) -> Loaded:
    """Check and infer a model given as the bytes of its file.

    `where` names the model in errors. `dims` gives a size to open dimensions by name; open batch
    dimensions (axis 0 of an input) have size `batch`. Raises BenchError.
    """
    model = _parse(content, where, max_bytes)
    opset = _opset(model, where)
    nodes = _ordered(_nodes(model.graph), model.graph, where)
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    weights |= {sparse.values.name: sparse.values for sparse in model.graph.sparse_initializer}
    loaded = Loaded(where, opset, model, nodes, [out.name for out in model.graph.output], weights)
    split_inputs(loaded)
    fix_dims(loaded, dims or {}, batch)
    drop_stated_shapes(loaded)
    infer(loaded)
    return loaded


def read_limited(path: Path, max_bytes: int) -> bytes:
    """The bytes of a regular file of at most `max_bytes`. Raises BenchError before reading anything otherwise."""
    with io.os_errors(path, "read"):
        facts = path.stat()
        if not stat.S_ISREG(facts.st_mode):
            raise BenchError(f"{path}: not a regular file; give an ONNX file")
        if facts.st_size > max_bytes:
            raise BenchError(
                f"{path}: {facts.st_size:,} bytes, over the limit of {max_bytes:,}; export it without weights"
            )
        with path.open("rb") as file:
            return file.read(max_bytes + 1)


def _parse(content: bytes, where: str, max_bytes: int) -> onnx.ModelProto:
    if len(content) > max_bytes:
        raise BenchError(f"{where}: over the limit of {max_bytes:,} bytes; export it without weights")
    try:
        model = onnx.ModelProto.FromString(content)
    except DecodeError as error:
        raise BenchError(f"{where}: truncated or not an ONNX file; get it again") from error
    if len(content) > 2**20:
        _drop_large_values(model.graph)
    if model.functions:
        model = _inline(model, where)
    if not model.graph.node:
        raise BenchError(f"{where}: not an ONNX file, or a model without operations; get it again")
    if len(model.graph.node) > MAX_FILE_NODES:
        raise BenchError(
            f"{where}: {len(model.graph.node):,} nodes, over the limit of {MAX_FILE_NODES:,}; split the model"
        )
    return model


def _inline(model: onnx.ModelProto, where: str) -> onnx.ModelProto:
    """Replace calls of the model's own functions by their bodies. Functions that call themselves are refused."""
    from onnx import inliner

    calls = {(f.domain, f.name): {(node.domain, node.op_type) for node in f.node} for f in model.functions}
    left = {key: called & calls.keys() for key, called in calls.items()}
    while left:
        ready = [key for key, called in left.items() if not called & left.keys()]
        if not ready:
            raise BenchError(f"{where}: its functions call each other in a cycle; export it again")
        for key in ready:
            del left[key]
    try:
        return inliner.inline_local_functions(model)
    except (RuntimeError, ValueError) as error:
        raise BenchError(f"{where}: its functions can't be inlined: {short(error)}; export it again") from error


def _drop_large_values(graph: onnx.GraphProto) -> None:
    """Forget the values of large weights: only their shape and type matter here."""
    constants = (a.t for node in graph.node if node.op_type == "Constant" for a in node.attribute)
    for tensor in (*graph.initializer, *constants):
        if tensor.ByteSize() > 2**16:
            for field in ("raw_data", "float_data", "double_data", "int32_data", "int64_data", "uint64_data"):
                tensor.ClearField(field)


def _opset(model: onnx.ModelProto, where: str) -> int:
    for imported in model.opset_import:
        if imported.domain in ("", "ai.onnx"):
            newest = onnx.defs.onnx_opset_version()
            if not 1 <= imported.version <= newest:
                raise BenchError(
                    f"{where}: opset {imported.version}, this onnx reads 1 to {newest}; upgrade onnx or export again"
                )
            return imported.version
    raise BenchError(f"{where}: states no opset; export it again")


def _nodes(graph: onnx.GraphProto) -> list[Node]:
    return [Node(proto.op_type, tuple(proto.input), tuple(proto.output), proto) for proto in graph.node]


def _ordered(nodes: list[Node], graph: onnx.GraphProto, where: str) -> list[Node]:
    """The nodes in topological order, the file's own where it is one. Raises BenchError on a cycle or a loose end."""
    given = {"", *(value.name for value in graph.input), *(tensor.name for tensor in graph.initializer)}
    given.update(sparse.values.name for sparse in graph.sparse_initializer)
    if _check_names(nodes, graph, given, where):
        return nodes
    order = _topological(nodes, given, where)
    del graph.node[:]
    graph.node.extend(node.proto for node in order)
    return _nodes(graph)


def _check_names(nodes: list[Node], graph: onnx.GraphProto, given: set[str], where: str) -> bool:
    """Whether the nodes are in topological order. Raises BenchError on a custom domain or a bad or missing name."""
    known = set(given)
    in_order = True
    for node in nodes:
        domain = node.proto.domain
        if domain and domain not in DOMAINS:
            raise BenchError(
                f"{where}: operation {node.op} of the custom domain {domain!r}; export with standard operations"
            )
        in_order = in_order and known.issuperset(node.inputs)
        for name in node.outputs:
            if name in known and name:
                raise BenchError(f"{where}: tensor {name!r} is made twice; export the model again")
            known.add(name)
    if set(map(type, known)) | {type(node.op) for node in nodes} != {str}:
        raise BenchError(f"{where}: a name in it is no UTF-8 text; get the file again")
    for output in graph.output:
        if output.name not in known:
            raise BenchError(f"{where}: nothing makes the output {output.name!r}; export the model again")
    return in_order


def _topological(nodes: list[Node], given: set[str], where: str) -> list[Node]:
    """The nodes in topological order. Raises BenchError when there is none."""
    made = {name for node in nodes for name in node.outputs}
    waiting: dict[str, list[int]] = {}
    missing = [0] * len(nodes)
    for index, node in enumerate(nodes):
        for name in set(node.inputs) - given:
            if name not in made:
                raise BenchError(
                    f"{where}: {node.op} reads tensor {name!r}, which nothing makes; export the model again"
                )
            waiting.setdefault(name, []).append(index)
            missing[index] += 1
    ready = deque(index for index, count in enumerate(missing) if count == 0)
    order = []
    while ready:
        order.append(nodes[ready.popleft()])
        for name in order[-1].outputs:
            for index in waiting.get(name, ()):
                missing[index] -= 1
                if missing[index] == 0:
                    ready.append(index)
    if len(order) < len(nodes):
        stuck = next(nodes[index] for index, count in enumerate(missing) if count)
        raise BenchError(
            f"{where}: the graph has a cycle through {stuck.op} ({stuck.outputs[0]!r}); export the model again"
        )
    return order
