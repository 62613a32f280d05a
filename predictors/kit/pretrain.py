"""Pre-training without labels: a model first learns to tell the statistics of cells, which cost nothing to compute."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor, nn

from pipeline.core.graphs import Dense, Graphs
from predictors.kit.graph_statistics import graph_statistics
from predictors.kit.pool import mutated
from predictors.kit.train_loop import Recipe, inputs_at, train

CHANGES = 3  # tries to change a cell into another


class Statistics(nn.Module):
    """``body.represent`` (b, width), then a linear map to (b, n) statistics."""

    def __init__(self, body: nn.Module, width: int, n: int) -> None:
        super().__init__()
        self.body, self.head = body, nn.Linear(width, n)

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.head(self.body.represent(*inputs))


def pretrained(
    body: nn.Module, width: int, cells: Graphs, n: int, encode: Callable[[Graphs], tuple], recipe: Recipe, seed: int
) -> nn.Module:
    """``body`` after it learned the standardised `graph_statistics` of ``n`` changed copies of ``cells``.

    ``body.represent`` takes what ``encode`` makes of cells and gives (b, ``width``). No label and no other cell of the
    data set is seen.
    """
    changed = as_graphs(mutated(cells.dense(), n, CHANGES, torch.Generator().manual_seed(seed)), cells)
    targets = graph_statistics(changed)
    spread = targets.std(0)
    targets = ((targets - targets.mean(0)) / spread)[:, spread > 0].float()
    inputs = encode(changed)
    model = Statistics(body, width, targets.shape[1]).to(inputs[0].device)
    recipe = replace(recipe, loss="mse")
    return train(model, partial(inputs_at, inputs), targets.to(inputs[0].device), recipe, seed).body


def as_graphs(dense: Dense, source: Graphs) -> Graphs:
    """Padded cells end to end, with the vocabulary of ``source`` and no cost."""
    n, counts = len(dense.op), dense.mask.sum(1)
    graph, src, dst = dense.adj.nonzero(as_tuple=True)
    unknown, zero = torch.full((n,), float("nan")), torch.zeros(1, dtype=torch.long)
    op = dense.op[dense.mask]
    return replace(
        source,
        platform=torch.zeros(n, dtype=torch.long),
        graph_id=torch.arange(n),
        iso=torch.arange(n),
        flops=unknown,
        macs=unknown,
        params=unknown,
        node_ptr=torch.cat([zero, counts.cumsum(0)]),
        op=op,
        attrs=source.attrs.new_zeros(len(op), 0),
        out_shape=source.out_shape.new_zeros(len(op), 0),
        edge_ptr=torch.cat([zero, torch.bincount(graph, minlength=n).cumsum(0)]),
        src=src,
        dst=dst,
    )
