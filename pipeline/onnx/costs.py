"""Cost of one ONNX operation: multiply-accumulates and the arithmetic that is none.

Definitions, all for the whole batch:

- MACs: multiply-accumulates of convolutions, matrix products, recurrent cells and attention. A padded position counts
  (the dense convention of the literature); a bias does not.
- FLOPs = 2 MACs + elementwise operations: one per output element for a bias, an activation, an addition and so on (a
  transcendental counts as one), one per element that a pooling or a reduction reads, and the constants of PER_OUTPUT.
  Moving data (Reshape, Transpose, Concat, Gather, Cast, ...) and unknown operations count as none.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from pipeline.onnx import microsoft
from pipeline.onnx.model import Shape, name_set

Attributes = dict[str, tuple]
Count = Callable[[Attributes, Sequence[Shape], Sequence[Shape]], int]

_ONE = name_set(
    """Abs Acos Acosh Add And Asin Asinh Atan Atanh BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor Ceil Celu
    Clip Cos Cosh CumSum DequantizeLinear Div DynamicQuantizeLinear Elu Equal Erf Exp Floor Greater
    GreaterOrEqual HardSigmoid LeakyRelu Less LessOrEqual Log Mod Mul Neg Not Or PRelu Pow QuantizeLinear
    Reciprocal Relu Round ScaledTanh Selu Sigmoid Sign Sin Sinh Softplus Softsign Sqrt Sub Swish Tan Tanh
    ThresholdedRelu Where Xor"""
)
# Elementwise operations per output element.
PER_OUTPUT = dict.fromkeys(_ONE, 1) | {
    "BatchNormalization": 2,
    "HardSwish": 3,
    "Gelu": 4,
    "Mish": 4,
    "Softmax": 3,
    "LogSoftmax": 4,
    "Hardmax": 1,
    "InstanceNormalization": 7,
    "LayerNormalization": 7,
    "GroupNormalization": 7,
    "RMSNormalization": 4,
    "LpNormalization": 3,
    "MeanVarianceNormalization": 6,
    "RotaryEmbedding": 3,
    **dict.fromkeys(name_set("BiasAdd QLinearAdd QLinearLeakyRelu QLinearMul QLinearSigmoid QLinearWhere"), 1),
    "BiasGelu": 5,
    "BiasSoftmax": 4,
    "EmbedLayerNormalization": 9,
    "FastGelu": 4,
    "GroupNorm": 7,
    "QLinearSoftmax": 3,
    "QuickGelu": 3,
    "SimplifiedLayerNormalization": 4,
    "SkipGroupNorm": 8,
    "SkipLayerNormalization": 8,
    "SkipSimplifiedLayerNormalization": 5,
}
# One operation per element read.
PER_INPUT = name_set(
    """ArgMax ArgMin GlobalAveragePool GlobalLpPool GlobalMaxPool ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp
    ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare QLinearGlobalAveragePool QLinearReduceMean"""
)
POOLS = name_set("AveragePool MaxPool LpPool QLinearAveragePool NhwcMaxPool")
RESIZE = {"linear": 7, "bilinear": 7, "cubic": 63}  # two-dimensional; nearest is none
GATES = {"LSTM": 4, "GRU": 3, "RNN": 1, "DynamicQuantizeLSTM": 4}


def macs(op: str, attributes: Attributes, inputs: Sequence[Shape], outputs: Sequence[Shape]) -> int:
    """Multiply-accumulates of one operation from the shapes of its inputs (() where left out) and outputs."""
    count = _MACS.get(op)
    return count(attributes, inputs, outputs) if count else 0


def elementwise(op: str, attributes: Attributes, inputs: Sequence[Shape], outputs: Sequence[Shape]) -> int:
    """Arithmetic operations of one operation beside its MACs."""
    size = math.prod(outputs[0])
    per_output = PER_OUTPUT.get(op)
    if per_output is not None:
        return per_output * size
    if op in _BIAS_SLOT:
        slot = _BIAS_SLOT[op]
        return size if len(inputs) > slot and inputs[slot] else 0
    if op in POOLS:
        return size * math.prod(attributes.get("kernel_shape", ()))
    if op in PER_INPUT:
        return math.prod(inputs[0])
    if op in ("Sum", "Max", "Min", "Mean"):
        return size * (len(inputs) - 1 + (op == "Mean"))
    if op == "LRN":
        return size * (int(attributes["size"][0]) + 3)
    if op in ("Resize", "Upsample"):
        return size * RESIZE.get(attributes.get("mode", ("nearest",))[0], 0)
    if op in GATES:
        steps, hidden = math.prod(inputs[0][:2]), inputs[2][1] if op == "DynamicQuantizeLSTM" else inputs[2][-1]
        return steps * inputs[1][0] * hidden * 5 * GATES[op]
    return 0


def _conv(attributes: Attributes, inputs: Sequence[Shape], outputs: Sequence[Shape]) -> int:
    return math.prod(outputs[0]) * math.prod(inputs[1][1:])


def _conv_quantised(attributes: Attributes, inputs: Sequence[Shape], outputs: Sequence[Shape]) -> int:
    return math.prod(outputs[0]) * math.prod(inputs[3][1:])


def _conv_transpose(attributes: Attributes, inputs: Sequence[Shape], outputs: Sequence[Shape]) -> int:
    return math.prod(inputs[0]) * math.prod(inputs[1][1:])


def _gemm(attributes: Attributes, inputs: Sequence[Shape], outputs: Sequence[Shape]) -> int:
    return math.prod(outputs[0]) * inputs[0][0 if attributes.get("transA", (0,))[0] else 1]


def _matmul(attributes: Attributes, inputs: Sequence[Shape], outputs: Sequence[Shape]) -> int:
    return math.prod(outputs[0]) * inputs[0][-1]


def _recurrent(attributes: Attributes, inputs: Sequence[Shape], outputs: Sequence[Shape]) -> int:
    """X is (time, batch, input) or, with layout 1, (batch, time, input); W (directions, gates x hidden, input)."""
    return math.prod(inputs[0][:2]) * (math.prod(inputs[1]) + math.prod(inputs[2]))


def _attention(attributes: Attributes, inputs: Sequence[Shape], outputs: Sequence[Shape]) -> int:
    """Q K^T and its product with V, for Q (batch, heads, length, size) or (batch, length, heads x size).

    Keys and values of the past, (batch, heads, length, size), go before the others.
    """
    if "num_heads" in attributes:
        return _own_attention(4)(attributes, inputs, outputs)
    query, key, value = inputs[:3]
    past = inputs[4][2] if len(inputs) > 4 and inputs[4] else 0
    if len(query) == 4:
        return math.prod(query[:3]) * (past + key[2]) * (query[3] + value[3])
    heads, kv_heads = attributes["q_num_heads"][0], attributes["kv_num_heads"][0]
    return query[0] * query[1] * (past + key[1]) * (query[2] + heads * value[2] // kv_heads)


def _own_attention(past_slot: int) -> Count:
    """com.microsoft's Attention and QAttention: the product that makes queries, keys and values, then attention."""

    def count(attributes: Attributes, inputs: Sequence[Shape], outputs: Sequence[Shape]) -> int:
        (batch, length, size), width = inputs[0], inputs[1][-1]
        past = inputs[past_slot][3] if len(inputs) > past_slot and inputs[past_slot] else 0
        queries, _, values = attributes.get("qkv_hidden_sizes") or (width // 3,) * 3
        return batch * length * (size * width + (past + length) * (queries + values))

    return count


def _many_heads(attributes: Attributes, inputs: Sequence[Shape], outputs: Sequence[Shape]) -> int:
    out, keys, past = microsoft.lengths(inputs)
    width = inputs[0][2] if len(inputs[0]) == 3 else out[2]
    return out[0] * out[1] * (past + keys) * (width + out[2])


def _grouped_attention(attributes: Attributes, inputs: Sequence[Shape], outputs: Sequence[Shape]) -> int:
    """Keys are all that is there with the past, or the buffer's length where it is shared with the present."""
    batch, length, width = inputs[0]
    heads, few = attributes["num_heads"][0], attributes["kv_num_heads"][0]
    size = width // (heads if len(inputs) > 1 and inputs[1] else heads + 2 * few)
    present = next((shape[2] for shape in outputs if len(shape) == 4), None)
    past = inputs[3][2] if len(inputs) > 3 and inputs[3] else 0
    return batch * length * (present or past + length) * 2 * heads * size


def _experts(attributes: Attributes, inputs: Sequence[Shape], outputs: Sequence[Shape]) -> int:
    """Every token goes through k experts of two or three layers, (experts, ...) each."""
    layers = sum(math.prod(inputs[slot][1:]) for slot in (2, 4, 6) if len(inputs) > slot)
    return math.prod(inputs[0][:-1]) * attributes.get("k", (1,))[0] * layers


def _factors(op: str) -> Count:
    def count(attributes: Attributes, inputs: Sequence[Shape], outputs: Sequence[Shape]) -> int:
        return math.prod(outputs[0]) * microsoft.factors(op, attributes, inputs)[0][-1]

    return count


def _einsum(attributes: Attributes, inputs: Sequence[Shape], outputs: Sequence[Shape]) -> int:
    """Pairwise, from the left, as runtimes contract: each pair multiplies all indices that it holds, broadcast.

    What only one of the pair has and nothing later reads is summed first; that is no product.
    """
    equation = str(attributes["equation"][0]).replace(" ", "")
    terms, arrow, result = equation.partition("->")
    letters = [term.replace("...", ".") for term in terms.split(",")]
    once = {letter for letter in "".join(letters) if sum(term.count(letter) for term in letters) == 1 or letter == "."}
    wanted = set(result.replace("...", ".")) if arrow else once
    operands = [_index_sizes(term, shape) for term, shape in zip(letters, inputs, strict=True)]
    made, total = operands[0], 0
    for position, other in enumerate(operands[1:], start=2):
        later = {index for operand in operands[position:] for index in operand}
        held = {index: max(made.get(index, 1), other.get(index, 1)) for index in made | other}
        stays = {index for index in held if index in later or index[0] in wanted}
        total += math.prod(
            size for index, size in held.items() if index in stays or index in made.keys() & other.keys()
        )
        made = {index: size for index, size in held.items() if index in stays}
    return total


def _index_sizes(term: str, shape: Shape) -> dict[str, int]:
    """The size of each index of a term; the dimensions of its ellipsis are ".1", ".2", ... from the right."""
    before, dots, after = term.partition(".")
    sizes = dict(zip(before, shape, strict=False)) | dict(zip(reversed(after), reversed(shape), strict=False))
    if dots:
        inner = shape[len(before) : len(shape) - len(after)]
        sizes |= {f".{place}": size for place, size in enumerate(reversed(inner), start=1)}
    elif len(before) != len(shape):
        raise ValueError("term and shape")
    return sizes


_MACS: dict[str, Count] = {
    "Conv": _conv,
    "ConvInteger": _conv,
    "DeformConv": _conv,
    "QLinearConv": _conv_quantised,
    "ConvTranspose": _conv_transpose,
    "Gemm": _gemm,
    "MatMul": _matmul,
    "MatMulInteger": _matmul,
    "QLinearMatMul": _matmul,
    "LSTM": _recurrent,
    "GRU": _recurrent,
    "RNN": _recurrent,
    "Attention": _attention,
    "Einsum": _einsum,
    **dict.fromkeys(("FusedConv", "NhwcConv", "NhwcFusedConv"), _conv),
    **{op: _factors(op) for op in microsoft.FACTORS},
    **dict.fromkeys(microsoft.PACKED_PRODUCTS, _matmul),
    "DynamicQuantizeLSTM": _recurrent,
    "QAttention": _own_attention(8),
    "MultiHeadAttention": _many_heads,
    "GroupQueryAttention": _grouped_attention,
    "MoE": _experts,
}
_BIAS_SLOT = {
    "FusedConv": 2,
    "NhwcFusedConv": 2,
    "FusedGemm": 2,
    "QGemm": 6,
    "Conv": 2,
    "ConvTranspose": 2,
    "Gemm": 2,
    "DeformConv": 3,
    "QLinearConv": 8,
}
