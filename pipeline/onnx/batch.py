"""Another batch size than the one an ONNX file states, also where the file repeats it inside a Reshape.

Shapes are inferred once, at the file's own batch size. Then the batch axis of every tensor is followed from the inputs
through the graph, and that axis is scaled. So it does not matter how a Reshape got its target. Constants keep
their size.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from pipeline.core.errors import BenchError
from pipeline.onnx.model import Loaded, Node, Shape

Place = tuple[int, int]  # batch axis of a tensor, and the product of what is merged into that axis before the batch
RESHAPES = frozenset({"Reshape", "Flatten", "Squeeze", "Unsqueeze"})
Attribute = Callable[[Node, str], tuple | None]


class BatchError(BenchError):
    """The batch size of a file can't be changed."""


def scale_batch(loaded: Loaded, nodes: Sequence[Node], live: set[str], batch: int, attribute: Attribute) -> None:
    """Change `loaded.shapes` of the live tensors to batch size `batch`.

    `attribute(node, name)` gives an attribute's values, or None. Raises BatchError when the batch axis gets lost.
    """
    old_batch = loaded.batch
    if batch == old_batch:
        return
    places: dict[str, Place] = {}
    for name in loaded.inputs:
        shape = loaded.shapes.get(name, ())
        if shape and shape[0] == old_batch:
            places[name] = 0, 1
    for node in nodes:
        slot = next((slot for slot, name in enumerate(node.inputs) if name in places), None)
        if slot is None:
            continue
        name = node.inputs[slot]
        before, (axis, outer) = loaded.shapes[name], places[name]
        for index, output in enumerate(node.outputs):
            after = loaded.shapes.get(output)
            if output not in live or not after:
                continue
            if node.op in RESHAPES:
                places[output] = reshaped((axis, outer), before, after, old_batch)
                continue
            axis_after = _axis_after(node, slot, index, axis, before, after, attribute)
            if axis_after is not None and 0 <= axis_after < len(after):
                places[output] = axis_after, outer
    if not any(name in places for name in loaded.outputs):
        raise BatchError(
            f"{loaded.where}: batch size {old_batch} can't be changed to {batch}: it reaches no output; use {old_batch}"
        )
    for name, (axis, _) in places.items():
        shape = list(loaded.shapes[name])
        if shape[axis] * batch % old_batch:
            raise BatchError(
                f"{loaded.where}: batch size {old_batch} can't be changed to {batch}: {name!r} is {shape}; "
                f"use {old_batch}"
            )
        shape[axis] = shape[axis] * batch // old_batch
        loaded.shapes[name] = tuple(shape)
    loaded.batch = batch


def _axis_after(
    node: Node, slot: int, index: int, axis: int, before: Shape, after: Shape, attribute: Attribute
) -> int | None:
    """The batch axis of output `index` when it is `axis` in input `slot`; None where the batch is reduced away."""
    op = node.op
    if op == "Transpose":
        order = attribute(node, "perm") or tuple(range(len(before)))[::-1]
        return order.index(axis) if axis in order else None
    if op == "Gather":
        along = (attribute(node, "axis") or (0,))[0] % len(before) if slot == 0 else 0
        if slot == 1:  # the indices carry the batch: an embedding
            return len(after) - len(before) + axis if (attribute(node, "axis") or (0,))[0] else axis
        if axis == along:
            return None
        return axis if axis < along else axis + len(after) - len(before)
    if op in ("Gemm", "FusedGemm", "QGemm"):
        return 1 - axis if (attribute(node, "transA") or (0,))[0] else axis
    if op.endswith("Attention") and index:  # keys and values, (batch, ...) or both in one, (2, batch, ...)
        return len(after) - 4
    if op in ("LSTM", "GRU", "RNN", "DynamicQuantizeLSTM"):
        if (attribute(node, "layout") or (0,))[0]:
            return 0
        return axis + 1 if index == 0 else 1
    if op == "Einsum":
        terms, _, result = str(attribute(node, "equation")[0]).replace(" ", "").partition("->")
        term = terms.split(",")[slot]
        if "." in term or axis >= len(term):
            return axis
        return result.index(term[axis]) if term[axis] in result else None
    if (op.startswith("Reduce") or op in ("ArgMax", "ArgMin")) and len(after) < len(before):
        gone = attribute(node, "axes") or attribute(node, "axis") or ()
        gone = {number % len(before) for number in gone}
        return None if axis in gone else axis - sum(number < axis for number in gone)
    if len(after) == len(before):
        return axis
    return len(after) - len(before) + axis  # numpy's broadcasting lines dimensions up from the right


def reshaped(place: Place, before: Shape, after: Shape, batch: int) -> Place:
    """Where the batch goes when `before` is reshaped to `after`, row by row, at the file's batch size `batch`.

    The batch factor starts after `start` elements. The output dimension that starts there takes it, unless it holds
    just what followed the batch: then the batch was merged into the dimension before it (only in doubt at batch 1).
    """
    axis, outer = place
    start = math.prod(before[:axis]) * outer
    inner = before[axis] // (outer * batch)
    followed_by = {inner * math.prod(before[axis + 1 : end]) for end in range(axis + 1, len(before) + 1)}
    elements = 1
    for position, length in enumerate(after):
        if elements == start and (batch == 1 or length % batch == 0):
            merged = batch == 1 and position > 0 and length not in (1, before[axis]) and length in followed_by
            position -= merged
            return position, start // math.prod(after[:position])
        if elements * length > start:
            return position, start // elements
        elements *= length
    return len(after) - 1, start // math.prod(after[:-1])
