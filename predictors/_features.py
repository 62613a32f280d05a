"""Hand-made features of whole graphs, as (n, F) float64 matrices for models that take flat vectors."""

from __future__ import annotations

import torch
from torch import Tensor

from pipeline.data import Graphs


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
    dense = graphs.dense(max(size, int(graphs.n_nodes.max())))
    one_hot = torch.nn.functional.one_hot(dense.op, len(graphs.vocab)) * dense.mask[..., None]
    row, column = torch.triu_indices(size, size, offset=1)
    return torch.cat([one_hot[:, :size].flatten(1), dense.adj[:, row, column]], 1).double()


def standardise(x: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """(x - mean) / std, with columns that never vary left at zero."""
    return torch.where(std > 0, (x - mean) / std.clamp(min=1e-12), torch.zeros_like(x))
