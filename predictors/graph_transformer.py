"""Graph Transformer (Dwivedi and Bresson, AAAI 2021 workshop, arXiv 2012.09699): attention between neighbours alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from pipeline.core.graphs import Dense
from predictors.kit.attention import Block, as_bias, mean_nodes
from predictors.kit.cells import CellPredictor
from predictors.kit.encodings import eigenvectors
from predictors.kit.layers import Packing
from predictors.kit.train_loop import Recipe


class GraphTransformer(nn.Module):
    """Operations (b, N), neighbours (b, N, N), eigenvectors (b, N, k) and real nodes (b, N) -> (b,)."""

    def __init__(self, n_ops: int, c: Predictor.Config) -> None:
        super().__init__()
        self.embed, self.position = nn.Embedding(n_ops, c.dim), nn.Linear(c.eigenvectors, c.dim)
        size = c.dim // c.heads
        self.blocks = nn.ModuleList(
            Block(c.dim, c.heads, size, c.ffn_ratio * c.dim, c.dropout, pre=False) for _ in range(c.layers)
        )
        self.head = nn.Sequential(
            nn.Linear(c.dim, c.dim // 2),
            nn.ReLU(),
            nn.Linear(c.dim // 2, c.dim // 4),
            nn.ReLU(),
            nn.Linear(c.dim // 4, 1),
        )

    def forward(self, op: Tensor, neighbours: Tensor, position: Tensor, mask: Tensor) -> Tensor:
        if self.training:  # the sign of an eigenvector means nothing
            position = position * (torch.randint(2, (len(op), 1, position.shape[2]), device=op.device) * 2 - 1)
        packing, bias = Packing(mask), as_bias(neighbours)[:, None]
        x = packing.pack(self.embed(op) + self.position(position))
        for block in self.blocks:
            x = block(x, bias, packing)
        return self.head(mean_nodes(x, packing, mask)).squeeze(-1)


class Predictor(CellPredictor):
    """Each node attends to its neighbours, whichever way the edge points; Laplacian eigenvectors, their signs drawn
    anew at every step, are added to the operation's embedding; mean over nodes and three linear layers.

    Presets: ``mse``: its loss as PINAT's table has it; ``paper``: the released configuration for ZINC: 10 layers of 64,
    8 heads, 8 eigenvectors, absolute error, batches of 128, 7e-4.

    Departures: a node attends to itself as well, so that one without neighbours has something to attend to; LayerNorm
    where the paper prefers batch norm; edges carry nothing. Of ``paper``: a cosine over 1000 epochs, where the release
    halves the rate on a plateau of the validation loss. The default has 4 layers of 64, learns the order by pairs, and
    averages its weights.
    """

    @dataclass(frozen=True)
    class Config(Recipe):
        """``eigenvectors``: how many are added as positions."""

        layers: int = 4
        dim: int = 64
        heads: int = 4
        ffn_ratio: int = 2
        dropout: float = 0.0
        eigenvectors: int = 4
        loss: str = "hinge"

    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "mse": {"loss": "mse"},
        "paper": {
            "layers": 10, "heads": 8, "eigenvectors": 8, "loss": "l1", "epochs": 1000, "batch_size": 128, "lr": 7e-4,
            "warmup": 0.0, "weight_decay": 0.0, "ema": 0.0,
        },
    }  # fmt: skip

    def build(self, n_ops: int) -> nn.Module:
        return GraphTransformer(n_ops, self.config)

    def encode(self, dense: Dense) -> tuple[Tensor, ...]:
        eye = torch.eye(dense.adj.shape[-1], dtype=torch.bool, device=dense.adj.device)
        position = eigenvectors(dense.adj, dense.mask, self.config.eigenvectors)
        return dense.op, dense.adj | dense.adj.mT | eye, position, dense.mask
