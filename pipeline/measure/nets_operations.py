"""Networks of one operation, at sizes that whole networks rarely have.

Compare nn-Meter's kernels (Zhang et al., MobiSys 2021, section 4), each of which is several fused.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

from onnx import TensorProto

from pipeline.measure import elements
from pipeline.measure.builder import Builder, Settings
from pipeline.measure.elements import CHANNELS, LENGTHS, WIDTHS
from pipeline.measure.nets_sequence import GATES
from pipeline.measure.precisions import integer_product, rounded

CELL_ROWS = GATES | {"RNN": 1, "DynamicQuantizeLSTM": GATES["LSTM"]}
ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
Operation = Callable[[Builder, Settings], str]


def operations(b: Builder, s: Settings) -> str:
    """One kind of operation, another for every variant in turn. Varied: sizes, axes, windows; how often in a row it
    comes where it keeps the shape. As its own network stands the first: |x| of an image of 64 channels."""
    return KINDS[s.number % len(KINDS)](b, s)


def _convolution(b: Builder, s: Settings, rank: int = 2, groups: bool = False, dilated: bool = False) -> str:
    x = elements.signal(b, s) if rank == 1 else elements.image(b, s, rank)
    inside = b.channels(x)
    n = s.pick(inside, (2, 4, 8, inside, inside)) if groups else 1
    kernel = s.pick(3, (3, 5, 7) if rank < 3 and (groups or rank == 1) else (3,) if rank == 3 or dilated else (1, 3, 5))
    outside = inside * s.pick(1, (1, 2)) if groups else s.pick(64, CHANNELS)
    stride, dilation = (1, s.pick(2, (2, 4, 8))) if dilated else (s.pick(1, (1, 1, 2)), 1)
    return b.conv(x, outside, kernel, stride, groups=n, bias=s.pick(True, (True, False)), dilation=dilation)


def _transposed_convolution(b: Builder, s: Settings) -> str:
    x = s.pick(elements.image, (elements.image, elements.signal))(b, s)
    channels, outside, rank = b.channels(x), s.pick(32, CHANNELS[:6]), len(b.shapes[x]) - 2
    b.macs += math.prod(b.shapes[x]) * outside * 2**rank
    shape = (1, outside, *(2 * size for size in b.shapes[x][2:]))
    weight = b.weight(channels, outside, *[2] * rank)
    return b.op("ConvTranspose", x, weight, shape=shape, kernel_shape=[2] * rank, strides=[2] * rank)


def _pooled(b: Builder, s: Settings, kind: str) -> str:
    x = s.pick(elements.image, (elements.image, elements.image, elements.signal))(b, s)
    kernel, stride = s.pick((3, 2), ((2, 2), (3, 2), (3, 1), (5, 1)))
    return b.pool(x, kernel, stride, kernel // 2 if kernel > 2 else 0, kind=kind)


def _pooled_whole(b: Builder, s: Settings, kind: str) -> str:
    x = elements.image(b, s)
    return b.op(kind, x, shape=(1, b.channels(x), 1, 1))


def _rows_times_weight(b: Builder, s: Settings, kind: str) -> str:
    """A layer on some rows at once: as Gemm of two dimensions, or as MatMul of three."""
    rows, inside, outside = s.pick(64, ROWS), s.pick(256, WIDTHS), s.pick(256, (*WIDTHS, 1024, 2048))
    x = b.reads(1, rows, inside)
    if kind == "MatMul":
        return b.dense(x, outside)
    transposed = s.pick(1, (0, 1))
    weight = b.weight(*((outside, inside) if transposed else (inside, outside)))
    b.macs += rows * inside * outside
    return b.op("Gemm", b.reshape(x, rows, inside), weight, b.weight(outside), shape=(rows, outside), transB=transposed)


def _products_of_heads(b: Builder, s: Settings) -> str:
    """Of every head, the products of all pairs of rows."""
    x = b.reads(1, s.pick(8, (1, 2, 4, 8, 12)), s.pick(128, LENGTHS), s.pick(64, (16, 32, 64)))
    return b.matmul(x, b.transpose(x, 0, 1, 3, 2))


def _recurrent(b: Builder, s: Settings, kind: str) -> str:
    """One layer on some sequences at once, in one or both directions; of an LSTM also with weights of 8 bits."""
    steps, batch = s.pick(32, (1, 8, 16, 32, 64, 128)), s.pick(1, (1, 1, 2, 4, 8, 16, 32))
    inputs, hidden, ways = s.pick(128, WIDTHS[:7]), s.pick(128, WIDTHS[:7]), s.pick(1, (1, 2))
    about = {"hidden_size": hidden, "direction": "bidirectional" if ways == 2 else "forward"}
    about |= {"linear_before_reset": 1} if kind == "GRU" else {}
    rows, shape = CELL_ROWS[kind] * hidden, (steps, ways, batch, hidden)
    b.macs += steps * batch * ways * rows * (inputs + hidden)
    x = b.reshape(b.reads(1, steps * batch, inputs), steps, batch, inputs)
    if kind != "DynamicQuantizeLSTM":
        weights = [b.weight(ways, rows, size) for size in (inputs, hidden)]
        return b.op(kind, x, *weights, b.weight(ways, 2 * rows), shape=shape, **about)
    weights = [b.weight(ways, size, rows) for size in (inputs, hidden)]
    for weight in weights:
        b.tensor(weight).data_type = TensorProto.INT8
    scale, zero = b.constant([0.01] * ways, TensorProto.FLOAT), b.constant([0] * ways, TensorProto.INT8)
    read = (x, *weights, b.weight(ways, 2 * rows), "", "", "", "", scale, zero, scale, zero)
    return b.op(kind, *read, shape=shape, domain="com.microsoft", **about)


def _layer_of_integers(b: Builder, s: Settings) -> str:
    """Its input rounded by its own range."""
    rows, inside, outside = s.pick(64, ROWS), s.pick(256, WIDTHS), s.pick(256, WIDTHS)
    x, weight = b.reads(1, rows, inside), b.weight(inside, outside)
    b.macs += rows * inside * outside
    return integer_product(b, "MatMulInteger", rounded(b, x), weight, (1, rows, outside))


def _convolution_of_integers(b: Builder, s: Settings, rounds: bool) -> str:
    """Its input rounded by its own range, or both input and output by given ones."""
    x, outside, kernel = elements.image(b, s), s.pick(64, CHANNELS[:8]), s.pick(3, (1, 3))
    inside, (_, _, edge, _) = b.channels(x), b.shapes[x]
    b.macs += outside * inside * (kernel * edge) ** 2
    weight, shape = b.weight(outside, inside, kernel, kernel), (1, outside, edge, edge)
    window = {"kernel_shape": [kernel] * 2, "pads": [kernel // 2] * 4}
    if rounds:
        return integer_product(b, "ConvInteger", rounded(b, x), weight, shape, **window)
    return elements.there_and_back(
        b, b.op("Conv", elements.there_and_back(b, x), _exact(b, weight), shape=shape, **window)
    )


def _rounded_layer(b: Builder, s: Settings) -> str:
    """Input and output rounded by given ranges."""
    rows, inside, outside = s.pick(64, ROWS), s.pick(256, WIDTHS), s.pick(256, WIDTHS)
    x, weight = elements.there_and_back(b, b.reads(1, rows, inside)), b.weight(inside, outside)
    return elements.there_and_back(b, b.matmul(x, _exact(b, weight)))


def _rounded_sum(b: Builder, s: Settings) -> str:
    x = elements.image(b, s)
    sides = [elements.there_and_back(b, b.op(kind, x)) for kind in ("Relu", "Neg")]
    return elements.there_and_back(b, b.add(*sides))


def _exact(b: Builder, weight: str) -> str:
    """A weight of 8 bits as the number that it stands for."""
    b.tensor(weight).data_type = TensorProto.INT8
    about = b.constant(0.01), b.constant(0, TensorProto.INT8)
    return b.op("DequantizeLinear", weight, *about, shape=tuple(b.tensor(weight).dims))


POINTWISE = (
    *("Abs", "Ceil", "Cos", "Elu", "Erf", "Exp", "Floor", "HardSigmoid", "HardSwish", "LeakyRelu", "Neg", "Reciprocal"),
    *("Relu", "Round", "Sigmoid", "Sin", "Softplus", "Sqrt", "Tanh"),
)
PAIRS = ("Add", "Sub", "Mul", "Div", "Max", "Min")
REDUCTIONS = ("ReduceMean", "ReduceSum", "ReduceMax", "ReduceL2")
KINDS: tuple[Operation, ...] = (
    *(partial(elements.repeated, kind=kind) for kind in POINTWISE),
    *(partial(elements.with_tensor, kind=kind) for kind in PAIRS),
    *(elements.power, elements.slope, elements.chosen, elements.cast, elements.to_8_bits),
    *(partial(elements.reduced, kind=kind) for kind in REDUCTIONS),
    *(elements.top, elements.running_sum, *(partial(elements.largest, kind=kind) for kind in ("ArgMax", "ArgMin"))),
    *(partial(elements.along, kind=kind) for kind in ("Softmax", "LogSoftmax", "LpNormalization")),
    *(elements.instance_norm, elements.group_norm, elements.response_norm, elements.layer_norm, elements.batch_norm),
    *(elements.transposed, elements.joined, elements.cut, elements.split, elements.gathered, elements.padded),
    *(partial(elements.spread, kind=kind) for kind in ("Expand", "Tile")),
    *(partial(elements.resized, mode=mode) for mode in ("nearest", "linear")),
    *(partial(elements.blocks, kind=kind) for kind in ("DepthToSpace", "SpaceToDepth")),
    *(partial(elements.another_rank, kind=kind) for kind in ("Unsqueeze", "Squeeze", "Reshape")),
    *(partial(_convolution, rank=rank) for rank in (1, 2, 3)),
    *(partial(_convolution, rank=rank, groups=True) for rank in (1, 2)),
    *(partial(_convolution, rank=rank, dilated=True) for rank in (1, 2)),
    _transposed_convolution,
    *(partial(_pooled, kind=kind) for kind in ("MaxPool", "AveragePool")),
    *(partial(_pooled_whole, kind=kind) for kind in ("GlobalAveragePool", "GlobalMaxPool")),
    *(partial(_rows_times_weight, kind=kind) for kind in ("Gemm", "Gemm", "MatMul", "MatMul")),
    _products_of_heads,
    *(partial(_recurrent, kind=kind) for kind in ("RNN", "LSTM", "GRU", "DynamicQuantizeLSTM")),
    *(partial(_convolution_of_integers, rounds=rounds) for rounds in (True, False)),
    *(_layer_of_integers, _layer_of_integers, _rounded_layer, _rounded_sum),
)
