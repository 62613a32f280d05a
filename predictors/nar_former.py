"""NAR-Former (Yi et al., CVPR 2023, arXiv 2211.08024): tokens of what a node does, where it is and whom it hears."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipeline.core.errors import BenchError
from predictors.kit.attention import Block, FeedForward, as_bias
from predictors.kit.cells import CellPredictor
from predictors.kit.layers import Packing, softmax
from predictors.kit.padded import SMALL
from predictors.kit.train_loop import Recipe

LOSSES = {"loss": "mse+0.1*pair_l1", "consistency": 0.5}  # as published
QUERIES = (4, 2, 1)  # learned queries of the fusion stages


def sinusoids(first: int, last: int, width: int) -> Tensor:
    """Sines and cosines of ``first`` .. ``last`` at frequencies 1 / 10000^(2j / width), (last - first + 1, width)."""
    angle = torch.arange(first, last + 1)[:, None] / 10000 ** (torch.arange(0, width, 2) / width)
    return torch.cat([angle.sin(), angle.cos()], 1)


def random_order(adj: Tensor, mask: Tensor) -> Tensor:
    """A random topological order of each graph: node numbers by place, (b, N), padding last."""
    graph, n = torch.arange(len(mask), device=mask.device), mask.shape[1]
    left, parents = torch.ones_like(mask), adj.sum(1)
    order, draw = [], torch.rand(n, *mask.shape, device=mask.device)
    for step in range(n):
        ready = left & mask & (parents == 0)
        node = (draw[step] + 2.0 * ready + (left & ~mask) - 9.0 * ~left).argmax(1)
        order.append(node)
        parents = parents - adj[graph, node].long()
        left = left.scatter(1, node[:, None], False)
    return torch.stack(order, 1)


class Cross(nn.Module):
    """Queries (1 or b, m, dim) attend to x (b, n, dim); then a feed-forward with a residual."""

    def __init__(self, dim: int, heads: int, hidden: int, dropout: float, learned: bool) -> None:
        super().__init__()
        self.heads = heads
        self.norm, self.kv, self.out = nn.LayerNorm(dim), nn.Linear(dim, 2 * dim), nn.Linear(dim, dim)
        self.query = nn.Identity() if learned else nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, dim))
        self.ffn_norm, self.ffn = nn.LayerNorm(dim), FeedForward(dim, hidden, dropout)

    def forward(self, q: Tensor, x: Tensor, bias: Tensor | None = None) -> Tensor:
        b, n, d = x.shape
        k, v = self.kv(self.norm(x)).view(b, n, 2, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        q = self.query(q)
        q = q.view(len(q), -1, self.heads, d // self.heads).transpose(1, 2)
        score = k @ q.mT * (d // self.heads) ** -0.5  # (b, h, keys, queries)
        score = score if bias is None else score + bias.mT
        y = self.out((softmax(score, -2).mT @ v).transpose(1, 2).flatten(2))
        return y + self.ffn(self.ffn_norm(y))


class NARFormer(nn.Module):
    """Operations (b, N), adjacency (b, N, N) and real nodes (b, N) -> (b,)."""

    def __init__(self, n_ops: int, c: Predictor.Config) -> None:
        super().__init__()
        third, self.reorder = c.dim // 3, c.reorder
        self.register_buffer("operation", sinusoids(0, n_ops - 1, third), persistent=False)
        self.register_buffer("place", sinusoids(-1, SMALL - 1, third), persistent=False)
        self.register_buffer("size", sinusoids(0, SMALL, c.dim), persistent=False)
        self.depth = nn.Linear(c.dim, c.dim)
        hidden = c.ffn_ratio * c.dim
        self.blocks = nn.ModuleList(
            Block(c.dim, c.heads, c.dim // c.heads, hidden, c.dropout, pre=True) for _ in range(c.layers)
        )
        self.queries = nn.ParameterList(torch.randn(1, n, c.dim) for n in QUERIES)
        self.stages = nn.ModuleList(Cross(c.dim, c.heads, hidden, c.dropout, True) for _ in QUERIES)
        self.fuse = nn.ModuleList(Cross(c.dim, c.heads, hidden, c.dropout, False) for _ in QUERIES[1:])
        self.norm, self.head = nn.LayerNorm(c.dim), nn.Linear(c.dim, 1)

    def tokens(self, op: Tensor, adj: Tensor, mask: Tensor) -> Tensor:
        """Codes of (operation, own place, places of the parents summed; -1 for none), after a token of the size."""
        n = op.shape[1]
        source = adj.mT.float() @ self.place[1 : n + 1]
        source = torch.where(adj.any(1)[..., None], source, self.place[0])
        nodes = torch.cat([self.operation[op], self.place[1 : n + 1].expand(len(op), -1, -1), source], -1)
        return torch.cat([F.relu(self.depth(self.size[mask.sum(1)]))[:, None], nodes], 1)

    def forward(self, op: Tensor, adj: Tensor, mask: Tensor) -> Tensor:
        if self.training and self.reorder:
            order = random_order(adj, mask)
            keep = torch.rand(len(op), 1, device=op.device) >= self.reorder
            order = torch.where(keep, torch.arange(op.shape[1], device=op.device), order)
            op, graph = op.gather(1, order), torch.arange(len(op), device=op.device)[:, None, None]
            adj = adj[graph, order[:, :, None], order[:, None, :]]
        x, mask = self.tokens(op, adj, mask), F.pad(mask, (1, 0), value=True)
        packing, bias = Packing(mask), as_bias(mask)[:, None, None]
        x = packing.pack(x)
        for block in self.blocks:
            x = block(x, bias, packing)
        nodes = packing.pad(x)
        y = self.stages[0](self.queries[0], nodes, bias)
        for fuse, stage, query in zip(self.fuse, self.stages[1:], self.queries[1:], strict=True):
            y = stage(query, fuse(y, nodes, bias))
        return self.head(self.norm(y[:, 0])).squeeze(-1)


class Predictor(CellPredictor):
    """Tokens are sinusoidal codes; after the encoder, stages of 4, 2 and 1 learned queries fuse the nodes.

    Information-flow augmentation: half of the cells of a training batch have their nodes in a random order that keeps
    the data's direction, the others in the data set's own, in which cells are predicted.

    Departures: codes have the usual frequencies of transformers, one of two kinds in the released code; no constant end
    token; a linear head instead of a sigmoid of the raw accuracy; cosine schedule for a linear one. The default is
    smaller and learns the order by pairs, each cell once a step. Presets: ``mse``, the published losses: MSE, 0.1 times
    the differences of pairs, and 0.5 times the difference of the answers to a cell seen twice; ``paper``, with these 6
    layers of 192, 6 heads, 4000 epochs.
    """

    @dataclass(frozen=True)
    class Config(Recipe):
        """``dim`` must be a multiple of 6 (three even codes) and of ``heads``.

        ``reorder``: share of the cells of a training batch whose nodes are put in a random order.
        """

        layers: int = 3
        dim: int = 48
        heads: int = 4
        ffn_ratio: int = 2
        dropout: float = 0.0
        reorder: float = 0.5
        loss: str = "hinge"
        lr: float = 3e-3

    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "mse": LOSSES,
        "paper": {**LOSSES, "layers": 6, "dim": 192, "heads": 6, "ffn_ratio": 4, "dropout": 0.1, "epochs": 4000,
                  "batch_size": 128, "lr": 1e-4},
    }  # fmt: skip

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        c = self.config
        if c.dim % 6 or c.dim % c.heads:
            raise BenchError(f"nar_former: dim {c.dim} must be a multiple of 6 and of {c.heads} heads")

    def build(self, n_ops: int) -> nn.Module:
        return NARFormer(n_ops, self.config)
