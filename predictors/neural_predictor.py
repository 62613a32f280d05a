"""Neural Predictor (Wen et al., ECCV 2020, arXiv 1912.00848): graph convolutions along and against the data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

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

    The default learns the order by pairs, in more and larger steps. Preset ``paper``: its regressor: mean squared
    error, 300 epochs in batches of 10, 1e-4, without averaged weights. Squared errors weigh the worst cells most; what
    2,000 steps on them did to the order is in docs/predictors.md.
    Departures: of ``paper``, the classifier that first sorts out cells below an accuracy of 91 % is left out, as in
    later comparisons; decay is AdamW's, not added to the gradient; dropout in the head alone (the paper does not say
    where).
    """

    @dataclass(frozen=True)
    class Config(Recipe):
        width: int = 144
        layers: int = 3
        head: int = 128
        dropout: float = 0.1
        loss: str = "hinge"
        cost_loss: str = "l1"
        steps: int = 2000
        lr: float = 3e-3

    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "paper": {
            "loss": "mse", "epochs": 300, "batch_size": 10, "lr": 1e-4, "weight_decay": 1e-3, "warmup": 0.0, "ema": 0.0,
        },
    }  # fmt: skip

    def build(self, n_ops: int) -> nn.Module:
        c = self.config
        return GCN(n_ops, c.width, c.layers, c.head, c.dropout)

    def encode(self, dense: Dense) -> tuple[Tensor, ...]:
        return dense.op, normalised(dense.adj), normalised(dense.adj.mT), dense.mask
