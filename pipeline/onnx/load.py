"""ONNX file to a checked model with static shapes: everything that can be wrong with a file is found here.

The bytes are read only when the file is small enough. Shapes come from inference (`pipeline.onnx.infer`); those stated
in the file count only for operations that nobody knows, so that a file can't contradict itself.
"""

from __future__ import annotations

import math
import stat
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError

from pipeline.core import io
from pipeline.core.errors import BenchError
from pipeline.onnx import external, microsoft
from pipeline.onnx.control_flow import node_of, subgraphs
from pipeline.onnx.evaluate import MAX_VALUES
from pipeline.onnx.infer import infer
from pipeline.onnx.inputs import fix_dims, split_inputs, state_shapes
from pipeline.onnx.model import MAX_FILE_NODES, Loaded, Node, short
from pipeline.onnx.wire import TooLarge, without_values

MAX_FILE_BYTES = 2**30
DOMAINS = ("", "ai.onnx.ml", microsoft.DOMAIN)


def load(
    content: bytes,
    where: str,
    dims: Mapping[str, int] | None = None,
    max_bytes: int = MAX_FILE_BYTES,
    batch: int | None = None,
    folder: Path | None = None,
) -> Loaded:
    """Check and infer a model given as the bytes of its file.

    `where` names the model in errors. `dims` sizes open dimensions, by name or as input:axis; open batch dimensions
    (axis 0 of an input) have size `batch`, or 1 with a note. Values that lie in other files of `folder` are read where
    they are small. Raises BenchError.
    """
    model = _parse(content, where, max_bytes)
    opset = _opset(model, where)
    _standard(model.graph, folder, where)
    outputs = [out.name for out in model.graph.output]
    nodes = needed(_ordered(_nodes(model.graph), model.graph, where), outputs)
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    loaded = Loaded(where, opset, model, nodes, outputs, weights)
    split_inputs(loaded)
    fix_dims(loaded, dims or {}, batch)
    state_shapes(loaded)
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
        model = onnx.ModelProto.FromString(without_values(content))
    except TooLarge as error:
        raise BenchError(f"{where}: {error}; split the model") from error
    except (DecodeError, ValueError) as error:
        raise BenchError(f"{where}: truncated or not an ONNX file; get it again") from error
    if model.functions:
        model = _inline(model, where)
    if not model.graph.node:
        raise BenchError(f"{where}: not an ONNX file, or a model without operations; get it again")
    _check_size(len(model.graph.node), where)
    return model


def _check_size(nodes: int, where: str) -> None:
    if nodes > MAX_FILE_NODES:
        raise BenchError(f"{where}: {nodes:,} nodes, over the limit of {MAX_FILE_NODES:,}; split the model")


def _inline(model: onnx.ModelProto, where: str) -> onnx.ModelProto:
    """Replace calls of the model's own functions by their bodies. Functions that call themselves are refused."""
    from onnx import inliner

    bodies = {(function.domain, function.name): function for function in model.functions}
    calls = {key: {(node.domain, node.op_type) for node in body.node} for key, body in bodies.items()}
    sizes: dict[tuple[str, str], int] = {}  # nodes of each when it is written out
    left = {key: called & calls.keys() for key, called in calls.items()}
    while left:
        ready = [key for key, called in left.items() if not called & left.keys()]
        if not ready:
            raise BenchError(f"{where}: its functions call each other in a cycle; export it again")
        for key in ready:
            del left[key]
            inside = [(node.domain, node.op_type) for node in bodies[key].node]
            sizes[key] = sum(sizes.get(call, 1) for call in inside)
    _check_size(sum(sizes.get((node.domain, node.op_type), 1) for node in model.graph.node), where)
    try:
        return inliner.inline_local_functions(model)
    except (RuntimeError, ValueError) as error:
        raise BenchError(f"{where}: its functions can't be inlined: {short(error)}; export it again") from error


def _standard(graph: onnx.GraphProto, folder: Path | None, where: str) -> None:
    """One form for what may be said in two: the default domain, dense weights, values inside the file."""
    for sparse in graph.sparse_initializer:  # dense, as runtimes take them
        graph.initializer.add(name=sparse.values.name, data_type=sparse.values.data_type, dims=sparse.dims)
    graph.ClearField("sparse_initializer")
    for tensor in graph.initializer:
        if external.is_external(tensor):
            if folder is not None and math.prod(tensor.dims) <= MAX_VALUES:
                tensor.raw_data = external.read(tensor, folder, where).tobytes()
            tensor.ClearField("external_data")
            tensor.ClearField("data_location")
    for node in graph.node:
        if node.domain == "ai.onnx":
            node.domain = ""
        for inner in subgraphs(node):
            _standard(inner, folder, where)


def _opset(model: onnx.ModelProto, where: str) -> int:
    for imported in model.opset_import:
        if imported.domain in ("", "ai.onnx"):
            imported.domain = ""
            newest = onnx.defs.onnx_opset_version()
            if not 1 <= imported.version <= newest:
                raise BenchError(
                    f"{where}: opset {imported.version}, this onnx reads 1 to {newest}; upgrade onnx or export again"
                )
            return imported.version
    raise BenchError(f"{where}: states no opset; export it again")


def _nodes(graph: onnx.GraphProto) -> list[Node]:
    return [node_of(proto) for proto in graph.node]


def needed(nodes: Sequence[Node], outputs: Sequence[str]) -> list[Node]:
    """The nodes that an output depends on, in their order."""
    wanted, kept = set(outputs), []
    for node in reversed(nodes):
        if not wanted.isdisjoint(node.outputs):
            wanted.update(node.inputs)
            kept.append(node)
    return kept[::-1]


def _ordered(nodes: list[Node], graph: onnx.GraphProto, where: str) -> list[Node]:
    """The nodes in topological order, the file's own where it is one. Raises BenchError on a cycle or a loose end."""
    given = {"", *(value.name for value in graph.input), *(tensor.name for tensor in graph.initializer)}
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
