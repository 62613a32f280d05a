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

from pipeline.onnx.model import Shape, name_set

Attributes = dict[str, tuple]

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
}
# One operation per element read.
PER_INPUT = name_set(
    """ArgMax ArgMin GlobalAveragePool GlobalLpPool GlobalMaxPool ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp
    ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare"""
)
POOLS = frozenset({"AveragePool", "MaxPool", "LpPool"})
RESIZE = {"linear": 7, "bilinear": 7, "cubic": 63}  # two-dimensional; nearest is none
GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}


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
        steps, hidden = math.prod(inputs[0][:2]), inputs[2][-1]
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
    """Q K^T and its product with V, for Q (batch, heads, length, size) or (batch, length, heads x size)."""
    query, key, value = inputs[:3]
    if len(query) == 4:
        return math.prod(query[:3]) * key[2] * (query[3] + value[3])
    heads, kv_heads = attributes["q_num_heads"][0], attributes["kv_num_heads"][0]
    return query[0] * query[1] * key[1] * (query[2] + heads * value[2] // kv_heads)


def _einsum(attributes: Attributes, inputs: Sequence[Shape], outputs: Sequence[Shape]) -> int:
    """Product of the sizes of all indices; an ellipsis stands for the leading dimensions of the output."""
    if len(inputs) < 2:
        return 0
    terms = str(attributes["equation"][0]).replace(" ", "").split("->")[0].split(",")
    sizes: dict[str, int] = {}
    ellipsis = 1
    for term, shape in zip(terms, inputs, strict=False):
        before, dots, after = term.partition("...")
        sizes |= zip(before, shape, strict=False)
        sizes |= zip(reversed(after), reversed(shape), strict=False)
        if dots:
            ellipsis = max(ellipsis, math.prod(shape[len(before) : len(shape) - len(after)]))
    return ellipsis * math.prod(sizes.values())


_MACS: dict[str, Callable[[Attributes, Sequence[Shape], Sequence[Shape]], int]] = {
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
}
_BIAS_SLOT = {"Conv": 2, "ConvTranspose": 2, "Gemm": 2, "DeformConv": 3, "QLinearConv": 8}
