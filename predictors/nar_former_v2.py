"""NAR-Former V2 (Yi et al., NeurIPS 2023, arXiv 2306.10792): attention that an adjacency matrix gates, grouped FFN."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipeline.core.errors import BenchError
from predictors.kit.graph_neural import GraphPredictor, Heads, sum_nodes
from predictors.kit.layers import dropout
from predictors.kit.ragged import Batch, Hop
from predictors.kit.train_loop import Recipe

LAYER_SCALE = 1e-4


class GraphAttention(nn.Module):
    """Graph-aided attention: a_ij = A_ij s_i . s_j / sum_j (...), s = sigmoid(W x); x -> normalise(W_l a x + W_r x).

    No softmax: a node mixes in its children alone (A_ij = 1 for an edge i -> j), weighted by likeness.
    """

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.likeness = nn.Linear(n_in, n_in)
        self.heard, self.own = nn.Linear(n_in, n_out), nn.Linear(n_in, n_out, bias=False)

    def forward(self, x: Tensor, hop: Hop) -> Tensor:
        ((target, source),), n = hop.pairs, len(hop.own_row)
        s = self.likeness(x).sigmoid()
        score = (s[hop.own_row[target]] * s[source]).sum(-1) * x.shape[1] ** -0.5  # (pairs,), positive
        total = score.new_zeros(n).index_add_(0, target, score) + 1e-6
        weighted = (score / total[target])[:, None] * x[source]
        mixed = x.new_zeros(n, x.shape[1]).index_add_(0, target, weighted)
        return F.normalize(self.heard(mixed) + self.own(x)[hop.own_row], dim=-1)


class GroupedFFN(nn.Module):
    """LN, then two grouped linear layers with a ReLU between: group g of the input feeds group g of the output."""

    def __init__(self, dim: int, ratio: int, groups: int, dropout: float) -> None:
        super().__init__()
        self.norm, self.dropout, d = nn.LayerNorm(dim), dropout, dim // groups
        self.up = nn.Parameter(nn.init.xavier_uniform_(torch.empty(groups, d, ratio * d)))
        self.down = nn.Parameter(nn.init.xavier_uniform_(torch.empty(groups, ratio * d, d)))
        self.up_bias = nn.Parameter(torch.zeros(groups, 1, ratio * d))
        self.down_bias = nn.Parameter(torch.zeros(groups, 1, d))

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(x).view(len(x), len(self.up), -1).transpose(0, 1)  # (groups, rows, dim / groups)
        y = dropout(F.relu(torch.baddbmm(self.up_bias, y, self.up)), self.dropout, self.training)
        y = torch.baddbmm(self.down_bias, y, self.down).transpose(0, 1).reshape(x.shape)
        return dropout(y, self.dropout, self.training)


class NARFormerV2(nn.Module):
    """A batch of graphs -> (b,). Networks: sum over the nodes after the last layer, joined with static features.
    Cells: the mean over nodes after every layer, weighted by a gate that sees them all."""

    def __init__(self, n_node: int, n_static: int, platforms: int, c: Predictor.Config, cost: bool) -> None:
        super().__init__()
        self.c = c
        sizes = [n_node] + [c.dim] * c.layers
        self.attention = nn.ModuleList(GraphAttention(a, b) for a, b in zip(sizes[:-1], sizes[1:], strict=True))
        self.ffn = nn.ModuleList(GroupedFFN(c.dim, c.ffn_ratio, c.groups, c.dropout) for _ in range(c.layers))
        self.scale = nn.ParameterList(torch.full((c.dim,), LAYER_SCALE) for _ in range(c.layers))
        self.static = nn.Linear(n_static, c.dim) if n_static else None
        if not n_static:
            wide = c.layers * c.dim
            self.gate = nn.Sequential(nn.Linear(wide, wide // 4), nn.ReLU(), nn.Linear(wide // 4, c.layers))
        self.heads = Heads(c.dim * (2 if n_static else 1), (c.dim, c.dim), platforms, cost, c.dropout)

    def forward(self, batch: Batch) -> Tensor:
        x, layers = batch.x, []
        for step, (attention, ffn, scale) in enumerate(zip(self.attention, self.ffn, self.scale, strict=True), start=1):
            x = dropout(F.relu(attention(x, batch.hops[step - 1])), self.c.dropout, self.training)
            x = x + scale * ffn(x)
            if self.static is None:
                count = torch.bincount(batch.graph, minlength=len(batch))[:, None]
                layers.append(sum_nodes(x, batch, step) / count)
        if self.static is not None:
            static = dropout(F.relu(self.static(batch.static)), self.c.dropout, self.training)
            return self.heads(torch.cat([sum_nodes(x, batch), static], 1), batch.platform)
        weight = self.gate(torch.cat(layers, 1)).sigmoid()  # (b, layers)
        return self.heads((torch.stack(layers, 1) * weight[..., None]).sum(1), batch.platform)


class Predictor(GraphPredictor):
    """Presets ``paper`` (networks: 2 layers of 512, mean squared relative error) and ``paper_accuracy`` (cells: 6 such
    layers, MSE plus 0.1 times the differences of pairs).

    Departures: nodes of cells carry their operation alone, where the paper adds sinusoidal codes of positions; networks
    carry the same 192 features as NN-Former's (the paper's code leaves out some); AdamW and a cosine schedule; no
    consistency loss over two drawings of a cell, as this form sees no drawing. The default is smaller, without dropout
    and with averaged weights.
    """

    features = "nn_former"

    @dataclass(frozen=True)
    class Config(Recipe):
        """``groups``: of the feed-forward; they must divide ``dim``."""

        layers: int = 2
        dim: int = 128
        ffn_ratio: int = 4
        groups: int = 8
        dropout: float = 0.0
        loss: str = "mse+0.1*pair_l1"
        cost_loss: str = "mspe"
        steps: int = 3000
        batch_size: int = 32
        lr: float = 1e-3
        grad_clip: float = 5.0

    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "paper": {"dim": 512, "dropout": 0.05, "epochs": 50, "batch_size": 16, "ema": 0.0, "grad_clip": 0.0},
        "paper_accuracy": {"layers": 6, "dim": 512, "dropout": 0.05, "epochs": 3000, "batch_size": 128, "lr": 1e-4},
    }

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        if self.config.dim % self.config.groups:
            raise BenchError(f"nar_former_v2: {self.config.groups} groups do not divide dim {self.config.dim}")

    @property
    def folds(self) -> bool:
        return self.config.dropout == 0

    @property
    def hops(self) -> tuple[tuple[str, ...], ...]:
        return (("adj",),) * self.config.layers

    def build_module(self, n_node: int, n_static: int, platforms: int) -> nn.Module:
        return NARFormerV2(n_node, n_static, platforms, self.config, self.task == "cost")
