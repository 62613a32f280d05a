"""The cell space of NAS-Bench-101 (Ying et al., ICML 2019): all its cells, and their numbers of parameters.

A cell has 2 to 7 vertices in topological order, the first the input, the last the output, at most 9 edges, one of OPS
on each inner vertex, and every vertex on a path from input to output. It is written as three numbers: `n` vertices,
`bits` with bit x + y (y - 1) / 2 for the edge from x to y, and `code`, the operations as digits in base 3, the first
one leading.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from itertools import combinations, permutations, product
from typing import NamedTuple

import numpy as np

from pipeline.spaces.cells import Cell

OPS = ("conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3")
MAX_VERTICES = 7
MAX_EDGES = 9
N_CELLS = 423_624
BY_VERTICES = {2: 1, 3: 6, 4: 84, 5: 2_441, 6: 62_010, 7: 359_082}

# The network around the cells: a 3x3 convolution, three stacks of three cells, ten classes; channels double by stack.
STEM_CHANNELS, STACKS, CELLS_PER_STACK, CLASSES = 128, 3, 3, 10
KERNEL_AREA = np.array([9, 1, 0])  # of OPS


class Space(NamedTuple):
    """Cells as arrays (m,): vertices, edges and operations; see the module's docstring."""

    n: np.ndarray
    bits: np.ndarray
    code: np.ndarray


def enumerate_cells(max_vertices: int = MAX_VERTICES, progress: Callable[[str], None] = lambda text: None) -> Space:
    """One cell of each isomorphism class, sorted by (n, bits, code): the first of its class in that order.

    Two cells are one class if a permutation of the inner vertices takes edges and operations of one to the other's.
    Exact: graphs are compared by the smallest of their codes over all permutations, then, of those permutations that
    reach it, by the smallest code of the permuted operations.
    """
    parts = []
    for n in range(2, max_vertices + 1):
        bits, code, total = _classes(n)
        progress(f"{n} vertices: {len(bits):,} cells of {total:,} before isomorphic ones are left out")
        parts.append(Space(np.full(len(bits), n, dtype=np.uint8), bits, code))
    return Space(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _classes(n: int) -> tuple[np.ndarray, np.ndarray, int]:
    """Edges and operations of one cell a class with `n` vertices, and the number of cells, isomorphic ones included."""
    bits = np.arange(1 << n * (n - 1) // 2, dtype=np.uint32)
    bits = bits[np.bitwise_count(bits) <= MAX_EDGES]
    adj = adjacency(n, bits)
    whole = adj[:, :-1].any(2).all(1) & adj[:, :, 1:].any(1).all(1)  # each vertex but the last feeds one, and so on
    bits, adj = bits[whole], adj[whole]
    labellings = np.array(list(product(range(3), repeat=n - 2)), dtype=np.int64).reshape(3 ** (n - 2), n - 2)
    orders = np.array([(0, *inner, n - 1) for inner in permutations(range(1, n - 1))])  # vertex v goes to order[v]
    weights = 1 << (orders[:, :, None] * n + orders[:, None, :])  # (orders, n, n)
    codes = adj.reshape(len(adj), n * n).astype(np.int64) @ weights.reshape(len(orders), n * n).T
    graph = codes.min(1)
    digits = 3 ** np.arange(n - 3, -1, -1)
    code = np.full((len(adj), len(labellings)), len(labellings), dtype=np.int64)
    for order, reached in zip(orders, (codes == graph[:, None]).T, strict=True):
        permuted = labellings @ digits[order[1:-1] - 1]
        code[reached] = np.minimum(code[reached], permuted)
    _, graph = np.unique(graph, return_inverse=True)
    _, first = np.unique(graph[:, None] * len(labellings) + code, return_index=True)
    row, label = np.divmod(np.sort(first), len(labellings))
    return bits[row], label.astype(np.uint8), code.size


def adjacency(n: int, bits: np.ndarray) -> np.ndarray:
    """(m, n, n) bool, [i, x, y] where cell i has an edge from x to y, of `bits` (m,)."""
    adj = np.zeros((len(bits), n, n), dtype=bool)
    for target in range(n):
        for source in range(target):
            adj[:, source, target] = bits >> (source + target * (target - 1) // 2) & 1
    return adj


def operations(n: int, code: np.ndarray) -> np.ndarray:
    """(m, n - 2): positions in OPS of the inner vertices' operations, of `code` (m,)."""
    return code[:, None].astype(np.int64) // 3 ** np.arange(n - 3, -1, -1) % 3


@lru_cache(maxsize=1 << 16)
def edges_of(n: int, bits: int) -> tuple[tuple[int, int], ...]:
    """The edges (source, target) of one cell, sorted."""
    return tuple((x, y) for x, y in combinations(range(n), 2) if bits >> (x + y * (y - 1) // 2) & 1)


@lru_cache(maxsize=1 << 12)
def labels_of(n: int, code: int) -> tuple[str, ...]:
    """The operations of one cell, `input` and `output` included."""
    return ("input", *(OPS[code // 3**place % 3] for place in reversed(range(n - 2))), "output")


def cell(n: int, bits: int, code: int) -> Cell:
    """One cell as a graph of operations."""
    return Cell(labels_of(n, code), edges_of(n, bits))


def parameters(space: Space) -> np.ndarray:
    """Trainable parameters (m,) of the networks made of each cell.

    Section 2.2 of the paper: a stem, three stacks of three cells, a dense layer; convolutions have no bias, and batch
    normalisation a scale and an offset a channel. Edges from a cell's input are 1x1 projections. A division of channels
    that leaves a rest depends on the order of the vertices, so isomorphic cells may differ.
    """
    total = np.zeros(len(space.n), dtype=np.int64)
    for n in np.unique(space.n).tolist():
        rows = np.flatnonzero(space.n == n)
        total[rows] = _parameters(n, adjacency(n, space.bits[rows]), operations(n, space.code[rows]))
    return total


def _parameters(n: int, adj: np.ndarray, ops: np.ndarray) -> np.ndarray:
    """The same for cells of `n` vertices: `adj` (m, n, n), operations `ops` (m, n - 2)."""
    channels = STEM_CHANNELS
    total = np.full(len(adj), 9 * 3 * channels + 2 * channels)
    for stack in range(STACKS):
        for _ in range(CELLS_PER_STACK):
            out = STEM_CHANNELS << stack
            width = vertex_channels(n, adj, out)
            total += (KERNEL_AREA[ops] * width**2 + (KERNEL_AREA[ops] > 0) * 2 * width).sum(1)
            width = np.concatenate([width, np.full((len(adj), 1), out)], 1)
            total += (adj[:, 0, 1:] * (channels * width + 2 * width)).sum(1)
            channels = out
    return total + channels * CLASSES + CLASSES


def vertex_channels(n: int, adj: np.ndarray, out: int) -> np.ndarray:
    """Channels (m, n - 2) of the inner vertices of cells with `out` output channels.

    The vertices that feed the output share its channels, the first ones taking what is left over; any other vertex has
    as many as the widest it feeds.
    """
    feeds_output = adj[:, 1:-1, -1]
    n_feeding = np.maximum(feeds_output.sum(1, keepdims=True), 1)
    share, rest = out // n_feeding, out % n_feeding
    width = feeds_output * (share + (feeds_output.cumsum(1) <= rest))
    for vertex in range(n - 3, -1, -1):
        widest = (adj[:, vertex + 1, 1:-1] * width).max(1)
        width[:, vertex] = np.where(feeds_output[:, vertex], width[:, vertex], widest)
    return width
