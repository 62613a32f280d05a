"""Multi-head attention and transformer blocks over packed nodes; predictors differ in what they add to them."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from predictors.kit.layers import Packing, dropout, softmax


class Attention(nn.Module):
    """softmax(Q K^T / sqrt(d) + bias) V in each of ``heads`` heads of ``size`` numbers (Vaswani et al. 2017).

    ``dropout`` is of what comes out, ``weight_dropout`` of the softmax.
    """

    def __init__(
        self, dim: int, heads: int, size: int, dropout: float, extra: int = 0, weight_dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.heads, self.size, self.dropout, self.weight_dropout = heads, size, dropout, weight_dropout
        self.qkv = nn.Linear(dim, 3 * heads * size)
        self.out = nn.Linear(heads * size + extra, dim)

    def mix(self, x: Tensor, bias: Tensor, packing: Packing) -> Tensor:
        """Nodes (T, dim) and bias (b, 1 or heads, N, N) -> what the heads gather, (T, heads * size)."""
        b, n = packing.shape
        qkv = packing.pad(self.qkv(x)).view(b, n, 3, self.heads, self.size)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # each (b, h, N, size)
        score = k @ q.mT * self.size**-0.5 + bias.mT  # (b, h, keys, queries): softmax is faster along columns
        weight = dropout(softmax(score, -2), self.weight_dropout, self.training)
        return packing.pack((weight.mT @ v).transpose(1, 2).flatten(2))

    def forward(self, x: Tensor, bias: Tensor, packing: Packing, extra: Tensor | None = None) -> Tensor:
        """As `mix`, then projected to (T, dim), together with ``extra`` (T, extra) of the same nodes."""
        x = self.mix(x, bias, packing)
        x = x if extra is None else torch.cat([extra, x], -1)
        return dropout(self.out(x), self.dropout, self.training)


class FeedForward(nn.Module):
    """ReLU(x W1) W2, with dropout of the result and ``inner_dropout`` of the hidden layer."""

    def __init__(self, dim: int, hidden: int, dropout: float, inner_dropout: float = 0.0) -> None:
        super().__init__()
        self.up, self.down = nn.Linear(dim, hidden), nn.Linear(hidden, dim)
        self.dropout, self.inner_dropout = dropout, inner_dropout

    def forward(self, x: Tensor) -> Tensor:
        hidden = dropout(F.relu(self.up(x)), self.inner_dropout, self.training)
        return dropout(self.down(hidden), self.dropout, self.training)


class Block(nn.Module):
    """Attention and feed-forward with residuals; LayerNorm before each (``pre``) or after each."""

    def __init__(
        self,
        dim: int,
        heads: int,
        size: int,
        hidden: int,
        dropout: float,
        pre: bool,
        extra: int = 0,
        weight_dropout: float = 0.0,
        inner_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.pre = pre
        self.attention = Attention(dim, heads, size, dropout, extra, weight_dropout)
        self.ffn = FeedForward(dim, hidden, dropout, inner_dropout)
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)

    def forward(self, x: Tensor, bias: Tensor, packing: Packing, extra: Tensor | None = None) -> Tensor:
        if self.pre:
            x = x + self.attention(self.norm1(x), bias, packing, extra)
            return x + self.ffn(self.norm2(x))
        x = self.norm1(x + self.attention(x, bias, packing, extra))
        return self.norm2(x + self.ffn(x))


def as_bias(allowed: Tensor) -> Tensor:
    """0 where ``allowed``, -inf elsewhere: what `Attention` adds to its scores."""
    return torch.zeros(allowed.shape, device=allowed.device).masked_fill_(~allowed, float("-inf"))


def mean_nodes(x: Tensor, packing: Packing, mask: Tensor) -> Tensor:
    """Mean of packed nodes (T, d) over each graph, (b, d)."""
    return packing.pad(x).sum(1) / mask.sum(1, keepdim=True)
