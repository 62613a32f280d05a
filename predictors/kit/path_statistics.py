"""Statistics of the paths from a cell's input to its output, with operations that hand their input on left out."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor

from pipeline.core.graphs import Graphs

ENDS = ("input", "output", "Input")
IDENTITY = ("skip_connect", "identity", "Identity")
MOST = 4  # operations: up to here every subset has its statistics, beyond it single operations and all together
PORTION = 4096  # graphs at once


def subsets(vocab: tuple[str, ...]) -> list[tuple[int, ...]]:
    """Sets of operations that compute something, as ids: every one, or single ones and all of them."""
    ops = [o for o, name in enumerate(vocab) if name not in ENDS + IDENTITY]
    if len(ops) > MOST:
        return [*((o,) for o in ops), tuple(ops)]
    return [s for k in range(1, len(ops) + 1) for s in itertools.combinations(ops, k)]


def path_statistics(graphs: Graphs) -> Tensor:
    """How many paths there are, then `of_subset` for each of the `subsets` of the vocabulary, (n, 1 + 5 S) float64."""
    return torch.cat([_portion(graphs[i : i + PORTION]) for i in range(0, len(graphs), PORTION)])


def _portion(graphs: Graphs) -> Tensor:
    dense = graphs.dense()
    last = graphs.n_nodes - 1
    parts = []
    for chosen in subsets(graphs.vocab):
        counted = torch.isin(dense.op, torch.tensor(chosen)) & dense.mask
        paths = lengths_of_paths(dense.adj, counted, last)
        parts += [] if parts else [paths.sum(1, keepdim=True)]
        parts.append(of_subset(paths))
    return torch.cat(parts, 1)


def lengths_of_paths(adj: Tensor, counted: Tensor, last: Tensor) -> Tensor:
    """Paths from node 0 to node ``last`` (n,) by how many ``counted`` (n, N) nodes they have, (n, N + 1) float64.

    ``adj``: (n, N, N), edges i -> j with i < j.
    """
    n, size = counted.shape
    paths = torch.zeros(n, size, size + 1, dtype=torch.float64)
    paths[:, 0, 0] = 1
    for node in range(1, size):
        here = (adj[:, :node, node].double()[:, None] @ paths[:, :node])[:, 0]
        longer = torch.cat([torch.zeros(n, 1, dtype=torch.float64), here[:, :-1]], 1)
        paths[:, node] = torch.where(counted[:, node, None], longer, here)
    return paths[torch.arange(n), last]


def of_subset(paths: Tensor) -> Tensor:
    """Of paths (n, K) by number of operations: the most, the fewest (-1 without a path), operations of all paths
    together, paths with none, and with two or more, (n, 5)."""
    k = torch.arange(paths.shape[1], dtype=torch.float64)
    there = paths > 0
    most = torch.where(there, k, -1.0).amax(1)
    fewest = torch.where(there, k, torch.inf).amin(1)
    fewest = torch.where(fewest.isinf(), -1.0, fewest)
    return torch.stack([most, fewest, paths @ k, paths[:, 0], paths[:, 2:].sum(1)], 1)
