"""Operations that ONNX Runtime adds (com.microsoft, and old names it put into the default domain): shapes and products.

By ONNX Runtime's documentation of its contributed operators. Fused, quantised and attention operations that exporters,
quantisers and optimisers write; of others only a shape that the file states is known.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from onnx import TensorProto

from pipeline.onnx.model import Shape, name_set
from pipeline.onnx.windows import windows

DOMAIN = "com.microsoft"
FLOAT, INT32 = TensorProto.FLOAT, TensorProto.INT32
Settings = Mapping[str, object]
Shapes = Sequence["Shape | None"]
Known = list[tuple[int, Shape]]  # element type and shape of each output
Rule = Callable[[Settings, Shapes, Sequence[int], Sequence["np.ndarray | None"]], Known]

# Every output is like the first input.
_LIKE_FIRST = name_set(
    """BiasGelu BiasSoftmax FastGelu Gelu GroupNorm Inverse MoE QLinearLeakyRelu QLinearSigmoid QLinearSoftmax QMoE
    QuickGelu RotaryEmbedding Trilu"""
)
# Normalisations: the result, then a mean and a deviation for each normalised row; Skip ones give the sum as well.
_NORMS = name_set("LayerNormalization SimplifiedLayerNormalization")
_SKIP_NORMS = name_set("SkipLayerNormalization SkipSimplifiedLayerNormalization")
# Where the two factors of a matrix product stand.
FACTORS = {
    **dict.fromkeys(name_set("FusedGemm FusedMatMul GemmFastGelu DynamicQuantizeMatMul MatMulIntegerToFloat"), (0, 1)),
    "TransposeMatMul": (0, 1),
    "QGemm": (0, 3),
}
PACKED_PRODUCTS = name_set("MatMulNBits MatMulBnb4")
# Where the weight of a convolution stands, as (out, in / groups, sizes...).
_CONVOLUTIONS = {"FusedConv": 1, "NhwcConv": 1, "NhwcFusedConv": 1, "QLinearConv": 3}
_BROADCAST = {"BiasAdd": (0, 1, 2), "QLinearAdd": (0, 3), "QLinearMul": (0, 3), "QLinearWhere": (0, 1, 4)}


def outputs_of(
    op: str, settings: Settings, shapes: Shapes, types: Sequence[int], values: Sequence[np.ndarray | None]
) -> Known | None:
    """Types and shapes of the outputs of `op`, in OPERATIONS, or None where a shape that it needs is unknown."""
    if any(shape is None or -1 in shape for shape in shapes):
        return None
    return _RULES[op](settings, shapes, types, values)


def channels_last(op: str, settings: Settings) -> bool:
    """Whether a convolution or pooling has its channels behind its sizes."""
    flag = settings.get("channels_last", 0)
    return op.startswith("Nhwc") or bool(flag[0] if isinstance(flag, tuple) else flag)


def weights_per_element(op: str, slot: int, settings: Mapping[str, tuple]) -> int:
    """How many weights an element of input `slot` holds: several where they are packed into bytes."""
    if op == "MatMulBnb4":
        return 2 if slot == 1 else 1
    return 8 // int(settings.get("bits", (4,))[0]) if op == "MatMulNBits" and slot == 1 else 1


def _like_first(settings: Settings, shapes: Shapes, types: Sequence[int], values: Sequence) -> Known:
    return [(types[0], shapes[0])]


def _norm(settings: Settings, shapes: Shapes, types: Sequence[int], values: Sequence) -> Known:
    axis = int(settings.get("axis", -1)) % len(shapes[0])
    row = (FLOAT, (*shapes[0][:axis], *[1] * (len(shapes[0]) - axis)))
    return [(types[0], shapes[0]), row, row]


def _skip_norm(settings: Settings, shapes: Shapes, types: Sequence[int], values: Sequence) -> Known:
    row = (FLOAT, (*shapes[0][:-1], 1))
    return [(types[0], shapes[0]), row, row, (types[0], shapes[0])]


def _skip_group_norm(settings: Settings, shapes: Shapes, types: Sequence[int], values: Sequence) -> Known:
    return [(types[0], shapes[0])] * 2


def _broadcast(slots: Sequence[int]) -> Rule:
    def rule(settings: Settings, shapes: Shapes, types: Sequence[int], values: Sequence) -> Known:
        return [(types[slots[-1]], np.broadcast_shapes(*[shapes[slot] for slot in slots]))]

    return rule


def _quantise(settings: Settings, shapes: Shapes, types: Sequence[int], values: Sequence) -> Known:
    return [(types[2] if len(types) > 2 and types[2] else TensorProto.UINT8, shapes[0])]


def _dequantise(settings: Settings, shapes: Shapes, types: Sequence[int], values: Sequence) -> Known:
    return [(types[1], shapes[0])]


def factors(op: str, settings: Settings, shapes: Shapes) -> tuple[Shape, Shape]:
    """The two factors of a matrix product, turned as the operation turns them: (..., rows, k) and (..., k, columns)."""
    turned = []
    for slot, side in zip(FACTORS[op], "AB", strict=True):
        shape = shapes[slot]
        flags = [settings.get(f"{name}{side}", 0) for name in ("transBatch", "trans")]
        batch, last = (bool(flag[0] if isinstance(flag, tuple) else flag) for flag in flags)
        if batch and len(shape) > 2:  # (rows, batch..., k) to (batch..., rows, k)
            shape = (*shape[1:-1], shape[0], shape[-1])
        turned.append((*shape[:-2], shape[-1], shape[-2]) if last and len(shape) > 1 else shape)
    return turned[0], turned[1]


def _product(op: str) -> Rule:
    def rule(settings: Settings, shapes: Shapes, types: Sequence[int], values: Sequence) -> Known:
        left, right = factors(op, settings, shapes)
        rows = left[-2:-1] if len(left) > 1 else ()
        columns = right[-1:] if len(right) > 1 else ()
        if left[-1] != right[-2 if len(right) > 1 else -1]:
            raise ValueError("factors")
        kind = types[0]
        if (
            op in ("MatMulIntegerToFloat", "DynamicQuantizeMatMul")
            or op == "QGemm"
            and not (len(types) > 7 and types[7])
        ):
            kind = types[2] if op != "QGemm" else FLOAT
        return [(kind, (*np.broadcast_shapes(left[:-2], right[:-2]), *rows, *columns))]

    return rule


def _packed_product(settings: Settings, shapes: Shapes, types: Sequence[int], values: Sequence) -> Known:
    if shapes[0][-1] != settings["K"]:
        raise ValueError("K")
    return [(types[0], (*shapes[0][:-1], int(settings["N"])))]


def _conv(op: str) -> Rule:
    def rule(settings: Settings, shapes: Shapes, types: Sequence[int], values: Sequence) -> Known:
        image, weight, last = shapes[0], shapes[_CONVOLUTIONS[op]], channels_last(op, settings)
        sizes = windows(settings, image[1:-1] if last else image[2:], weight[2:])
        shape = (image[0], *sizes, weight[0]) if last else (image[0], weight[0], *sizes)
        return [(types[7] if op == "QLinearConv" and len(types) > 7 else types[0], shape)]

    return rule


def _pool(op: str) -> Rule:
    def rule(settings: Settings, shapes: Shapes, types: Sequence[int], values: Sequence) -> Known:
        image, last = shapes[0], channels_last(op, settings)
        sizes = image[1:-1] if last else image[2:]
        pooled = (1,) * len(sizes) if "Global" in op else windows(settings, sizes, settings["kernel_shape"])
        return [(types[0], (image[0], *pooled, image[-1]) if last else (*image[:2], *pooled))]

    return rule


def _reduce_mean(settings: Settings, shapes: Shapes, types: Sequence[int], values: Sequence) -> Known:
    axes = {axis % len(shapes[0]) for axis in settings.get("axes") or range(len(shapes[0]))}
    kept = [1 if axis in axes else size for axis, size in enumerate(shapes[0])]
    return [(types[0], tuple(s for axis, s in enumerate(kept) if settings.get("keepdims", 1) or axis not in axes))]


def _concat(settings: Settings, shapes: Shapes, types: Sequence[int], values: Sequence) -> Known:
    parts, axis = shapes[2::3], int(settings["axis"]) % len(shapes[2])
    return [(types[2], (*parts[0][:axis], sum(part[axis] for part in parts), *parts[0][axis + 1 :]))]


def _lstm(settings: Settings, shapes: Shapes, types: Sequence[int], values: Sequence) -> Known:
    (time, batch, _), (ways, hidden, _) = shapes[0], shapes[2]
    return [(types[0], (time, ways, batch, hidden)), *[(types[0], (ways, batch, hidden))] * 2]


def _embed(settings: Settings, shapes: Shapes, types: Sequence[int], values: Sequence) -> Known:
    out = (*shapes[0], shapes[2][-1])
    return [(types[2], out), (INT32, shapes[0][:1]), (types[2], out)]


def _own_attention(past_slot: int) -> Rule:
    """Attention and QAttention: one weight makes queries, keys and values of the input (batch, length, size)."""

    def rule(settings: Settings, shapes: Shapes, types: Sequence[int], values: Sequence) -> Known:
        (batch, length, _), heads = shapes[0], int(settings["num_heads"])
        sizes = settings.get("qkv_hidden_sizes") or [shapes[1][-1] // 3] * 3
        past = shapes[past_slot] if len(shapes) > past_slot else ()
        present = (2, batch, heads, (past[3] if past else 0) + length, sizes[1] // heads)
        kind = FLOAT if types[0] in (TensorProto.UINT8, TensorProto.INT8) else types[0]
        return [(kind, (batch, length, sizes[2])), (kind, present)]

    return rule


def lengths(shapes: Shapes) -> tuple[Shape, int, int]:
    """Of MultiHeadAttention: the output (batch, length, value size), keys without the past, and the past."""
    query, key, value, *rest = (*shapes, *[()] * 8)[:8]
    past = rest[3][2] if rest[3] else 0
    if len(query) == 5:  # (batch, length, heads, 3, size)
        return (*query[:2], query[2] * query[4]), query[1], past
    if len(key) == 5:  # (batch, length, heads, 2, size)
        return (*query[:2], key[2] * key[4]), key[1], past
    if len(key) == 4:  # (batch, heads, length, size)
        return (*query[:2], value[1] * value[3]), key[2], past
    return (*query[:2], value[2]), key[1], past


def _many_heads(settings: Settings, shapes: Shapes, types: Sequence[int], values: Sequence) -> Known:
    out, keys, past = lengths(shapes)
    heads = int(settings["num_heads"])
    present = (out[0], heads, past + keys, out[2] // heads)
    return [(types[0], out), (types[0], present), (types[0], present)]


def _grouped(settings: Settings, shapes: Shapes, types: Sequence[int], values: Sequence) -> Known:
    heads, few = int(settings["num_heads"]), int(settings["kv_num_heads"])
    batch, length, width = shapes[0]
    size = width // (heads if len(shapes) > 1 and shapes[1] else heads + 2 * few)
    past = shapes[3][2] if len(shapes) > 3 and shapes[3] else 0
    total = int(values[6].max()) if len(values) > 6 and values[6] is not None and values[6].size else past + length
    present = (types[0], (batch, few, max(past, total), size))
    return [(types[0], (batch, length, heads * size)), present, present]


def _gather_packed(settings: Settings, shapes: Shapes, types: Sequence[int], values: Sequence) -> Known:
    data, axis = list(shapes[0]), int(settings.get("gather_axis", 0)) % len(shapes[0])
    if types[0] == TensorProto.UINT8:
        data[-1] *= 8 // int(settings.get("bits", 4))
    return [(types[2], (*data[:axis], *shapes[1], *data[axis + 1 :]))]


def _expand_dims(settings: Settings, shapes: Shapes, types: Sequence[int], values: Sequence) -> Known:
    axis = int(values[1].item()) % (len(shapes[0]) + 1)
    return [(types[0], (*shapes[0][:axis], 1, *shapes[0][axis:]))]


def _grid(settings: Settings, shapes: Shapes, types: Sequence[int], values: Sequence) -> Known:
    return [(types[0], (*shapes[0][:2], *shapes[1][1:-1]))]


_RULES: dict[str, Rule] = {
    **dict.fromkeys(_LIKE_FIRST, _like_first),
    **dict.fromkeys(_NORMS, _norm),
    **dict.fromkeys(_SKIP_NORMS, _skip_norm),
    **{op: _broadcast(slots) for op, slots in _BROADCAST.items()},
    **{op: _product(op) for op in FACTORS},
    **dict.fromkeys(PACKED_PRODUCTS, _packed_product),
    **{op: _conv(op) for op in _CONVOLUTIONS},
    **{op: _pool(op) for op in ("QLinearAveragePool", "QLinearGlobalAveragePool", "NhwcMaxPool")},
    "SkipGroupNorm": _skip_group_norm,
    "QuantizeLinear": _quantise,
    "DequantizeLinear": _dequantise,
    "QLinearReduceMean": _reduce_mean,
    "QLinearConcat": _concat,
    "DynamicQuantizeLSTM": _lstm,
    "EmbedLayerNormalization": _embed,
    "Attention": _own_attention(4),
    "QAttention": _own_attention(8),
    "MultiHeadAttention": _many_heads,
    "GroupQueryAttention": _grouped,
    "GatherBlockQuantized": _gather_packed,
    "ExpandDims": _expand_dims,
    "GridSample": _grid,
}
OPERATIONS = frozenset(_RULES)
