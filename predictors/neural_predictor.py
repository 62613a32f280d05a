"""Neural Predictor (Wen et al., ECCV 2020, arXiv 1912.00848): graph convolutions along and against the data."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipeline.core.graphs import Dense
from predictors.kit.layers import dropout
from predictors.kit.neural import NeuralPredictor
from predictors.kit.train_loop import Recipe


class BidirectionalGCN(nn.Module):
    """Mean of a pass along the edges and one against them, each row-normalised with a self loop (section 3.2)."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.along, self.against = nn.Linear(n_in, n_out), nn.Linear(n_in, n_out)

    def forward(self, x: Tensor, along: Tensor, against: Tensor) -> Tensor:
        return (F.relu(along @ self.along(x)) + F.relu(against @ self.against(x))) / 2


class GCN(nn.Module):
    """Operations (b, N) and normalised adjacency (b, N, N) both ways -> (b,)."""

    def __init__(self, n_ops: int, width: int, layers: int, head: int, dropout: float) -> None:
        super().__init__()
        self.n_ops, self.dropout = n_ops, dropout
        self.layers = nn.ModuleList(BidirectionalGCN(n_ops if i == 0 else width, width) for i in range(layers))
        self.hidden, self.out = nn.Linear(width, head), nn.Linear(head, 1)

    def forward(self, op: Tensor, along: Tensor, against: Tensor, mask: Tensor) -> Tensor:
        real = mask[..., None].float()
        x = F.one_hot(op, self.n_ops).float() * real
        for layer in self.layers:
            x = layer(x, along, against)
        x = (x * real).sum(1) / real.sum(1)
        x = dropout(F.relu(self.hidden(x)), self.dropout, self.training)
        return self.out(x).squeeze(-1)


def normalised(adj: Tensor) -> Tensor:
    """Rows of adjacency + self loop divided by their sum, (n, N, N) float32."""
    a = adj.float() + torch.eye(adj.shape[-1], device=adj.device)
    return a / a.sum(-1, keepdim=True)


class Predictor(NeuralPredictor):
    """Three layers of 144, mean over nodes, a two-layer head of 128, as in the paper's NAS-Bench-101 model.

    Departures: trained by mean squared error on standardised labels, without the paper's two-stage classifier that
    first sorts out the worst cells; 2000 steps at a batch of 32, with averaged weights.
    """

    @dataclass(frozen=True)
    class Config(Recipe):
        width: int = 144
        layers: int = 3
        head: int = 128
        dropout: float = 0.1
        steps: int = 2000
        batch_size: int = 32
        lr: float = 1e-3
        weight_decay: float = 0.001

    def build(self, n_ops: int) -> nn.Module:
        c = self.config
        return GCN(n_ops, c.width, c.layers, c.head, c.dropout)

    def encode(self, dense: Dense) -> tuple[Tensor, ...]:
        return dense.op, normalised(dense.adj), normalised(dense.adj.mT), dense.mask
