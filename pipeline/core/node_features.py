"""Node and graph features of the published latency predictors, computed at load time from the canonical columns.

NNLP's 44 (Liu et al., ICPP 2022): operation one-hot 32, 8 attribute entries, 4 dimensions of the output shape, all
normalised by the constants of its released code. NN-Former's 192 (Xu et al., CVPR 2025; also NAR-Former V2): one-hot
32, 8 attribute slots x 10 and 4 dimensions x 20 sinusoidal values.

Departures from the released code, all on purpose: MatMul has the code that its table means for it (the table says
"Matmul", which ONNX never does), Resize shares the code of its predecessor Upsample, operations outside the table use
the four spare codes (`spare_codes=False`: none, as released), and the 8 entries of `perm` have a slot each, where the
released code writes the first sine of all entries, then their first cosine, and so on.

All functions take plain arrays over all nodes of all graphs, without a loop over graphs or nodes.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np

ONE_HOT, SLOTS, DIMS = 32, 8, 4
NNLP_DIM = ONE_HOT + SLOTS + DIMS
SLOT_DIM, SHAPE_DIM, STATIC_DIM = 10, 20, 40
NN_FORMER_DIM = ONE_HOT + SLOTS * SLOT_DIM + DIMS * SHAPE_DIM
# Codes 0 .. 27, in the order of NNLQP's table.
OPS = tuple(
    """Conv Relu Add Sigmoid Reshape MaxPool Split GlobalAveragePool Gemm Transpose Upsample BatchNormalization Mul
    Concat Flatten AveragePool Cast MatMul ReduceMean Pow Slice Div Sub Sqrt Clip Softmax Tanh
    ConvTranspose""".split()  # noqa: SIM905
)
_SAME_CODE = {"Resize": "Upsample"}
_MOVES = frozenset(
    """Constant ConstantOfShape DepthToSpace Dropout Expand Gather GatherElements GatherND Identity Pad ScatterElements
    ScatterND SpaceToDepth Squeeze Tile Unsqueeze""".split()  # noqa: SIM905
)
_ACTIVATIONS = frozenset(
    """Abs Ceil Celu Elu Erf Exp Floor Gelu HardSigmoid HardSwish LeakyRelu Log LogSoftmax Mish Neg PRelu Reciprocal
    Round Selu Sign Softplus Softsign Swish ThresholdedRelu""".split()  # noqa: SIM905
)
# Attribute columns that fill the slots of an operation, in order; first entries of tuples, as released.
_WINDOW = ("kernel_shape_0", "strides_0", "pads_0")
_CONVOLUTION = (*_WINDOW, "dilations_0", "group", "has_bias")
SLOT_COLUMNS = {
    "Conv": _CONVOLUTION,
    "ConvTranspose": (*_CONVOLUTION, "output_padding_0"),
    "MaxPool": _WINDOW,
    "AveragePool": _WINDOW,
    "Gemm": ("has_bias",),
    "Transpose": tuple(f"perm_{axis}" for axis in range(8)),
}
# (centre, scale) of NNLQP's normalisation.
_NORM = {
    "kernel_shape_0": (2.53, 56.0),
    "strides_0": (1.16, 56.0),
    "pads_0": (0.75, 6.0),
    "dilations_0": (1.0, 1.0),
    "group": (15.08, 6144.0),
    "has_bias": (0.77, 1.0),
    "output_padding_0": (0.0, 1e-5),
} | {f"perm_{axis}": (1.78, 4.0) for axis in range(8)}
_SHAPE_NORM = np.array([[12.25, 286.96, 32.62, 31.80], [1024.0, 2496.0, 256.0, 256.0]], dtype=np.float32)
# Static features: what the batch size, FLOPs, parameters and memory accesses are divided by.
NNLP_STATIC = (1.0, 1e9, 1e9, 1e9)
NN_FORMER_STATIC = (1.0, 1e9, 1e7, 1e7)


def op_codes(vocab: Sequence[str], spare_codes: bool = True) -> np.ndarray:
    """(len(vocab),) code of each operation, -1 for none; spare codes 28-31: input, activation, data movement, rest."""
    codes = {op: code for code, op in enumerate(OPS)}

    def code(op: str) -> int:
        op = _SAME_CODE.get(op, op)
        if op in codes or not spare_codes:
            return codes.get(op, -1)
        return 28 if op == "Input" else 29 if op in _ACTIVATIONS else 30 if op in _MOVES else 31

    return np.array([code(op) for op in vocab], dtype=np.int64)


def nnlp(
    op: np.ndarray,
    vocab: Sequence[str],
    attrs: np.ndarray,
    attr_names: Sequence[str],
    out_shape: np.ndarray,
    spare_codes: bool = True,
) -> np.ndarray:
    """NNLP's node features, (nodes, 44) float32, from `op` (nodes,), `attrs` (nodes, A) and `out_shape` (nodes, R)."""
    slots, filled, norms = _slots(op, vocab, attrs, attr_names)
    slots = np.where(filled, (slots - norms[0]) / norms[1], 0.0)
    shape = (_four(out_shape) - _SHAPE_NORM[0]) / _SHAPE_NORM[1]
    return np.concatenate([_one_hot(op, vocab, spare_codes), slots.astype(np.float32), shape], axis=1)


def nn_former(
    op: np.ndarray,
    vocab: Sequence[str],
    attrs: np.ndarray,
    attr_names: Sequence[str],
    out_shape: np.ndarray,
    spare_codes: bool = True,
) -> np.ndarray:
    """NN-Former's node features, (nodes, 192) float32; arguments as `nnlp`. A slot that an operation lacks is zero."""
    slots, filled, _ = _slots(op, vocab, attrs, attr_names)
    coded = sinusoidal(slots, SLOT_DIM) * filled[..., None]
    shape = sinusoidal(_four(out_shape), SHAPE_DIM)
    n = len(op)
    return np.concatenate([_one_hot(op, vocab, spare_codes), coded.reshape(n, -1), shape.reshape(n, -1)], axis=1)


def memory_accesses(params: np.ndarray, out_shape: np.ndarray, node_ptr: np.ndarray) -> np.ndarray:
    """NNLQP's memory accesses per graph, (graphs,): elements of all outputs and parameters of its nodes.

    `params` (nodes,), `out_shape` (nodes, R), 0 behind the last dimension; `node_ptr` (graphs + 1,).
    """
    outputs = np.where(out_shape > 0, out_shape, 1).prod(axis=1, dtype=np.float64)
    return np.diff(np.concatenate([[0.0], np.cumsum(outputs + params)])[node_ptr])


def static(
    batch_size: np.ndarray,
    flops: np.ndarray,
    params: np.ndarray,
    memory: np.ndarray,
    scale: Sequence[float] = NNLP_STATIC,
) -> np.ndarray:
    """NNLP's static features, (graphs, 4) float32: each of the four (graphs,) arrays divided by its `scale`."""
    columns = np.stack([batch_size, flops, params, memory], axis=1).astype(np.float64)
    return (columns / np.array(scale)).astype(np.float32)


def nn_former_static(batch_size: np.ndarray, flops: np.ndarray, params: np.ndarray, memory: np.ndarray) -> np.ndarray:
    """NN-Former's static features, (graphs, 40) float32: the four values of `static`, each coded in 10 dimensions."""
    values = static(batch_size, flops, params, memory, NN_FORMER_STATIC)
    return sinusoidal(values, STATIC_DIM // 4).reshape(len(values), -1)


def sinusoidal(values: np.ndarray, dim: int) -> np.ndarray:
    """(..., dim) float32: sin(v f_0), cos(v f_0), sin(v f_1), ... with f_j = 10000^(-j / (dim / 2))."""
    half = dim // 2
    frequencies = 10000.0 ** (-np.arange(half) / half)
    angles = values[..., None].astype(np.float64) * frequencies
    return np.stack([np.sin(angles), np.cos(angles)], axis=-1).reshape(*values.shape, dim).astype(np.float32)


def _one_hot(op: np.ndarray, vocab: Sequence[str], spare_codes: bool) -> np.ndarray:
    return _one_hot_table(tuple(vocab), spare_codes)[op]


@functools.lru_cache(maxsize=16)
def _one_hot_table(vocab: tuple[str, ...], spare_codes: bool) -> np.ndarray:
    codes = op_codes(vocab, spare_codes)
    table = np.zeros((len(vocab), ONE_HOT), dtype=np.float32)
    known = codes >= 0
    table[known, codes[known]] = 1.0
    return table


def _slots(
    op: np.ndarray, vocab: Sequence[str], attrs: np.ndarray, attr_names: Sequence[str]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Values (nodes, 8), which of them the operation has (nodes, 8), and their centre and scale (2, nodes, 8)."""
    column, has, norm = _slot_tables(tuple(vocab), tuple(attr_names))
    return np.take_along_axis(attrs, column[op], axis=1), has[op], norm[:, op]


@functools.lru_cache(maxsize=16)
def _slot_tables(vocab: tuple[str, ...], attr_names: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Per operation and slot: column of the attribute, whether there is one, centre and scale."""
    position = {name: index for index, name in enumerate(attr_names)}
    column = np.zeros((len(vocab), SLOTS), dtype=np.int64)
    has = np.zeros((len(vocab), SLOTS), dtype=bool)
    norm = np.stack([np.zeros((len(vocab), SLOTS)), np.ones((len(vocab), SLOTS))])
    for index, name in enumerate(vocab):
        for slot, column_name in enumerate(SLOT_COLUMNS.get(name, ())):
            column[index, slot] = position[column_name]
            has[index, slot] = True
            norm[:, index, slot] = _NORM[column_name]
    return column, has, norm


def _four(out_shape: np.ndarray) -> np.ndarray:
    """The first four dimensions, (nodes, 4) float32; 0 behind the last."""
    n, rank = out_shape.shape
    return np.concatenate([out_shape[:, :DIMS], np.zeros((n, max(DIMS - rank, 0)))], axis=1).astype(np.float32)
