"""NN-Former's latency model (Xu et al., CVPR 2025, section 4.2 and the released NNLQP code) over ONNX graphs.

The attention looks at pairs within a mask alone, as lists of pairs; a network of n nodes has a few n of them, not n^2.
Attention to all nodes (global) is padded instead.
"""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipeline.core.errors import BenchError
from pipeline.core.graphs import Graphs
from predictors.kit import cost_table
from predictors.kit.graph_neural import GraphPredictor, Heads, gather_sum, sum_nodes
from predictors.kit.layers import dropout
from predictors.kit.nn_former_settings import Settings
from predictors.kit.ragged import Batch, Hop, Ragged, Whole

LAYER_SCALE = 1e-4


def masked_attention(q: Tensor, k: Tensor, v: Tensor, hop: Hop) -> Tensor:
    """Each head is softmax(q k^T / sqrt(d)) v over its own pairs and the node itself. All (rows, heads, d).

    ``q`` of the rows after the hop, ``k`` and ``v`` of the rows before; head h takes relation h modulo their number.
    """
    kinds = [hop.pairs[head % len(hop.pairs)] for head in range(q.shape[1])]
    whole = [head for head, kind in enumerate(kinds) if isinstance(kind, Whole)]
    listed = [head for head, kind in enumerate(kinds) if not isinstance(kind, Whole)]
    if not whole:
        return over_pairs(q, k, v, hop.own_row, kinds).flatten(1)
    mixed = torch.empty_like(q)
    mixed[:, whole] = over_all(q[:, whole], k[:, whole], v[:, whole], kinds[whole[0]])
    if listed:
        pairs = [kinds[head] for head in listed]
        mixed[:, listed] = over_pairs(q[:, listed], k[:, listed], v[:, listed], hop.own_row, pairs)
    return mixed.flatten(1)


def over_pairs(q: Tensor, k: Tensor, v: Tensor, own_row: Tensor, kinds: list[tuple[Tensor, Tensor]]) -> Tensor:
    """Attention (rows, heads, d) of each head over the pairs of its kind and the node itself."""
    n, heads, d = q.shape
    target, source = [], []
    for head, (t, s) in enumerate(kinds):
        target += [t * heads + head, torch.arange(n, device=q.device) * heads + head]
        source += [s * heads + head, own_row * heads + head]
    target, source = torch.cat(target), torch.cat(source)  # (pairs,) positions in (rows * heads)
    score = (q.reshape(-1, d)[target] * k.reshape(-1, d)[source]).sum(-1) * d**-0.5  # (pairs,)
    with torch.no_grad():
        peak = score.new_full((n * heads,), -torch.inf).scatter_reduce_(0, target, score, "amax")
    weight = (score - peak[target]).exp()
    total = weight.new_zeros(n * heads).index_add_(0, target, weight)
    mixed = v.new_zeros(n * heads, d).index_add_(0, target, weight[:, None] * v.reshape(-1, d)[source])
    return (mixed / total[:, None]).view(n, heads, d)


def over_all(q: Tensor, k: Tensor, v: Tensor, whole: Whole) -> Tensor:
    """Attention (rows, heads, d) of every head over all nodes of the row's graph."""
    mixed = torch.empty_like(q)
    for rows, heard in zip(whole.rows, whole.heard, strict=True):
        parts = (t.transpose(0, 1)[None] for t in (q[rows], k[heard], v[heard]))  # each (1, heads, nodes, d)
        mixed[rows] = F.scaled_dot_product_attention(*parts)[0].transpose(0, 1)
    return mixed


class ASMA(nn.Module):
    """Adjacency-sibling multi-head attention over lists of pairs."""

    def __init__(self, c) -> None:
        super().__init__()
        self.heads, self.dropout = c.heads, c.dropout
        self.qkv = nn.Linear(c.dim, 3 * c.dim)
        self.out = nn.Linear(c.dim, c.dim)

    def forward(self, x: Tensor, hop: Hop) -> Tensor:
        q, k, v = self.qkv(x).view(len(x), 3, self.heads, -1).unbind(1)  # each (rows before, heads, d / heads)
        return dropout(self.out(masked_attention(q[hop.own_row], k, v, hop)), self.dropout, self.training)


class BGIFFN(nn.Module):
    """H = x W1 + [A (x Wg)_1 ; A^T (x Wg)_2], ReLU(H) W2; W1 and Wg are one product."""

    def __init__(self, c) -> None:
        super().__init__()
        hidden = c.ffn_ratio * c.dim
        self.hidden, self.dropout, self.kind = hidden, c.dropout, c.ffn
        self.up = nn.Linear(c.dim, hidden if c.ffn == "plain" else 2 * hidden, bias=False)
        self.bias = nn.Parameter(torch.zeros(hidden))
        self.down = nn.Linear(hidden, c.dim)

    def forward(self, x: Tensor, hop: Hop) -> Tensor:
        up, n = self.up(x), len(hop.own_row)
        h = up[:, : self.hidden][hop.own_row] + self.bias
        if self.kind != "plain":
            halves = up[:, self.hidden :].chunk(2, 1)
            h = h + torch.cat([gather_sum(u, pairs, n) for u, pairs in zip(halves, hop.pairs, strict=True)], 1)
        return dropout(self.down(dropout(F.relu(h), self.dropout, self.training)), self.dropout, self.training)


class Layer(nn.Module):
    """x + scale * f(LN(x)) for one hop."""

    def __init__(self, dim: int, f: nn.Module) -> None:
        super().__init__()
        self.norm, self.f = nn.LayerNorm(dim), f
        self.scale = nn.Parameter(torch.full((dim,), LAYER_SCALE))

    def forward(self, x: Tensor, hop: Hop) -> Tensor:
        return x[hop.own_row] + self.scale * self.f(self.norm(x), hop)


class NodeSum(nn.Module):
    """Sum over nodes of y + W2 ReLU(W1 y), y = LN(x) / 100. As W2 is linear, it is applied to the sums."""

    def __init__(self, c) -> None:
        super().__init__()
        self.norm, self.up, self.down = nn.LayerNorm(c.dim), nn.Linear(c.dim, 2 * c.dim), nn.Linear(2 * c.dim, c.dim)
        self.dropout = c.dropout

    def forward(self, x: Tensor, batch: Batch) -> Tensor:
        y = self.norm(x) * 0.01
        h = sum_nodes(dropout(F.relu(self.up(y)), self.dropout, self.training), batch)  # (b, 2 dim)
        count = torch.bincount(batch.graph, minlength=len(batch))
        return sum_nodes(y, batch) + F.linear(h, self.down.weight) + count[:, None] * self.down.bias


class LatencyModel(nn.Module):
    """A batch of networks -> (b,).

    With ``multiplies``, each node's share of what a table says that its network costs is multiplied by a factor above
    zero, learned from the node's vector; the answer is the logarithm of their sum.
    """

    def __init__(self, n_node: int, n_static: int, platforms: int, c, cost: bool, multiplies: bool = False) -> None:
        super().__init__()
        self.embed = nn.Linear(n_node, c.dim)
        layers = [Layer(c.dim, kind(c)) for _ in range(c.layers) for kind in (ASMA, BGIFFN)]
        self.layers = nn.ModuleList(layers)
        self.multiplies, self.dropout = multiplies, c.dropout
        if multiplies:
            self.norm, self.factor = nn.LayerNorm(c.dim), nn.Linear(c.dim, 1)
        else:
            self.reduce, self.static = NodeSum(c), nn.Linear(n_static, c.dim)
        self.apply(_initialise)
        if multiplies:
            nn.init.zeros_(self.factor.weight)  # at first the table alone answers
        else:
            self.heads = Heads(2 * c.dim, (c.dim,), platforms, cost, c.dropout)

    def forward(self, batch: Batch) -> Tensor:
        x = self.embed(batch.x)  # (rows, dim)
        for layer, hop in zip(self.layers, batch.hops, strict=True):
            x = layer(x, hop)
        if self.multiplies:
            factor = self.factor(self.norm(x)).exp()[batch.node_rows[-1], 0]  # (n,)
            return x.new_zeros(len(batch)).index_add_(0, batch.graph, batch.share * factor).clamp(min=1e-6).log()
        static = dropout(F.relu(self.static(batch.static)), self.dropout, self.training)
        return self.heads(torch.cat([self.reduce(x, batch), static], 1), batch.platform)


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


class Networks(GraphPredictor):
    """The latency model, with the settings of ``nn_former``.

    Departures from the released code: sums over nodes before the last linear layer, no bias inside the graph
    convolution of the feed-forward, cosine decay of the learning rate in place of linear. Positions (``laplacian``) and
    tokens belong to the accuracy model. With ``table`` and one platform the model multiplies the entries of a table of
    costs, node by node (`predictors.kit.cost_table`), in place of the sum over nodes, the static features and the head.
    """

    features = "nn_former"
    takes_tags: ClassVar[bool] = True
    Config = Settings

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        if self.config.laplacian:
            raise BenchError("nn_former: laplacian is for cells; leave it out for ONNX graphs")

    @property
    def folds(self) -> bool:
        return self.config.dropout == 0

    @property
    def hops(self) -> tuple[tuple[str, ...], ...]:
        c = self.config
        ways = {"both": ("adj", "adj_t"), "adj": ("adj", "adj"), "adj_t": ("adj_t", "adj_t"), "plain": ()}
        return (tuple(c.masks), ways[c.ffn]) * c.layers

    def build_module(self, n_node: int, n_static: int, platforms: int) -> nn.Module:
        return LatencyModel(n_node, n_static, platforms, self.config, self.task == "cost", "table" in self.notes)

    def fit(self, train_graphs: Graphs, y: Tensor, val: Graphs | None = None, y_val: Tensor | None = None) -> None:
        if self.task == "cost" and self.config.table and len(train_graphs.platforms) == 1:
            self.notes["table"] = cost_table.learn(train_graphs, y)
            y, y_val = cost_table.multiples(self.notes["table"], train_graphs, y, val, y_val)
        super().fit(train_graphs, y, val, y_val)

    def predict(self, graphs: Graphs) -> Tensor:
        ratio = super().predict(graphs)
        return ratio * cost_table.cost(self.notes["table"], graphs) if "table" in self.notes else ratio

    def _inputs(self, graphs: Graphs) -> Ragged:
        inputs = super()._inputs(graphs)
        if "table" in self.notes:
            inputs.shares = cost_table.shares(self.notes["table"], graphs).float()
        return inputs
