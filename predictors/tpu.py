"""The learned TPU cost model (Kaufman et al., MLSys 2021, arXiv 2008.01040): GraphSAGE, then an LSTM over the nodes."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from predictors.kit.graph_neural import GraphPredictor, Heads, gather_sum
from predictors.kit.layers import dropout
from predictors.kit.ragged import Batch, Hop
from predictors.kit.train_loop import Recipe


class SAGE(nn.Module):
    """x -> normalise(f3([x ; mean of f2(x) over parents and children])) (section 3.2)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.message, self.update = nn.Linear(width, width), nn.Linear(2 * width, width)

    def forward(self, x: Tensor, hop: Hop) -> Tensor:
        n, message = len(hop.own_row), F.relu(self.message(x))
        heard = sum(gather_sum(message, pairs, n) for pairs in hop.pairs)
        count = sum(torch.bincount(to, minlength=n) for to, _ in hop.pairs)
        x = torch.cat([x[hop.own_row], heard / count.clamp(min=1)[:, None]], 1)
        return F.normalize(F.relu(self.update(x)), dim=-1)


class TPU(nn.Module):
    """A batch of networks -> (b,)."""

    def __init__(self, n_node: int, n_static: int, platforms: int, c: Predictor.Config, cost: bool) -> None:
        super().__init__()
        self.dropout = c.dropout
        self.embed = nn.Linear(n_node, c.width)
        self.layers = nn.ModuleList(SAGE(c.width) for _ in range(c.layers))
        self.sequence = nn.LSTM(c.width, c.width, batch_first=True)
        self.heads = Heads(c.width + n_static, (c.width,), platforms, cost, c.dropout)

    def forward(self, batch: Batch) -> Tensor:
        x = F.relu(self.embed(batch.x))
        for layer, hop in zip(self.layers, batch.hops, strict=True):
            x = dropout(layer(x, hop), self.dropout, self.training)
        x = x[batch.node_rows[-1]]  # (nodes, width), topological order within each graph
        counts = torch.bincount(batch.graph, minlength=len(batch)).cpu()
        padded = nn.utils.rnn.pad_sequence(x.split(counts.tolist()), batch_first=True)  # (b, N, width)
        packed = nn.utils.rnn.pack_padded_sequence(padded, counts, batch_first=True, enforce_sorted=False)
        _, (last, _) = self.sequence(packed)
        return self.heads(torch.cat([last[0], batch.static], 1), batch.platform)


class Predictor(GraphPredictor):
    """The paper's GraphSAGE with the LSTM reduction, trained by squared error of logarithms, as published for fusion.

    Departures: NNLP's node and static features in place of XLA's operation codes and scalar features; whole networks in
    place of fused kernels; two layers in place of three. As the LSTM reads nodes in the file's topological order,
    two drawings of one network may get two predictions.
    """

    needs = frozenset({"attrs", "out_shape", "flops", "params"})

    @dataclass(frozen=True)
    class Config(Recipe):
        width: int = 128
        layers: int = 2
        dropout: float = 0.0
        cost_loss: str = "mse"
        steps: int = 3000
        batch_size: int = 32
        lr: float = 1e-3
        grad_clip: float = 5.0

    @property
    def folds(self) -> bool:
        return self.config.dropout == 0

    @property
    def hops(self) -> tuple[tuple[str, ...], ...]:
        return (("adj", "adj_t"),) * self.config.layers

    def build_module(self, n_node: int, n_static: int, platforms: int) -> nn.Module:
        return TPU(n_node, n_static, platforms, self.config, self.task == "cost")
