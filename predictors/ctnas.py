"""CTNAS (Chen et al., CVPR 2021, arXiv 2103.05471): a comparator that tells which of two cells is the better one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipeline.core.graphs import Dense
from predictors.kit.layers import dropout
from predictors.kit.own_loss import OwnLossPredictor
from predictors.kit.train_loop import Recipe, inputs_at


class Comparator(nn.Module):
    """Cells -> logits that a cell is better than each of the reference cells, (b, R), or its mean probability, (b,).

    Each cell is embedded by graph convolutions ReLU(A_n x W) and the mean over its nodes; the two embeddings, side by
    side, go through a linear layer (section 3.2), or through one hidden layer and a linear layer.
    """

    def __init__(self, n_ops: int, references: int, c: Predictor.Config) -> None:
        super().__init__()
        self.embed = nn.Embedding(n_ops, c.width)
        self.layers = nn.ModuleList(nn.Linear(c.width, c.width) for _ in range(c.layers))
        first = c.head or 1
        self.left, self.right = nn.Linear(c.width, first), nn.Linear(c.width, first, bias=False)
        self.out, self.dropout = nn.Linear(c.head, 1) if c.head else None, c.dropout
        self.register_buffer("references", torch.zeros(references, c.width))

    def features(self, op: Tensor, adj: Tensor, mask: Tensor) -> Tensor:
        """(b, width). ``adj``: (b, N, N) normalised, self loops included."""
        x = self.embed(op)
        for layer in self.layers:
            x = dropout(F.relu(adj @ layer(x)), self.dropout, self.training)
        real = mask[..., None].to(x.dtype)
        return (x * real).sum(1) / real.sum(1)

    def against(self, a: Tensor, b: Tensor) -> Tensor:
        """Logits (len(a), len(b)) that a is better than b."""
        joint = self.left(a)[:, None] + self.right(b)[None]  # the first layer over [a ; b]
        return (joint if self.out is None else self.out(F.relu(joint))).squeeze(-1)

    def forward(self, op: Tensor, adj: Tensor, mask: Tensor) -> Tensor:
        return self.against(self.features(op, adj, mask), self.references).sigmoid().mean(1)


class Predictor(OwnLossPredictor):
    """Trained by cross-entropy on all ordered pairs of a batch; a cell's score is its mean probability of winning.

    With the paper's single linear layer a logit is s(a) + t(b), so the order of the scores is that of s, whatever the
    references; ``head`` gives the comparator a hidden layer, so that the two cells can interact. Preset ``paper``: two
    layers of 128, the linear comparator, without dropout or decay. Departures: pairs come from batches; the adjacency
    is made symmetric before it is normalised; averaged weights; references are training cells spread over the labels'
    order, where the paper ranks the candidates of a search among themselves.
    """

    @dataclass(frozen=True)
    class Config(Recipe):
        """``head``: the comparator's hidden layer, 0 for none. ``references``: cells compared with, at most."""

        width: int = 128
        layers: int = 3
        head: int = 64
        dropout: float = 0.1
        references: int = 128
        steps: int = 2500
        lr: float = 1e-3

    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "paper": {"layers": 2, "head": 0, "dropout": 0.0, "weight_decay": 0.0, "ema": 0.0},
    }

    def build(self, n_ops: int) -> nn.Module:
        return Comparator(n_ops, self.notes["references"], self.config)

    def fit(self, train_graphs, y, val=None, y_val=None):
        self.notes["references"] = min(self.config.references, len(y))
        super().fit(train_graphs, y, val, y_val)

    def encode(self, dense: Dense) -> tuple[Tensor, ...]:
        a = (dense.adj | dense.adj.mT).float() + torch.eye(dense.adj.shape[-1], device=dense.adj.device)
        scale = a.sum(-1).rsqrt()
        return dense.op, scale[:, :, None] * a * scale[:, None, :], dense.mask

    def losses(self, module: nn.Module, inputs: tuple[Tensor, ...], z: Tensor) -> Tensor:
        features = module.features(*inputs)
        wins, counted = (z[:, None] > z[None]).float(), (z[:, None] != z[None]).float()
        loss = F.binary_cross_entropy_with_logits(module.against(features, features), wins, reduction="none")
        return (loss * counted).sum(1) / counted.sum(1).clamp(min=1)

    @torch.no_grad()
    def prepare(self, module: nn.Module, inputs, z: Tensor) -> None:
        spread = torch.linspace(0, len(z) - 1, len(module.references)).round().long()
        module.eval()
        module.references.copy_(module.features(*inputs_at(inputs, z.argsort()[spread.to(z.device)])))

    @property
    def n_params(self) -> int:
        """Weights, without the embedded references."""
        return super().n_params - self.tensors["references"].numel()
