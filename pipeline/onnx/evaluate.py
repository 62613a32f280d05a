"""Values of small constants: the operations that shape arithmetic is made of, on numpy arrays, whatever the opset.

What newer opsets give as an input and older ones as an attribute (axes, starts, ends, split) is taken from either.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import onnx

from pipeline.onnx.model import name_set

MAX_VALUES = 4096  # elements of a constant that is evaluated
Inputs = Sequence["np.ndarray | None"]
Settings = Mapping[str, object]


def evaluated(op: str, inputs: Inputs, settings: Settings, outputs: int) -> list[np.ndarray] | None:
    """The outputs of one operation on known inputs (None where left out), or None where they can't be said.

    `settings` are the attributes of the node. Nothing is evaluated whose result has more than MAX_VALUES elements.
    """
    known = [value for value in inputs if value is not None]
    if op not in OPERATIONS or not known or "broadcast" in settings:  # broadcasting as before opset 7
        return None
    if any(value.dtype.kind not in "biuf" for value in known):
        return None
    try:
        if _size(op, inputs) > MAX_VALUES:
            return None
        with np.errstate(all="ignore"):
            made = _split(inputs, settings, outputs) if op == "Split" else [_RULES[op](inputs, settings)]
    except (ValueError, TypeError, IndexError, KeyError, OverflowError, ZeroDivisionError, AttributeError):
        return None
    made = [np.asarray(value) for value in made]
    return made if all(value.size <= MAX_VALUES for value in made) else None


def _size(op: str, inputs: Inputs) -> float:
    """Elements of the result, for the operations that could blow a small input up."""
    if op == "ConstantOfShape":
        return float(np.prod(inputs[0].astype(float)))
    if op == "Expand":
        return float(np.prod(inputs[1].astype(float).clip(1))) * inputs[0].size
    if op == "Tile":
        return float(np.prod(inputs[1].astype(float))) * inputs[0].size
    if op == "Range":
        start, limit, delta = (value.item() for value in inputs)
        return (limit - start) / delta
    return math.prod(np.broadcast_shapes(*[value.shape for value in inputs])) if op in _BROADCAST else 0


def _axes(inputs: Inputs, settings: Settings, name: str = "axes", slot: int = 1) -> tuple[int, ...] | None:
    """Numbers of an attribute, or of input `slot`; None where neither is there."""
    if len(inputs) > slot and inputs[slot] is not None:
        return tuple(int(axis) for axis in inputs[slot].ravel())
    return tuple(settings[name]) if name in settings else None


def _divide(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    if a.dtype.kind not in "iu":
        return a / b
    if not b.all():
        raise ZeroDivisionError
    quotient = np.abs(a) // np.abs(b)  # towards zero, as C does
    return np.where((a < 0) != (b < 0), -quotient, quotient).astype(a.dtype)


def _modulo(inputs: Inputs, settings: Settings) -> np.ndarray:
    if inputs[0].dtype.kind in "iu" and not inputs[1].all():
        raise ZeroDivisionError
    return (np.fmod if settings.get("fmod") else np.mod)(*inputs)


def _reduce(function: Callable, inputs: Inputs, settings: Settings) -> np.ndarray:
    axes = _axes(inputs, settings)
    if not axes and settings.get("noop_with_empty_axes"):
        return inputs[0]
    reduced = function(inputs[0], axis=axes or None, keepdims=bool(settings.get("keepdims", 1)))
    return np.asarray(reduced).astype(inputs[0].dtype)


def _reshape(inputs: Inputs, settings: Settings) -> np.ndarray:
    target = _axes(inputs, settings, "shape")
    kept = target if settings.get("allowzero") else [s or inputs[0].shape[axis] for axis, s in enumerate(target)]
    return inputs[0].reshape(kept)


def _slice(inputs: Inputs, settings: Settings) -> np.ndarray:
    starts, ends = _axes(inputs, settings, "starts", 1), _axes(inputs, settings, "ends", 2)
    axes = _axes(inputs, settings, "axes", 3) or range(len(starts))
    steps = _axes(inputs, settings, "steps", 4) or (1,) * len(starts)
    cut = [slice(None)] * inputs[0].ndim
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        size = inputs[0].shape[axis]
        if step < 0:
            start = min(max(start + size * (start < 0), 0), size - 1)
            end = end + size if -size <= end < 0 else end
            cut[axis] = slice(start, end if end >= 0 else None, step)
        else:
            cut[axis] = slice(start, end, step)
    return inputs[0][tuple(cut)]


def _squeeze(inputs: Inputs, settings: Settings) -> np.ndarray:
    return np.squeeze(inputs[0], _axes(inputs, settings))


def _unsqueeze(inputs: Inputs, settings: Settings) -> np.ndarray:
    return np.expand_dims(inputs[0], _axes(inputs, settings))


def _clip(inputs: Inputs, settings: Settings) -> np.ndarray:
    """Between two inputs, or two attributes before opset 11."""
    value, low, high = [*inputs, None, None][:3]
    low = settings.get("min") if low is None else low
    high = settings.get("max") if high is None else high
    return value if low is None and high is None else np.clip(value, low, high).astype(value.dtype)


def _gather_elements(inputs: Inputs, settings: Settings) -> np.ndarray:
    """Along the axis as the indices say; along the others the indices may be shorter than the data."""
    data, index = inputs[0], inputs[1]
    axis = int(settings.get("axis", 0)) % data.ndim
    places = list(np.indices(index.shape, sparse=True))
    places[axis] = index
    return data[tuple(places)]


def _gather_nd(inputs: Inputs, settings: Settings) -> np.ndarray:
    if settings.get("batch_dims"):
        raise ValueError("batch_dims")
    return inputs[0][tuple(np.moveaxis(inputs[1], -1, 0))]


def _scatter_nd(inputs: Inputs, settings: Settings) -> np.ndarray:
    if settings.get("reduction", b"none") != b"none":
        raise ValueError("reduction")
    made = inputs[0].copy()
    made[tuple(np.moveaxis(inputs[1], -1, 0))] = inputs[2]
    return made


def _split(inputs: Inputs, settings: Settings, outputs: int) -> list[np.ndarray]:
    axis = int(settings.get("axis", 0))
    sizes = _axes(inputs, settings, "split")
    if sizes is None:
        each = math.ceil(inputs[0].shape[axis] / outputs)
        sizes = [each] * (outputs - 1)
    else:
        sizes = sizes[:-1]
    return np.split(inputs[0], np.cumsum(sizes, dtype=int), axis)


def _cast(inputs: Inputs, settings: Settings) -> np.ndarray:
    return inputs[0].astype(onnx.helper.tensor_dtype_to_np_dtype(int(settings["to"])))


def _constant_of_shape(inputs: Inputs, settings: Settings) -> np.ndarray:
    value = onnx.numpy_helper.to_array(settings["value"]) if "value" in settings else np.zeros(1, np.float32)
    return np.full(tuple(inputs[0]), value.ravel()[0], value.dtype)


def _flatten(inputs: Inputs, settings: Settings) -> np.ndarray:
    return inputs[0].reshape(math.prod(inputs[0].shape[: int(settings.get("axis", 1))]), -1)


def _power(inputs: Inputs, settings: Settings) -> np.ndarray:
    return np.power(inputs[0].astype(np.result_type(*inputs)), inputs[1]).astype(inputs[0].dtype)


_PAIRS = {  # of two arrays
    "Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Div": _divide, "And": np.logical_and, "Or": np.logical_or,
    "Xor": np.logical_xor, "Equal": np.equal, "Greater": np.greater, "GreaterOrEqual": np.greater_equal,
    "Less": np.less, "LessOrEqual": np.less_equal,
}  # fmt: skip
_SINGLES = {
    "Abs": np.abs, "Neg": np.negative, "Ceil": np.ceil, "Floor": np.floor, "Sqrt": np.sqrt, "Not": np.logical_not,
    "Sign": np.sign, "Exp": np.exp, "Log": np.log, "Round": np.round, "Identity": np.array,
}  # fmt: skip
_REDUCTIONS = {
    "ReduceMax": np.max,
    "ReduceMin": np.min,
    "ReduceProd": np.prod,
    "ReduceSum": np.sum,
    "ReduceMean": np.mean,
}
_BROADCAST = name_set("Where Max Min Pow Mod") | _PAIRS.keys()
_RULES: dict[str, Callable[[Inputs, Settings], np.ndarray]] = {
    **{op: lambda i, s, f=function: f(i[0], i[1]) for op, function in _PAIRS.items()},
    **{op: lambda i, s, f=function: f(i[0]).astype(i[0].dtype) for op, function in _SINGLES.items()},
    **{op: functools.partial(_reduce, function) for op, function in _REDUCTIONS.items()},
    "Mod": _modulo,
    "Pow": _power,
    "Max": lambda i, s: functools.reduce(np.maximum, i),
    "Min": lambda i, s: functools.reduce(np.minimum, i),
    "Where": lambda i, s: np.where(*i),
    "Cast": _cast,
    "Clip": _clip,
    "CastLike": lambda i, s: i[0].astype(i[1].dtype),
    "Concat": lambda i, s: np.concatenate(i, int(s.get("axis", 1))),
    "ConstantOfShape": _constant_of_shape,
    "Expand": lambda i, s: i[0] * np.ones(tuple(i[1]), i[0].dtype),
    "Flatten": _flatten,
    "Gather": lambda i, s: np.take(i[0], i[1], int(s.get("axis", 0))),
    "GatherElements": _gather_elements,
    "GatherND": _gather_nd,
    "NonZero": lambda i, s: np.array(np.nonzero(i[0]), dtype=np.int64),
    "Range": lambda i, s: np.arange(i[0].item(), i[1].item(), i[2].item(), dtype=i[0].dtype),
    "Reshape": _reshape,
    "ScatterND": _scatter_nd,
    "Slice": _slice,
    "Squeeze": _squeeze,
    "Tile": lambda i, s: np.tile(i[0], tuple(i[1])),
    "Transpose": lambda i, s: np.transpose(i[0], s.get("perm")),
    "Unsqueeze": _unsqueeze,
}
OPERATIONS = frozenset({"Split", *_RULES})
