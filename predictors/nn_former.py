"""NN-Former (Xu et al., CVPR 2025, arXiv 2507.00880): a transformer whose heads look along edges and at siblings."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipeline.data import Dense
from predictors._neural import NeuralPredictor
from predictors._train_loop import Recipe

MASKS = ("adj", "adj_t", "share_child", "share_parent")


def attention_masks(adj: Tensor, kinds: tuple[str, ...]) -> Tensor:
    """One 0/1 mask a head, (n, heads, N, N), self loops included (section 3.2).

    ``adj``: (n, N, N) without tokens, ``adj[i, j]`` = edge i -> j. Siblings come from the bare adjacency:
    A A^T links nodes that share a child, A^T A nodes that share a parent.
    """
    a = adj.float()
    of = {
        "adj": lambda: a,
        "adj_t": lambda: a.mT,
        "share_child": lambda: a @ a.mT,
        "share_parent": lambda: a.mT @ a,
        "global": lambda: torch.ones_like(a),
    }
    eye = torch.eye(a.shape[-1], dtype=torch.bool, device=a.device)
    return torch.stack([(of[k]() > 0) | eye for k in kinds], 1)


class ASMA(nn.Module):
    """Adjacency-sibling multi-head attention: each head is softmax(Q K^T / sqrt(d)) V within its own mask (eq. 3-6)."""

    def __init__(self, dim: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.qkv = nn.Linear(dim, 3 * dim)
        self.out = nn.Linear(dim, dim)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        b, n, d = x.shape
        q, k, v = self.qkv(x).view(b, n, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)  # each (b, h, N, d/h)
        score = q @ k.mT * (d // self.heads) ** -0.5 + bias  # (b, h, N, N)
        x = (score.softmax(-1) @ v).transpose(1, 2).reshape(b, n, d)
        return F.dropout(self.out(x), self.dropout, self.training)


class BGIFFN(nn.Module):
    """Bidirectional graph isomorphism feed-forward: H = x W1 + [A x Wg_1 ; A^T x Wg_2], ReLU(H) W2 (eq. 7-8).

    As A (x Wg) = (A x) Wg, each half of H is one product of [x ; A x] with stacked weights.
    """

    def __init__(self, dim: int, hidden: int, dropout: float, kind: str = "both") -> None:
        super().__init__()
        self.kind, self.dropout = kind, dropout
        self.up = nn.ModuleList(nn.Linear((1 if kind == "plain" else 2) * dim, hidden // 2) for _ in range(2))
        self.down = nn.Linear(hidden, dim)

    def forward(self, x: Tensor, adj: Tensor) -> Tensor:
        if self.kind == "plain":
            h = torch.cat([up(x) for up in self.up], -1)
        else:
            first = adj.mT if self.kind == "adj_t" else adj
            second = adj if self.kind == "adj" else adj.mT
            h = torch.cat([up(torch.cat([x, a @ x], -1)) for up, a in zip(self.up, (first, second), strict=True)], -1)
        return F.dropout(self.down(F.dropout(F.relu(h), self.dropout, self.training)), self.dropout, self.training)


class Block(nn.Module):
    """x + ASMA(LN(x)), then x + BGIFFN(LN(x))."""

    def __init__(self, c: Predictor.Config) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(c.dim), nn.LayerNorm(c.dim)
        self.attention = ASMA(c.dim, c.heads, c.dropout)
        self.ffn = BGIFFN(c.dim, c.ffn_ratio * c.dim, c.dropout, c.ffn)

    def forward(self, x: Tensor, adj: Tensor, bias: Tensor) -> Tensor:
        x = x + self.attention(self.norm1(x), bias)
        return x + self.ffn(self.norm2(x), adj)


class NNFormer(nn.Module):
    """Operations (b, N) with adjacency and masks -> one number a graph (b,)."""

    def __init__(self, n_ops: int, c: Predictor.Config) -> None:
        super().__init__()
        self.c = c
        self.embed = nn.Embedding(n_ops, c.dim)
        self.blocks = nn.ModuleList(Block(c) for _ in range(c.layers))
        self.norm = nn.LayerNorm(c.dim)
        self.head = nn.Linear(c.dim, 1)

    def forward(self, op: Tensor, adj: Tensor, masks: Tensor, mask: Tensor) -> Tensor:
        x = self.embed(op) * mask[..., None]
        adj = adj.float()
        bias = torch.zeros_like(masks, dtype=x.dtype).masked_fill_(~masks, float("-inf"))
        bias = bias.repeat(1, self.c.heads // len(self.c.masks), 1, 1)
        for block in self.blocks:
            x = block(x, adj, bias)
        x = self.norm(x)
        x = (x * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
        return self.head(x).squeeze(-1)


class Predictor(NeuralPredictor):
    """NN-Former for accuracy."""

    @dataclass(frozen=True)
    class Config(Recipe):
        layers: int = 4
        dim: int = 64
        heads: int = 4
        ffn_ratio: int = 4
        dropout: float = 0.0
        masks: tuple = MASKS
        ffn: str = "both"
        loss: str = "mse+bce"
        epochs: int = 0
        steps: int = 600
        batch_size: int = 128
        weight_decay: float = 0.05
        ema: float = 0.99

    def build(self, n_ops: int) -> nn.Module:
        return NNFormer(n_ops, self.config)

    def encode(self, dense: Dense) -> tuple[Tensor, ...]:
        return dense.op, dense.adj, attention_masks(dense.adj, self.config.masks), dense.mask
