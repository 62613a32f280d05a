"""The kernels that a compiler makes of a network's operations, found by fusion rules (nn-Meter, Zhang et al. 2021)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pipeline.core.graphs import Graphs

ACTIVATIONS = frozenset(
    """Relu Clip LeakyRelu PRelu Sigmoid HardSigmoid HardSwish Elu Selu Softplus Tanh Erf Gelu Swish
    Mish""".split()  # noqa: SIM905
)
NORMS = frozenset({"BatchNormalization"})
MERGES = frozenset({"Add", "Mul", "Sub", "Div"})  # fused into the producer of their last input
FREE = frozenset({"Input", "Flatten", "Reshape", "Squeeze", "Unsqueeze", "Identity", "Dropout"})  # no kernel
CONVOLUTIONS = ("Conv", "ConvTranspose", "ConvInteger", "QLinearConv")
IN_8_BITS, GROUPED = "8-bit ", "grouped "  # before the name of a kind
TO_INTEGERS, FROM_INTEGERS = "QuantizeLinear", "DequantizeLinear"
SUMMED = ("flops", "params", "memory_bytes")
ROOT = ("in_channels", "kernel_shape_0", "kernel_shape_1", "strides_0", "group", "has_bias")
RIDGE = 1e-3
LANES = 16  # channels that runtimes compute together: a vector of AVX-512 in float32
FOLLOWERS = (ACTIVATIONS, NORMS, MERGES)


@dataclass(frozen=True)
class Kernels:
    """All kernels of n graphs. ``graph``: (kernels,). ``kind``: (kernels,), ids into ``kinds``. ``x``: (kernels, F)."""

    graph: np.ndarray
    kind: np.ndarray
    kinds: tuple[str, ...]
    x: np.ndarray


def find(graphs: Graphs, padded: bool = False) -> Kernels:
    """Cut every graph into kernels.

    An activation or normalisation is fused into its producer, and an elementwise operation of two inputs into the
    producer of the later one, where that producer has no other consumer. A kernel is named after its first operation, a
    grouped convolution apart; its features are that operation's settings, the output shape, the costs summed over
    the kernel, and how many activations, normalisations and elementwise operations were fused in. ``padded``: the last
    feature are the FLOPs at channels that fill vectors (`padding`), summed.
    """
    src, dst = edge_nodes(graphs)
    op, n, vocab = graphs.op.numpy(), len(graphs.op), graphs.vocab
    of_kind = [np.array([name in names for name in vocab])[op] for names in FOLLOWERS]
    consumers = np.bincount(src, minlength=n)
    producer = np.full(n, -1)
    np.maximum.at(producer, dst, src)  # the latest one
    inputs = np.bincount(dst, minlength=n)
    free = np.array([name in FREE for name in vocab])[op]
    follows = ((of_kind[0] | of_kind[1]) & (inputs == 1)) | (of_kind[2] & (inputs >= 1))
    fused = follows & (producer >= 0) & (consumers[producer] == 1) & ~free[producer]
    root = np.where(fused, producer, np.arange(n))
    while not np.array_equal(root, root[root]):  # pointer jumping, log2(longest chain) steps
        root = root[root]
    heads = np.flatnonzero((root == np.arange(n)) & ~free)
    position = np.full(n, -1)
    position[heads] = np.arange(len(heads))
    of_kernel, members = position[root], position[root] >= 0

    def summed(values: np.ndarray) -> np.ndarray:
        return np.bincount(of_kernel[members], values[members].astype(np.float64), minlength=len(heads))

    attrs = {name: graphs.attrs[:, graphs.attr_names.index(name)].numpy() for name in (*SUMMED, *ROOT)}
    columns = [attrs[name][heads] for name in ROOT]
    columns += list(graphs.out_shape[:, :4].numpy()[heads].T)
    columns += [np.log1p(summed(attrs[name])) for name in SUMMED]
    columns += [summed(kind & fused) for kind in of_kind]
    if padded:
        columns.append(np.log1p(summed(attrs["flops"] * padding(graphs))))
    kind, kinds = node_kinds(graphs)
    graph = np.searchsorted(graphs.node_ptr.numpy(), heads, side="right") - 1
    return Kernels(graph, kind[heads], kinds, np.stack(columns, 1).astype(np.float64))


def basis(x: np.ndarray, padded: bool = False) -> np.ndarray:
    """What a kernel's cost is first attributed by: one a kernel, FLOPs, bytes, FLOPs ``padded``, (kernels, 3 or 4)."""
    first = len(ROOT) + 4
    logs = [x[:, first], x[:, first + 2], *([x[:, -1]] if padded else [])]
    return np.stack([np.ones(len(x)), *map(np.expm1, logs)], 1)


def padding(graphs: Graphs) -> np.ndarray:
    """How much more a convolution computes when channels fill vectors of ``LANES``; 1 of other nodes, (nodes,).

    Output channels are padded, and input channels where one group has at least ``LANES`` of them: narrower inputs,
    images, are taken as they come.
    """
    names = graphs.attr_names.index
    in_channels, group = graphs.attrs[:, names("in_channels")], graphs.attrs[:, names("group")]
    out_channels = torch.where(group > 0, graphs.out_shape[:, 1], LANES)  # a group of 0: no convolution
    in_channels = torch.where((group == 1) & (in_channels >= LANES), in_channels, LANES)
    return (_filled(out_channels) * _filled(in_channels)).numpy()


def _filled(channels: Tensor) -> Tensor:
    return (channels.double() / LANES).ceil() * LANES / channels


def node_kinds(graphs: Graphs) -> tuple[np.ndarray, tuple[str, ...]]:
    """What every node of networks is, (nodes,) ids into names: its operation, a grouped convolution apart, and apart
    what reads nothing but 8-bit integers, which runtimes compute with (QuantizeLinear writes such)."""
    op, vocab, n = graphs.op.numpy(), graphs.vocab, len(graphs.op)
    group = graphs.attrs[:, graphs.attr_names.index("group")].numpy()
    kinds, names = op.copy(), [*vocab, *(f"{GROUPED}{name}" for name in CONVOLUTIONS)]
    for place, name in enumerate(CONVOLUTIONS):
        if name in vocab:
            kinds[(op == vocab.index(name)) & (group > 1)] = len(vocab) + place
    if FROM_INTEGERS in vocab:
        src, dst = edge_nodes(graphs)
        reads = np.bincount(dst, minlength=n)
        in_8_bits = (reads > 0) & (np.bincount(dst, op[src] == vocab.index(FROM_INTEGERS), n) == reads)
        in_8_bits &= op != (vocab.index(TO_INTEGERS) if TO_INTEGERS in vocab else -1)
        kinds = np.where(in_8_bits, kinds + len(names), kinds)
        names += [f"{IN_8_BITS}{name}" for name in names]
    return kinds, tuple(names)


def edge_nodes(graphs: Graphs) -> tuple[np.ndarray, np.ndarray]:
    """Source and destination of every edge among the nodes of all graphs, (edges,) each."""
    start = np.repeat(graphs.node_ptr[:-1].numpy(), graphs.edge_ptr.diff().numpy())
    return graphs.src.numpy() + start, graphs.dst.numpy() + start


def linear_costs(values: np.ndarray, kind: np.ndarray, kinds: int, graph: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Weights of ``values`` for each kind of item, (kinds, k), none below zero, 0 for a kind that never comes.

    ``values`` (items, k), ``kind`` and ``graph`` (items,): summed over the items of a graph, weight times value fits
    the graphs' costs ``y`` (n,) best by relative error. Squared weights are penalised by ``RIDGE``, 1 being the weight
    at which that value of all kinds would cost what the graphs cost: what the graphs hardly show stays cheap.
    """
    from scipy.optimize import nnls  # half a second to import, and predicting needs none

    present, number = np.unique(kind, return_inverse=True)
    design = np.zeros((len(y), len(present), values.shape[1]))
    np.add.at(design, (graph, number), values)
    design /= y[:, None, None]
    share = design.sum(1).mean(0)  # of a graph's cost, at a weight of one
    share[share == 0] = 1
    design = (design / share).reshape(len(y), -1)
    rows = np.concatenate([design, np.sqrt(RIDGE) * np.eye(design.shape[1])])
    cost = np.concatenate([np.ones(len(y)), np.zeros(design.shape[1])])
    weight = nnls(rows, cost, maxiter=50 * design.shape[1])[0]
    found = np.zeros((kinds, values.shape[1]))
    found[present] = weight.reshape(len(present), -1) / share
    return found
