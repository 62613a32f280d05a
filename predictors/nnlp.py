"""NNLP (Liu et al., NNLQP, ICPP 2022): GraphSAGE over a network's operations, their sum, one head a platform."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from predictors.kit.graph_neural import GraphPredictor, Heads, gather_sum, sum_nodes
from predictors.kit.layers import dropout
from predictors.kit.ragged import Batch, Hop
from predictors.kit.train_loop import Recipe


class SAGE(nn.Module):
    """x -> normalise(W [mean of the neighbours' x] + b + W_own x) (GraphSAGE, Hamilton et al. 2017)."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.own, self.heard = nn.Linear(n_in, n_out), nn.Linear(n_in, n_out, bias=False)

    def forward(self, x: Tensor, hop: Hop) -> Tensor:
        (pairs,), n = hop.pairs, len(hop.own_row)
        count = torch.bincount(pairs[0], minlength=n).clamp(min=1)[:, None]
        if x.shape[1] > self.own.out_features:
            return F.normalize(self.own(x)[hop.own_row] + gather_sum(self.heard(x), pairs, n) / count, dim=-1)
        return F.normalize(self.own(x[hop.own_row]) + self.heard(gather_sum(x, pairs, n) / count), dim=-1)


class NNLP(nn.Module):
    """A batch of networks -> (b,)."""

    def __init__(self, n_node: int, n_static: int, platforms: int, width: int, dropout: float, cost: bool) -> None:
        super().__init__()
        self.layers = nn.ModuleList([SAGE(n_node, width), SAGE(width, width)])
        self.heads = Heads(width + n_static, (width, width), platforms, cost, dropout)
        self.dropout = dropout

    def forward(self, batch: Batch) -> Tensor:
        x = batch.x  # (rows, 44)
        for layer, hop in zip(self.layers, batch.hops, strict=True):
            x = dropout(F.relu(layer(x, hop)), self.dropout, self.training)
        return self.heads(torch.cat([sum_nodes(x, batch), batch.static], 1), batch.platform)


class Predictor(GraphPredictor):
    """Two layers, 44 features a node and 4 a graph, heads of two hidden layers. Messages run both ways along the edges,
    as in the released code; the loss is the mean squared relative error.

    Preset ``paper``: the released width (512), dropout, 50 epochs in batches of 16 and Adam at a fixed 1e-3.
    Departures: latencies are divided by their geometric mean first; the graph's four features go to the head as they
    are (released for one platform: through a linear layer of 512); the epoch is not picked on test data. The default is
    a quarter as wide, without dropout, with a cosine schedule, decay and averaged weights. Several platforms: a head
    each; transfer to a new one: see `GraphPredictor`.
    """

    needs = frozenset({"attrs", "out_shape", "flops", "params"})

    @dataclass(frozen=True)
    class Config(Recipe):
        width: int = 128
        dropout: float = 0.0
        cost_loss: str = "mspe"
        steps: int = 8000
        batch_size: int = 16
        lr: float = 1e-3
        weight_decay: float = 1e-4
        grad_clip: float = 5.0

    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "paper": {
            "width": 512, "dropout": 0.05, "epochs": 50, "lr_floor": 1.0, "warmup": 0.0, "weight_decay": 0.0,
            "ema": 0.0, "grad_clip": 0.0,
        },
    }  # fmt: skip

    @property
    def folds(self) -> bool:
        return self.config.dropout == 0

    @property
    def hops(self) -> tuple[tuple[str, ...], ...]:
        return (("both",),) * 2

    def build_module(self, n_node: int, n_static: int, platforms: int) -> nn.Module:
        return NNLP(n_node, n_static, platforms, self.config.width, self.config.dropout, self.task == "cost")
