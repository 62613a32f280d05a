"""Pre-training without labels: a model first learns to tell the statistics of cells, which cost nothing to compute."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from pipeline.core.graphs import Dense, Graphs
from predictors.kit.graph_statistics import graph_statistics
from predictors.kit.pool import mutated
from predictors.kit.proxies import scale_of, scaled
from predictors.kit.train_loop import Recipe, inputs_at, train

CHANGES = 3  # tries to change a cell into another


class Statistics(nn.Module):
    """A linear map to (b, n) statistics of what the last layer of ``body`` reads, (b, width)."""

    def __init__(self, body: nn.Module, inputs: tuple, n: int) -> None:
        super().__init__()
        self.body = body
        with torch.inference_mode():
            width = self.read(*inputs).shape[1]
        self.map = nn.Linear(width, n)

    def read(self, *inputs: Tensor) -> Tensor:
        """What the last layer reads of the inputs."""
        read: list[Tensor] = []
        hook = last_layer(self.body).register_forward_pre_hook(lambda _, arguments: read.append(arguments[0]))
        try:
            self.body(*inputs)
        finally:
            hook.remove()
        return read[0]

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.map(self.read(*inputs))


def last_layer(body: nn.Module) -> nn.Module:
    """What turns a module's representation of a graph into its answer: the last of its parts."""
    return list(body.children())[-1]


def changed_copies(cells: Graphs, n: int, seed: int) -> Graphs:
    """``n`` changed copies of ``cells``; no other cell of the data set is seen."""
    return as_graphs(mutated(cells.dense(), n, CHANGES, torch.Generator().manual_seed(seed)), cells)


def pretrained(body: nn.Module, cells: Graphs, encode: Callable[[Graphs], Any], recipe: Recipe, seed: int) -> nn.Module:
    """``body`` after what its last layer reads has learned to tell statistics of ``cells``, and proxies they have.

    Statistics are `graph_statistics`, standardised. ``encode`` makes of cells what ``body`` takes. No label is seen.
    """
    targets = graph_statistics(cells)
    if cells.proxies is not None:
        targets = torch.cat([targets, scaled(cells, scale_of(cells)).double()], 1)
    spread = targets.std(0)
    targets = ((targets - targets.mean(0)) / spread)[:, spread > 0].float()
    take = partial(inputs_at, encode(cells))
    device = next(body.parameters()).device
    model = Statistics(body, take(torch.arange(2, device=device)), targets.shape[1]).to(device)
    return train(model, take, targets.to(device), replace(recipe, loss="mse"), seed).body


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
        proxy_names=(),
        proxies=None,
        tag=None,
    )
