"""NAR-Former V2 (Yi et al., NeurIPS 2023, arXiv 2306.10792): attention that an adjacency matrix gates, grouped FFN."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipeline.core.errors import BenchError
from pipeline.core.graphs import Graphs
from predictors.kit.graph_neural import GraphPredictor, Heads, sum_nodes
from predictors.kit.layers import dropout
from predictors.kit.ragged import Batch, Hop
from predictors.kit.train_loop import Recipe

LAYER_SCALE = 1e-4
PAPER = {"dim": 512, "dropout": 0.05, "weight_decay": 0.0, "ema": 0.0, "grad_clip": 0.0}


class GraphAttention(nn.Module):
    """Graph-aided attention: a_ij = A_ij s_i . s_j / sum_j (...), s = sigmoid(W x); x -> normalise(W_l a x + W_r x).

    No softmax: a node mixes in its neighbours alone (A_ij = 1 for an edge in either direction), weighted by likeness.
    Before, x is gated by the node's number of neighbours: x * sigmoid(W_d degree).
    """

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.degree, self.likeness = nn.Linear(1, n_in), nn.Linear(n_in, n_in)
        self.heard, self.own = nn.Linear(n_in, n_out), nn.Linear(n_in, n_out, bias=False)

    def forward(self, x: Tensor, degree: Tensor, hop: Hop) -> Tensor:
        """``x``: (m, n_in), ``degree``: (m, 1) before the hop -> (n, n_out) after it."""
        ((target, source),), n = hop.pairs, len(hop.own_row)
        x = x * self.degree(degree).sigmoid()
        s = self.likeness(x).sigmoid()
        score = (s[hop.own_row[target]] * s[source]).sum(-1) * x.shape[1] ** -0.5  # (pairs,), positive
        total = score.new_zeros(n).index_add_(0, target, score) + 1e-6
        weighted = (score / total[target])[:, None] * x[source]
        mixed = x.new_zeros(n, x.shape[1]).index_add_(0, target, weighted)
        return F.normalize(self.heard(mixed) + self.own(x)[hop.own_row], dim=-1)


class GroupedFFN(nn.Module):
    """LN, then two grouped linear layers with a ReLU between: group g of the input feeds group g of the output. Each
    ends in a LN within the groups."""

    def __init__(self, dim: int, ratio: int, groups: int, dropout: float) -> None:
        super().__init__()
        self.norm, self.dropout, d = nn.LayerNorm(dim), dropout, dim // groups
        self.up = nn.Parameter(nn.init.xavier_uniform_(torch.empty(groups, d, ratio * d)))
        self.down = nn.Parameter(nn.init.xavier_uniform_(torch.empty(groups, ratio * d, d)))
        self.up_bias = nn.Parameter(torch.zeros(groups, 1, ratio * d))
        self.down_bias = nn.Parameter(torch.zeros(groups, 1, d))
        self.up_norm, self.down_norm = nn.LayerNorm(ratio * d), nn.LayerNorm(d)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(x).view(len(x), len(self.up), -1).transpose(0, 1)  # (groups, rows, dim / groups)
        y = F.relu(self.up_norm(torch.baddbmm(self.up_bias, y, self.up)))
        y = self.down_norm(torch.baddbmm(self.down_bias, dropout(y, self.dropout, self.training), self.down))
        return dropout(y.transpose(0, 1).reshape(x.shape), self.dropout, self.training)


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
        first, *hops = batch.hops  # the first only tells nodes apart that have the same features and other degrees
        x, degree = batch.x[first.own_row], torch.bincount(first.pairs[0][0], minlength=len(first.own_row))
        degree, layers = degree.to(x.dtype)[:, None], []
        for i, hop in enumerate(hops):
            x = dropout(F.relu(self.attention[i](x, degree, hop)), self.c.dropout, self.training)
            x, degree = x + self.scale[i] * self.ffn[i](x), degree[hop.own_row]
            if self.static is None:
                count = torch.bincount(batch.graph, minlength=len(batch))[:, None]
                layers.append(sum_nodes(x, batch, i + 2) / count)
        if self.static is not None:
            static = dropout(F.relu(self.static(batch.static)), self.c.dropout, self.training)
            return self.heads(torch.cat([sum_nodes(x, batch), static], 1), batch.platform)
        weight = self.gate(torch.cat(layers, 1)).sigmoid()  # (b, layers)
        return self.heads((torch.stack(layers, 1) * weight[..., None]).sum(1), batch.platform)


class Predictor(GraphPredictor):
    """Presets ``paper``: the released run on NAS-Bench-201: 6 layers of 512, accuracies as fractions by their relative
    error, 0.1 times the differences of pairs, each sample in two passes that shall agree, 1000 epochs in batches of 8;
    ``paper_latency``: that on networks: 2 layers of 512, relative error, 50 epochs in batches of 16.

    Departures: nodes of cells carry their operation alone, where the release adds codes of their places, and its two
    passes are of two drawings of a cell (here dropout alone tells them apart); dead operations are no nodes; the
    differences of pairs are of logarithms; the rate falls along a cosine, there along a line; no 200 further labels to
    pick an epoch by. Networks carry the same 192 features as NN-Former's (released: 152). The default is smaller,
    without dropout, learns the order of cells by pairs, and averages its weights.
    """

    features = "nn_former"

    @dataclass(frozen=True)
    class Config(Recipe):
        """``groups``: of the feed-forward; they must divide ``dim``. ``relative``: accuracies are learned as logarithms
        of fractions, of which the loss ``mspe`` is the relative error."""

        layers: int = 2
        dim: int = 128
        ffn_ratio: int = 4
        groups: int = 8
        dropout: float = 0.0
        relative: bool = False
        loss: str = "hinge"
        cost_loss: str = "mspe"
        steps: int = 3000
        batch_size: int = 32
        lr: float = 1e-3
        grad_clip: float = 5.0

    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "paper": {
            **PAPER, "layers": 6, "relative": True, "loss": "mspe+0.1*pair_l1", "consistency": 0.5, "epochs": 1000,
            "batch_size": 8, "lr": 1e-4,
        },
        "paper_latency": {**PAPER, "epochs": 50, "batch_size": 16},
    }  # fmt: skip

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        if self.config.dim % self.config.groups:
            raise BenchError(f"nar_former_v2: {self.config.groups} groups do not divide dim {self.config.dim}")

    @property
    def folds(self) -> bool:
        return self.config.dropout == 0

    @property
    def hops(self) -> tuple[tuple[str, ...], ...]:
        return (("both",),) * (self.config.layers + 1)

    def build_module(self, n_node: int, n_static: int, platforms: int) -> nn.Module:
        return NARFormerV2(n_node, n_static, platforms, self.config, self.task == "cost" or self.config.relative)

    def _scale(self, y: Tensor, mean: float, std: float) -> Tensor:
        return (y / 100).log().float() if self._is_relative else super()._scale(y, mean, std)

    def predict(self, graphs: Graphs) -> Tensor:
        return 100 * super().predict(graphs).exp() if self._is_relative else super().predict(graphs)

    def standardise(self, y: Tensor) -> tuple[float, float]:
        return (0.0, 1.0) if self._is_relative else super().standardise(y)

    @property
    def _is_relative(self) -> bool:
        return self.config.relative and self.task == "accuracy"
