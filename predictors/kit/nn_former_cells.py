"""NN-Former for cells (Xu et al., CVPR 2025, section 3): a transformer whose heads look along edges and at siblings."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from predictors.kit.layers import Packing, dropout, softmax
from predictors.kit.padded import SMALL


def attention_masks(adj: Tensor, mask: Tensor, kinds: tuple[str, ...]) -> Tensor:
    """One 0/1 mask a kind, (n, kinds, N, N), self loops included (section 3.2).

    ``adj``: (n, N, N) without tokens, ``adj[i, j]`` = edge i -> j; ``mask``: (n, N), real nodes. Siblings come from the
    bare adjacency: A A^T links nodes that share a child, A^T A nodes that share a parent.
    """
    a = adj.float()
    relations = {
        "adj": lambda: a,
        "adj_t": lambda: a.mT,
        "share_child": lambda: a @ a.mT,
        "share_parent": lambda: a.mT @ a,
        "global": lambda: mask[:, None, :].float().expand_as(a),
    }
    eye = torch.eye(a.shape[-1], dtype=torch.bool, device=a.device)
    return torch.stack([(relations[k]() > 0) | eye for k in kinds], 1)


class ASMA(nn.Module):
    """Adjacency-sibling multi-head attention: each head is softmax(Q K^T / sqrt(d)) V within its own mask (eq. 3-6)."""

    def __init__(self, c: Any) -> None:
        super().__init__()
        self.heads, self.dropout, self.attention_dropout = c.heads, c.dropout, c.dropout if c.published else 0.0
        self.qkv = nn.Linear(c.dim, 3 * c.dim, bias=not c.published)
        self.out = nn.Linear(c.dim, c.dim, bias=not c.published)

    def forward(self, x: Tensor, bias: Tensor, packing: Packing) -> Tensor:
        (b, n), d = packing.shape, x.shape[-1]
        qkv = packing.pad(self.qkv(x)).view(b, n, 3, self.heads, d // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # each (b, h, N, d/h)
        score = q @ k.mT * (d // self.heads) ** -0.5 + bias  # (b, h, N, N)
        weight = dropout(softmax(score), self.attention_dropout, self.training)
        x = packing.pack((weight @ v).transpose(1, 2).reshape(b, n, d))  # (T, d)
        return dropout(self.out(x), self.dropout, self.training)


class BGIFFN(nn.Module):
    """Bidirectional graph isomorphism feed-forward: H = x W1 + [A x Wg_1 ; A^T x Wg_2], ReLU(H) W2 (eq. 7-8).

    As A (x Wg) = (A x) Wg, each half of H is one product of [x ; A x] with stacked weights. ``x`` holds the nodes of
    ``packing``, the output those of ``packing_out``.
    """

    def __init__(self, c: Any) -> None:
        super().__init__()
        self.kind, self.dropout = c.ffn, c.dropout
        wide, hidden, bias = (1 if c.ffn == "plain" else 2) * c.dim, c.ffn_ratio * c.dim, not c.published
        self.up = nn.ModuleList(nn.Linear(wide, hidden // 2, bias) for _ in range(2))
        self.down = nn.Linear(hidden, c.dim, bias)

    def forward(self, x: Tensor, adj: Tensor, packing: Packing, packing_out: Packing) -> Tensor:
        wide = packing.pad(x)  # (b, N, d)
        x = x if packing_out is packing else packing_out.pack(wide)
        if self.kind == "plain":
            h = torch.cat([up(x) for up in self.up], -1)
        else:
            first = adj.mT if self.kind == "adj_t" else adj
            second = adj if self.kind == "adj" else adj.mT
            halves = zip(self.up, (first, second), strict=True)
            h = torch.cat([up(torch.cat([x, packing_out.pack(a @ wide)], -1)) for up, a in halves], -1)
        return dropout(self.down(dropout(F.relu(h), self.dropout, self.training)), self.dropout, self.training)


class Block(nn.Module):
    """x + ASMA(LN(x)), then x + BGIFFN(LN(x))."""

    def __init__(self, c: Any) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(c.dim), nn.LayerNorm(c.dim)
        self.attention, self.ffn = ASMA(c), BGIFFN(c)
        if c.soft:
            start = torch.eye(len(c.masks)).repeat(c.heads // len(c.masks), 1)
            self.relations = nn.Parameter(c.soft_start * F.pad(start, (0, 1), value=1.0))

    def forward(self, x: Tensor, adj: Tensor, bias: Tensor, packing: Packing, packing_out: Packing) -> Tensor:
        x = x + self.attention(self.norm1(x), bias, packing)
        residual = x if packing_out is packing else packing_out.pack(packing.pad(x))
        return residual + self.ffn(self.norm2(x), adj, packing, packing_out)


class NNFormer(nn.Module):
    """Operations (b, N), adjacency (b, N, N), head masks (b, k, N, N) and real nodes (b, N) -> one number a graph (b,).

    With ``tokens`` a class token and one that tells the number of nodes lead the sequence. In the attention they see
    all nodes and are seen by all; no edge of the feed-forward leads to them. The head reads the class token; without,
    it reads the mean over nodes, and unless ``published`` the output node beside it.
    """

    def __init__(self, n_ops: int, c: Any) -> None:
        super().__init__()
        self.c = c
        self.embed = nn.Embedding(n_ops, c.dim)
        if c.tokens:
            self.class_token = nn.Parameter(torch.randn(1, 1, c.dim))
            self.depth_token = nn.Embedding(SMALL + 1, c.dim)
        if c.laplacian:
            self.position = nn.Linear(c.laplacian, c.dim)
        self.embed_norm = nn.LayerNorm(c.dim) if c.published else nn.Identity()
        self.blocks = nn.ModuleList(Block(c) for _ in range(c.layers))
        self.norm = nn.LayerNorm(c.dim)
        self.head = nn.Linear(c.dim if c.tokens or c.published else 2 * c.dim, 1)
        if c.published:
            for weight in self.parameters():
                if weight.ndim >= 2:
                    nn.init.trunc_normal_(weight, std=0.02)
            nn.init.zeros_(self.head.bias)

    def forward(
        self, op: Tensor, adj: Tensor, head_masks: Tensor, mask: Tensor, position: Tensor | None = None
    ) -> Tensor:
        x = self.embed(op)
        if position is not None:
            x = x + self.position(position)
        nodes = mask
        if self.c.tokens:
            tokens = [self.class_token.expand(len(x), -1, -1), self.depth_token(nodes.sum(1).clamp(max=SMALL))[:, None]]
            x = torch.cat([*tokens, x], 1)
            adj, head_masks = F.pad(adj, (2, 0, 2, 0)), with_tokens(head_masks, nodes)
            mask = F.pad(nodes, (2, 0), value=True)
        if self.c.soft:
            biases = self.relation_biases(head_masks, mask)
        else:
            bias = torch.zeros_like(head_masks, dtype=x.dtype).masked_fill_(~head_masks, float("-inf"))
            biases = [bias.repeat(1, self.c.heads // head_masks.shape[1], 1, 1)] * self.c.layers
        adj = adj.to(x.dtype)
        packing = last_packing = Packing(mask)
        if self.c.tokens:  # after the last block only the class token is read
            last_packing = Packing(F.pad(mask[:, :1], (0, mask.shape[1] - 1)))
        x = self.embed_norm(packing.pack(x))
        for block, bias in zip(self.blocks, biases, strict=True):
            x = block(x, adj, bias, packing, last_packing if block is self.blocks[-1] else packing)
        x = self.norm(x)
        if not self.c.tokens:
            x, n = packing.pad(x), mask.sum(1)
            mean, output = x.sum(1) / n[:, None], x[torch.arange(len(x), device=x.device), n - 1]
            x = mean if self.c.published else torch.cat([mean, output], 1)
        return self.head(x).squeeze(-1)

    def relation_biases(self, head_masks: Tensor, mask: Tensor) -> list[Tensor]:
        """What each block adds to its attention scores, (b, heads, N, N): a learned number a head for every relation
        that holds between two nodes, one for a node itself, and -inf at padding."""
        b, _, n, _ = head_masks.shape
        eye = torch.eye(n, dtype=torch.bool, device=head_masks.device).expand(b, 1, n, n)
        holds = torch.cat([head_masks, eye], 1).flatten(2).mT.float()  # (b, N * N, kinds + 1)
        padding = torch.zeros(mask.shape, device=mask.device).masked_fill_(~mask, float("-inf"))[:, None, None, :]
        return [(holds @ block.relations.T).mT.unflatten(2, (n, n)) + padding for block in self.blocks]


def with_tokens(links: Tensor, mask: Tensor, k: int = 2) -> Tensor:
    """``links`` (b, kinds, N, N) bool with ``k`` tokens in front that are linked with all real nodes and each other."""
    out = F.pad(links, (k, 0, k, 0))
    real = F.pad(mask, (k, 0), value=True)[:, None]
    out[..., :k, :] = real[..., None, :]
    out[..., :, :k] = real[..., :, None]
    return out
