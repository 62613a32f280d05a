"""The inputs of an ONNX model: data or weight, sizes of open dimensions, and the shapes that inference starts from."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

import onnx

from pipeline.onnx.model import MAX_DIM, MAX_ELEMENTS, Loaded, dims_of

# Inputs of an operation that are weights. A graph input without a value that is only used there is a removed weight.
WEIGHT_SLOTS = {
    "Conv": (1, 2),
    "ConvTranspose": (1, 2),
    "Gemm": (1, 2),
    "BatchNormalization": (1, 2, 3, 4),
    "InstanceNormalization": (1, 2),
    "LayerNormalization": (1, 2),
    "GroupNormalization": (1, 2),
    "PRelu": (1,),
    "LSTM": (1, 2, 3),
    "GRU": (1, 2, 3),
    "RNN": (1, 2, 3),
}
NAMELESS = frozenset({"", "?", "None"})
LENGTH = re.compile(r"seq|time|len|frame|token|step|height|width|past|(^|[^a-z])[thwls]($|[^a-z0-9])", re.IGNORECASE)
BATCH = re.compile(r"batch|^bs$|^[nb]$", re.IGNORECASE)

Place = tuple[str, int]  # an input and one of its axes


def split_inputs(loaded: Loaded) -> None:
    """Tell data inputs from weights: initializers, and inputs without a value that only stand where weights do.

    Initializers are no inputs of the model any more then.
    """
    graph = loaded.model.graph
    inputs = {value.name: value for value in graph.input if value.name not in loaded.weights}
    if len(inputs) < len(graph.input):
        del graph.input[:]
        graph.input.extend(inputs.values())
    names = list(inputs)
    data = set()
    for node in loaded.nodes if len(names) > 1 else ():
        slots = WEIGHT_SLOTS.get(node.op, ())
        data.update(name for slot, name in enumerate(node.inputs) if slot not in slots)
    if data.intersection(names):
        loaded.removed = set(names) - data
    loaded.inputs = [name for name in names if name not in loaded.removed]


def fix_dims(loaded: Loaded, dims: Mapping[str, int], batch: int | None) -> None:
    """Give every open dimension of every input a size and find the batch size of the file.

    `dims` holds sizes by the name of a dimension or by input:axis; what is an open batch has size `batch`. Raises
    BenchError: a name that is not there, sizes that contradict each other or the file, a dimension without a size.
    """
    shapes = {value.name: _dims(loaded, value) for value in loaded.model.graph.input}
    open_places = {  # a dimension's name, or the dimension itself where it has none
        (name, axis): dim.dim_param if dim.dim_param not in NAMELESS else f"{name}:{axis}"
        for name, shape in shapes.items()
        for axis, dim in enumerate(shape)
        if dim.dim_value in (0, -1)
    }
    batches = _batches(open_places)
    sizes = _asked(loaded, dims, shapes, open_places)
    asked = {sizes[symbol] for symbol in batches if symbol in sizes}
    if batch is not None and asked - {batch}:
        loaded.refuse(f"batch size {batch} contradicts --dim, which gives {asked.pop()}", "give one of them")
    assumed = [place for place, symbol in open_places.items() if symbol in batches and symbol not in sizes]
    if assumed and batch is None:
        name, axis = assumed[0]
        loaded.notes.append(
            f"batch size 1 is assumed: dimension {axis} of input {name!r} is open ({open_places[name, axis]})"
        )
    sizes = dict.fromkeys(batches, next(iter(asked), batch or 1)) | sizes
    missing = [place for place, symbol in open_places.items() if symbol not in sizes and place[0] in loaded.inputs]
    if missing:
        named = ", ".join(_said(place, open_places[place]) for place in missing)
        needed = " ".join(dict.fromkeys(f"--dim {open_places[place]}=SIZE" for place in missing))
        loaded.refuse(named, f"export with fixed shapes, or give {needed}")
    for (name, axis), symbol in open_places.items():
        if symbol in sizes:
            shapes[name][axis].dim_value = sizes[symbol]
    loaded.open_batch = bool(batches)
    of_batch = [name for name, axis in open_places if axis == 0 and open_places[name, axis] in batches]
    first = next((name for name in (*of_batch, *loaded.inputs) if len(shapes[name])), None)
    loaded.batch = shapes[first][0].dim_value if first else 1


def _dims(loaded: Loaded, value: onnx.ValueInfoProto) -> list[onnx.TensorShapeProto.Dimension]:
    if not value.type.HasField("tensor_type"):
        loaded.refuse(f"input {value.name!r} is not a tensor", "export a model of tensors")
    if not value.type.tensor_type.HasField("shape"):
        loaded.refuse(f"input {value.name!r} has no shape", "export with fixed shapes")
    for dim in value.type.tensor_type.shape.dim:
        if not -1 <= dim.dim_value <= MAX_DIM:
            loaded.refuse(f"input {value.name!r} has the absurd dimension {dim.dim_value}")
    return value.type.tensor_type.shape.dim


def _said(place: Place, symbol: str) -> str:
    name, axis = place
    return f"dimension {axis} of input {name!r} is open ({symbol if symbol != f'{name}:{axis}' else 'without a name'})"


def _batches(open_places: Mapping[Place, str]) -> set[str]:
    """The open dimensions that are a batch: axis 0 of an input, unless its name says that it is a length.

    Where several stand first, those are that are called so; where none is, all.
    """
    first = {symbol for (_, axis), symbol in open_places.items() if axis == 0}
    first = {symbol for symbol in first if BATCH.search(symbol) or not LENGTH.search(symbol)}
    inside = {symbol for (_, axis), symbol in open_places.items() if axis}
    called = {symbol for symbol in first if BATCH.search(symbol)}
    return called or first - inside or first


def _asked(
    loaded: Loaded, dims: Mapping[str, int], shapes: Mapping, open_places: Mapping[Place, str]
) -> dict[str, int]:
    """The sizes that `dims` gives, by the names that `open_places` has."""
    sizes: dict[str, int] = {}
    for key, size in dims.items():
        symbol = key if key in open_places.values() else None
        if symbol is None:
            name, _, axis = key.rpartition(":")
            if name not in shapes or not axis.isdigit() or int(axis) >= len(shapes[name]):
                known = ", ".join(dict.fromkeys(open_places.values())) or "none"
                loaded.refuse(f"no dimension {key!r}", f"open are: {known}; a dimension is also given as INPUT:AXIS")
            symbol = open_places.get((name, int(axis)))
            stated = shapes[name][int(axis)].dim_value
            if symbol is None and stated != size:
                loaded.refuse(f"--dim {key}={size} contradicts the file, where it is {stated}", "leave it out")
        if symbol is not None and sizes.setdefault(symbol, size) != size:
            loaded.refuse(f"--dim gives {symbol} the sizes {sizes[symbol]} and {size}", "give one of them")
    return sizes


def state_shapes(loaded: Loaded) -> None:
    """The shapes that inference starts from: of inputs, of weights, and stated ones of operations that nobody knows."""
    shapes, types = loaded.shapes, loaded.types
    graph = loaded.model.graph
    for name, tensor in loaded.weights.items():
        shape = tuple(tensor.dims)
        if shape and (min(shape) < 0 or math.prod(shape) > MAX_ELEMENTS):
            loaded.refuse(f"absurd shape {list(shape)} of weight {name!r}", "get the file again")
    versions = {opset.domain: opset.version for opset in loaded.model.opset_import}
    unknown = {
        name
        for node in loaded.nodes
        if not onnx.defs.has(node.op, versions.get(node.proto.domain, 0), node.proto.domain)
        for name in node.outputs
    }
    stated = (value for value in (*graph.value_info, *graph.output) if value.name in unknown)
    for value in (*graph.input, *(stated if unknown else ())):
        tensor = value.type.tensor_type
        if value.type.HasField("tensor_type"):
            types[value.name] = tensor.elem_type
            if tensor.HasField("shape"):
                shapes[value.name] = dims_of(tensor.shape)
