"""Unlabelled cells made by small changes of the training cells, for predictors that learn from cells without labels."""

from __future__ import annotations

import torch
from torch import Tensor

from pipeline.core.graphs import Dense
from predictors.kit.encodings import shortest_paths


def mutated(dense: Dense, n: int, changes: int, generator: torch.Generator) -> Dense:
    """``n`` cells, each a random one of ``dense`` after ``changes`` tries to change an operation and an edge.

    A node between the first and the last takes another operation of those that such nodes have in ``dense``. An edge
    i -> j with i < j comes or goes, if every node then still lies on a path from the first node to the last. Nothing
    but ``dense`` is looked at.
    """
    pick = torch.randint(len(dense.op), (n,), generator=generator)
    op, adj, mask = dense.op[pick].clone(), dense.adj[pick].clone(), dense.mask[pick]
    graph, size, inner = torch.arange(n), mask.sum(1), inner_nodes(mask)
    known = dense.op[inner_nodes(dense.mask)].unique()
    for _ in range(changes):
        if len(known):
            node = (torch.rand(mask.shape, generator=generator) + inner).argmax(1)
            new_op = known[torch.randint(len(known), (n,), generator=generator)]
            op[graph, node] = torch.where(inner[graph, node], new_op, op[graph, node])
        i = (torch.rand(n, generator=generator) * (size - 1)).long()
        j = i + 1 + (torch.rand(n, generator=generator) * (size - 1 - i)).long()
        changed = adj.clone()
        changed[graph, i, j] ^= size > 1
        fits = (on_a_path(changed, size) | ~mask).all(1)
        adj = torch.where(fits[:, None, None], changed, adj)
    return Dense(op, adj, mask)


def inner_nodes(mask: Tensor) -> Tensor:
    """Nodes between the first and the last of each graph, (n, N) bool."""
    place = torch.arange(mask.shape[1])
    return (place > 0) & (place < mask.sum(1, keepdim=True) - 1)


def on_a_path(adj: Tensor, size: Tensor) -> Tensor:
    """Nodes on a path from node 0 to node size - 1, (n, N) bool."""
    reach = shortest_paths(adj) >= 0
    return reach[:, 0] & reach[torch.arange(len(adj)), :, size - 1]
