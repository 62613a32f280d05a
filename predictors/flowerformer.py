"""FlowerFormer (Hwang et al., CVPR 2024, arXiv 2403.12821): messages in the order of the flow, attention along it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipeline.core.graphs import Dense
from predictors.kit.attention import Attention, FeedForward, as_bias, mean_nodes
from predictors.kit.cells import CellPredictor
from predictors.kit.encodings import shortest_paths
from predictors.kit.layers import Packing, dropout, softmax
from predictors.kit.padded import SMALL
from predictors.kit.train_loop import Recipe

MARGIN = 0.1  # of the loss `hinge`; scores scaled by MARGIN / m meet it where they would meet a margin m themselves


def generations(adj: Tensor) -> Tensor:
    """Edges on the longest path to each node, (n, N) long."""
    level = torch.zeros(adj.shape[:2], dtype=torch.long, device=adj.device)
    for _ in range(adj.shape[-1]):
        level = torch.where(adj, level[:, :, None] + 1, 0).amax(1)
    return level


class Sweep(nn.Module):
    """One pass over the nodes, generation by generation: a node joins what it was with the attention-weighted mean of
    its neighbours of this pass, by a gated recurrent unit.

    The paper scores a neighbour by a linear layer of it and of the node; the node's share is the same for all its
    neighbours and cancels in the softmax, so it is left out.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.score, self.unit = nn.Linear(dim, 1, bias=False), nn.GRUCell(dim, dim)

    def forward(self, x: Tensor, heard: Tensor, turns: list[Tensor]) -> Tensor:
        """Nodes (b N, dim), neighbours (b, N, N) bool, node numbers of each generation, in turn -> (b N, dim)."""
        b, n, _ = heard.shape
        out = torch.zeros_like(x)
        known = heard.any(-1, keepdim=True)
        bias = as_bias(heard | ~known).mT  # without neighbours the message is zero, not undefined
        for step, nodes in enumerate(turns):
            if step == 0:
                message = x.new_zeros(len(nodes), x.shape[1])
            else:
                state = out.view(b, n, -1)
                weight = softmax(self.score(state) + bias, 1)  # (b, neighbours, nodes)
                message = (weight.mT @ state * known).flatten(0, 1)[nodes]
            out = out.index_copy(0, nodes, self.unit(x[nodes], message))
        return out


class Layer(nn.Module):
    """Flow-encoding messages, there and back, beside attention along the flow; then a feed-forward."""

    def __init__(self, c: Predictor.Config) -> None:
        super().__init__()
        self.dropout = c.dropout
        self.along, self.against = Sweep(c.dim), Sweep(c.dim)
        self.attention = Attention(c.dim, c.heads, c.dim // c.heads, c.dropout, weight_dropout=c.weight_dropout)
        self.ffn = FeedForward(c.dim, 2 * c.dim, c.dropout)
        self.norms = nn.ModuleList(nn.LayerNorm(c.dim) for _ in range(3))

    def forward(self, x: Tensor, adj: Tensor, turns: list[Tensor], bias: Tensor, packing: Packing) -> Tensor:
        wide = self.along(packing.pad(x).flatten(0, 1), adj.mT, turns)
        wide = self.against(dropout(wide, self.dropout, self.training), adj, turns[::-1])
        local = packing.pack(F.relu(wide).view(*packing.shape, -1))
        y = self.norms[0](x + local) + self.norms[1](x + self.attention(x, bias, packing))
        return self.norms[2](y + self.ffn(y))


class FlowerFormer(nn.Module):
    """Operations, generations and real nodes (b, N), adjacency and flow (b, N, N) -> (b,)."""

    def __init__(self, n_ops: int, c: Predictor.Config) -> None:
        super().__init__()
        self.embed, self.depth = nn.Embedding(n_ops, c.dim), nn.Embedding(SMALL, c.dim)
        self.layers = nn.ModuleList(Layer(c) for _ in range(c.layers))
        self.head, self.scale = nn.Linear(c.dim, 1), MARGIN / c.margin

    def forward(self, op: Tensor, level: Tensor, adj: Tensor, flow: Tensor, mask: Tensor) -> Tensor:
        packing, bias = Packing(mask), as_bias(flow)[:, None]
        place = torch.where(mask, level, -1).flatten()
        turns = [(place == step).nonzero()[:, 0] for step in range(int(place.max()) + 1)]
        x = packing.pack(self.embed(op) + self.depth(level))
        for layer in self.layers:
            x = layer(x, adj, turns, bias, packing)
        return self.scale * self.head(mean_nodes(x, packing, mask)).squeeze(-1)


class Predictor(CellPredictor):
    """Flow encoding (a sweep along the data, then one against it over its result) beside attention between nodes that
    lie on a common path; the generation as position; mean over nodes; hinge loss over pairs.

    Preset ``paper``: the released run for NAS-Bench-201: 9 layers of 64, 8 heads, dropout of half of the attention
    weights, margin 0.5, 600 epochs in batches of 32 (for NAS-Bench-101: 300 in batches of 16).

    Departures: learned instead of sinusoidal codes of generations, and no linear layer between them and the first
    layer; LayerNorm for batch norm; no 40 further labels to pick an epoch by. The default has 3 layers, no dropout of
    attention weights, margin 0.1, and averages its weights.
    """

    @dataclass(frozen=True)
    class Config(Recipe):
        """``weight_dropout``: of attention weights; ``margin``: of the hinge loss."""

        layers: int = 3
        dim: int = 64
        heads: int = 4
        dropout: float = 0.0
        weight_dropout: float = 0.0
        margin: float = MARGIN
        loss: str = "hinge"
        steps: int = 800
        grad_clip: float = 1.0

    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "paper": {
            "layers": 9, "heads": 8, "weight_dropout": 0.5, "margin": 0.5, "epochs": 600, "batch_size": 32, "lr": 8e-4,
            "weight_decay": 6e-5, "warmup": 0.05, "ema": 0.0, "grad_clip": 0.2,
        },
    }  # fmt: skip

    def build(self, n_ops: int) -> nn.Module:
        return FlowerFormer(n_ops, self.config)

    def encode(self, dense: Dense) -> tuple[Tensor, ...]:
        reach = shortest_paths(dense.adj) >= 0
        return dense.op, generations(dense.adj).clamp(max=SMALL - 1), dense.adj, reach | reach.mT, dense.mask
