"""A multi-layer perceptron on the flattened cell, operations one-hot and adjacency: the plainest neural baseline."""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from pipeline.core.graphs import Graphs
from predictors.kit.features import flat_cells
from predictors.kit.layers import dropout
from predictors.kit.neural import NeuralPredictor
from predictors.kit.train_loop import Recipe


class Predictor(NeuralPredictor):
    """Nodes come in the file's order: two drawings of one cell may get two predictions."""

    @dataclass(frozen=True)
    class Config(Recipe):
        """``max_nodes``: nodes beyond it are cut off."""

        width: int = 128
        layers: int = 3
        dropout: float = 0.1
        max_nodes: int = 8
        steps: int = 2000
        batch_size: int = 32
        lr: float = 1e-3
        weight_decay: float = 0.05

    def build(self, n_ops: int) -> nn.Module:
        c = self.config
        return MLP(c.max_nodes * n_ops + c.max_nodes * (c.max_nodes - 1) // 2, c.width, c.layers, c.dropout)

    def _inputs(self, graphs: Graphs) -> tuple[Tensor, ...]:
        return (flat_cells(graphs, self.config.max_nodes).float().to(self.torch_device),)


class MLP(nn.Module):
    """(b, features) -> (b,)."""

    def __init__(self, n_in: int, width: int, layers: int, dropout: float) -> None:
        super().__init__()
        self.hidden = nn.ModuleList(nn.Linear(n_in if i == 0 else width, width) for i in range(layers))
        self.head = nn.Linear(width, 1)
        self.dropout = dropout

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.hidden:
            x = dropout(F.relu(layer(x)), self.dropout, self.training)
        return self.head(x).squeeze(-1)
