"""Which networks are like a network: a row of numbers for each, and distances between standardised rows.

The numbers are logarithms: FLOPs, parameters, memory traffic, nodes, edges, depth (operations on the longest path),
batch size, elements of one input, and how often each known operation occurs, all others in one column.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

SIZES = ("flops", "params", "memory_bytes", "nodes", "edges", "depth", "batch_size", "input_elements")
LEAST_SPREAD = 0.1  # of a column: values within a tenth of each other count as near even if training has but one value
CHUNK = 512


def columns(known_ops: Sequence[str]) -> tuple[str, ...]:
    """Names of the numbers of `row`."""
    return (*SIZES, *known_ops, "other operations")


def row(
    ops: Sequence[str],
    src: np.ndarray,
    dst: np.ndarray,
    input_shape: Sequence[int],
    costs: tuple[float, float, float],
    known_ops: Sequence[str],
) -> np.ndarray:
    """The numbers of one network, (len(columns),) float64.

    `ops`: an operation a node, in topological order; `src`, `dst`: edges, sorted by `src`; `input_shape`: of the first
    input, batch first (zeros behind its last dimension count for nothing); `costs`: FLOPs, parameters and bytes of
    memory traffic of the whole network.
    """
    flops, params, memory = costs
    batch = max(input_shape[0], 1) if len(input_shape) else 1
    elements = float(np.prod([size for size in input_shape[1:] if size > 0], dtype=np.float64))
    counts = Counter(ops)
    known = [counts.pop(op, 0) for op in known_ops]
    sizes = (flops, params, memory, len(ops), len(src), depth(len(ops), src, dst), batch, elements)
    return np.log1p(np.array([*sizes, *known, sum(counts.values())], dtype=np.float64))


def depth(n: int, src: np.ndarray, dst: np.ndarray) -> int:
    """Nodes on the longest path of a graph of `n` nodes in topological order; edges sorted by `src`."""
    length = [1] * n
    for i, j in zip(src.tolist(), dst.tolist(), strict=True):
        length[j] = max(length[j], length[i] + 1)
    return max(length, default=0)


@dataclass(frozen=True)
class Neighbours:
    """Rows (n, F) of the training networks, and what standardises them."""

    rows: np.ndarray
    mean: np.ndarray
    spread: np.ndarray

    @classmethod
    def from_rows(cls, rows: np.ndarray) -> Neighbours:
        """Of the training rows (n, F)."""
        rows = rows.astype(np.float64)
        return cls(rows, rows.mean(0), rows.std(0).clip(min=LEAST_SPREAD))

    def nearest(self, row: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Positions of the `k` nearest training networks (fewer where there are fewer), and their distances.

        A distance is the root mean square of the differences of standardised numbers.
        """
        distance = np.sqrt(np.square((self.rows - row) / self.spread).mean(1))
        order = np.argsort(distance, kind="stable")[:k]
        return order, distance[order]

    def distances(self, rows: np.ndarray) -> np.ndarray:
        """From each of many networks (k, F) to its nearest training network, (k,)."""
        own, asked = (np.asarray(part - self.mean) / self.spread for part in (self.rows, rows))
        square, found = np.square(own).sum(1), []
        for start in range(0, len(asked), CHUNK):
            chunk = asked[start : start + CHUNK]
            found.append((np.square(chunk).sum(1)[:, None] + square - 2 * chunk @ own.T).min(1))
        return np.sqrt(np.concatenate([np.empty(0), *found]).clip(min=0) / own.shape[1])
