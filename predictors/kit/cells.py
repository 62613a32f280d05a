"""Neural predictors of cells alone, and the encodings that transformers over cells take."""

from __future__ import annotations

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from pipeline.core.graphs import Graphs
from predictors.base import Unsupported
from predictors.kit.encodings import laplacian_encoding
from predictors.kit.neural import NeuralPredictor
from predictors.kit.padded import SMALL
from predictors.kit.train_loop import Recipe


class CellPredictor(NeuralPredictor):
    """A neural predictor of graphs of at most 32 nodes that carry their operation and nothing else."""

    def fit(self, train_graphs: Graphs, y: Tensor, val: Graphs | None = None, y_val: Tensor | None = None) -> None:
        """Learn from cells.

        Raises:
            Unsupported: graphs with attributes, or of more than 32 nodes.
        """
        require_cells(train_graphs)
        super().fit(train_graphs, y, val, y_val)

    def recipe(self, n: int) -> Recipe:
        """At most ``steps``, and no more than 200 and one a label: few labels are learned sooner."""
        recipe = super().recipe(n)
        return replace(recipe, steps=min(recipe.steps, 200 + n))


def require_cells(graphs: Graphs) -> None:
    """Raise `Unsupported` unless the graphs are cells."""
    if graphs.attrs.shape[1] or int(graphs.n_nodes.max()) > SMALL:
        raise Unsupported(f"it predicts cells: up to {SMALL} nodes, without attributes")


def shortest_paths(adj: Tensor) -> Tensor:
    """Edges on the shortest path i -> j along the data, (n, N, N) long: 0 for i = j, -1 where there is no path."""
    n = adj.shape[-1]
    distance = torch.full(adj.shape, -1, dtype=torch.long, device=adj.device)
    reach = torch.eye(n, dtype=torch.bool, device=adj.device).expand_as(adj)
    for step in range(n):
        distance = torch.where(reach & (distance < 0), step, distance)
        reach = (reach.float() @ adj.float()) > 0
        if not reach.any():
            break
    return distance


def laplacian_rows(adj: Tensor, width: int = SMALL) -> Tensor:
    """Row i of D - A with D the numbers of children, (n, N, width): zero beyond column N, cut off beyond ``width``."""
    a = adj.float()
    return F.pad(torch.diag_embed(a.sum(-1)) - a, (0, width - a.shape[-1]))


def eigenvectors(adj: Tensor, mask: Tensor, k: int) -> Tensor:
    """`laplacian_encoding` (n, N, k), each graph at its own size: equal eigenvalues leave the basis to the solver,
    whose choice would change with the padding."""
    sizes = mask.sum(1)
    encoding = torch.zeros(*mask.shape, k, device=adj.device)
    for size in sizes.unique().tolist():
        same_size = (sizes == size).nonzero()[:, 0]
        encoding[same_size, :size] = laplacian_encoding(adj[same_size, :size, :size], mask[same_size, :size], k)
    return encoding
