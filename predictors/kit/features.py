"""Hand-made features of whole graphs, as (n, F) float64 matrices for models that take flat vectors."""

from __future__ import annotations

import torch
from torch import Tensor

from pipeline.core.graphs import Graphs


def op_counts(graphs: Graphs) -> Tensor:
    """How often each operation of the vocabulary occurs, (n, len(vocab))."""
    counts = torch.zeros(len(graphs), len(graphs.vocab), dtype=torch.float64)
    graph = torch.repeat_interleave(torch.arange(len(graphs)), graphs.n_nodes)
    ones = torch.ones(len(graph), dtype=torch.float64)
    return counts.index_put_((graph, graphs.op), ones, accumulate=True)


def flat_cells(graphs: Graphs, size: int) -> Tensor:
    """Operations (one-hot) and upper triangle of the adjacency, laid flat: (n, size * V + size * (size - 1) / 2).

    Nodes beyond ``size`` are cut off; padding is zero. Node order is the file's (topological).
    """
    n, n_ops = len(graphs), len(graphs.vocab)
    graph = torch.repeat_interleave(torch.arange(n), graphs.n_nodes)
    place = torch.arange(len(graphs.op)) - graphs.node_ptr[graph]
    kept = place < size
    one_hot = torch.zeros(n, size, n_ops, dtype=torch.float64)
    one_hot[graph[kept], place[kept], graphs.op[kept]] = 1
    edge_of = torch.repeat_interleave(torch.arange(n), graphs.edge_ptr.diff())
    inside = (graphs.src < size) & (graphs.dst < size)
    adj = torch.zeros(n, size, size, dtype=torch.float64)
    adj[edge_of[inside], graphs.src[inside], graphs.dst[inside]] = 1
    row, column = torch.triu_indices(size, size, offset=1)
    return torch.cat([one_hot.flatten(1), adj[:, row, column]], 1)


def standardise(x: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """(x - mean) / std, with columns that never vary left at zero."""
    return torch.where(std > 0, (x - mean) / std.clamp(min=1e-12), torch.zeros_like(x))


def normal_scores(z: Tensor) -> Tensor:
    """Normal quantiles of the mean ranks of ``z`` (n,), as float64."""
    below, upto = (torch.searchsorted(z.sort().values, z, right=right) for right in (False, True))
    return torch.special.ndtri(((below + upto) / 2).double() / len(z))
