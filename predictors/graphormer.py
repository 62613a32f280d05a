"""Graphormer (Ying et al., NeurIPS 2021, arXiv 2106.05234): full attention, biased by the distance between nodes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipeline.core.graphs import Dense
from predictors.kit.attention import Block, as_bias
from predictors.kit.cells import CellPredictor
from predictors.kit.encodings import shortest_paths
from predictors.kit.layers import Packing
from predictors.kit.train_loop import Recipe

FAR = 8  # longer paths count as this long
NO_PATH, TO_TOKEN, FROM_TOKEN = 2 * FAR + 1, 2 * FAR + 2, 2 * FAR + 3
MAX_DEGREE = 15


def distances(adj: Tensor) -> Tensor:
    """Codes (n, N, N): FAR + d for a path i -> j of d edges, FAR - d for one j -> i, NO_PATH for neither."""
    along = shortest_paths(adj).clamp(max=FAR)
    return torch.where(along >= 0, FAR + along, torch.where(along.mT >= 0, FAR - along.mT, NO_PATH))


class Graphormer(nn.Module):
    """Operations (b, N), degrees in and out (b, N), distance codes (b, N, N) and real nodes (b, N) -> (b,)."""

    def __init__(self, n_ops: int, c: Predictor.Config) -> None:
        super().__init__()
        self.embed = nn.Embedding(n_ops, c.dim)
        self.indegree, self.outdegree = (nn.Embedding(MAX_DEGREE + 1, c.dim) for _ in range(2))
        self.spatial = nn.Embedding(FROM_TOKEN + 1, c.heads)
        self.token = nn.Parameter(torch.randn(1, 1, c.dim))
        for table in (self.indegree, self.outdegree, self.spatial):
            nn.init.normal_(table.weight, std=0.02)
        size, ffn, inner = c.dim // c.heads, c.ffn_ratio * c.dim, c.inner_dropout
        self.blocks = nn.ModuleList(
            Block(c.dim, c.heads, size, ffn, c.dropout, True, 0, inner, inner) for _ in range(c.layers)
        )
        self.norm, self.head = nn.LayerNorm(c.dim), nn.Linear(c.dim, 1)

    def forward(self, op: Tensor, indegree: Tensor, outdegree: Tensor, distance: Tensor, mask: Tensor) -> Tensor:
        x = self.embed(op) + self.indegree(indegree) + self.outdegree(outdegree)
        x = torch.cat([self.token.expand(len(op), -1, -1), x], 1)
        distance = F.pad(F.pad(distance, (0, 0, 1, 0), value=FROM_TOKEN), (1, 0), value=TO_TOKEN)
        mask = F.pad(mask, (1, 0), value=True)
        bias = self.spatial(distance).permute(0, 3, 1, 2) + as_bias(mask)[:, None, None]
        packing = Packing(mask)
        x = packing.pack(x)
        for block in self.blocks:
            x = block(x, bias, packing)
        return self.head(self.norm(packing.pad(x)[:, 0])).squeeze(-1)


class Predictor(CellPredictor):
    """Embeddings of the in- and out-degree are added to the operation's (centrality encoding); each head has a learned
    bias for every distance (spatial encoding); a virtual node, at a distance of its own, is read out.

    Presets: ``mse``: its loss as PINAT's table has it; ``paper``: GraphormerSlim as released for ZINC: 12 layers of 80,
    8 heads, feed-forward of 80, dropout of attention weights and hidden layers, absolute error, batches of 64, 2e-4.

    Departures: as cells are directed, a distance is signed by the way the path runs; no edge encoding, as edges carry
    nothing; ReLU for the released code's GELU. Of ``paper``: 1000 epochs for 400,000 steps, and a cosine after the
    warm-up for a line. The default has 4 layers of 64, learns the order by pairs, and averages its weights.
    """

    @dataclass(frozen=True)
    class Config(Recipe):
        """``ffn_ratio``: width of the feed-forward over ``dim``; ``inner_dropout``: of attention weights and of the
        feed-forward's hidden layer."""

        layers: int = 4
        dim: int = 64
        heads: int = 4
        ffn_ratio: int = 2
        dropout: float = 0.1
        inner_dropout: float = 0.0
        loss: str = "hinge"

    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "mse": {"loss": "mse"},
        "paper": {
            "layers": 12, "dim": 80, "heads": 8, "ffn_ratio": 1, "dropout": 0.0, "inner_dropout": 0.1, "loss": "l1",
            "epochs": 1000, "batch_size": 64, "lr": 2e-4, "warmup": 0.15, "grad_clip": 5.0, "ema": 0.0,
        },
    }  # fmt: skip

    def build(self, n_ops: int) -> nn.Module:
        return Graphormer(n_ops, self.config)

    def encode(self, dense: Dense) -> tuple[Tensor, ...]:
        degrees = (dense.adj.sum(axis).clamp(max=MAX_DEGREE) for axis in (1, 2))
        return dense.op, *degrees, distances(dense.adj), dense.mask
