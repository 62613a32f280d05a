"""BRP-NAS's predictors (Dudziak et al., NeurIPS 2020, arXiv 2007.08668): a graph network with a global node."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from predictors.kit.graph_neural import GraphPredictor, Heads, gather_sum, sum_nodes
from predictors.kit.layers import dropout
from predictors.kit.ragged import Batch
from predictors.kit.train_loop import Recipe


class GCN(nn.Module):
    """A batch of graphs -> (b,): layers x <- ReLU(LN(A x W + b)), where A has self loops and edges from the children.

    Each graph has a global node, which hears from all nodes in every layer, and is what the heads read.
    """

    def __init__(self, n_node: int, n_static: int, platforms: int, c: Predictor.Config, cost: bool) -> None:
        super().__init__()
        sizes = [n_node + 1] + [c.width] * (c.layers - 1)
        self.layers = nn.ModuleList(nn.Linear(n, c.width) for n in sizes)
        self.norms = nn.ModuleList(nn.LayerNorm(c.width) for _ in sizes)
        self.heads, self.dropout = Heads(c.width + n_static, (), platforms, cost), c.dropout

    def forward(self, batch: Batch) -> Tensor:
        x = F.pad(batch.x, (0, 1))  # the last column tells global nodes
        everywhere = F.pad(x.new_ones(len(batch), 1), (x.shape[1] - 1, 0))  # the global nodes, (b, n_node + 1)
        for step, (layer, norm, hop) in enumerate(zip(self.layers, self.norms, batch.hops, strict=True)):
            everywhere = self._activate(norm(layer(everywhere + sum_nodes(x, batch, step))))
            x = self._activate(norm(layer(x[hop.own_row] + gather_sum(x, hop.pairs[0], len(hop.own_row)))))
        return self.heads(torch.cat([everywhere, batch.static], 1), batch.platform)

    def _activate(self, x: Tensor) -> Tensor:
        return dropout(F.relu(x), self.dropout, self.training)


class Predictor(GraphPredictor):
    """Four layers and a linear head. Costs are learned by absolute error, accuracies by comparison.

    The paper's comparator tells the better of two cells by a linear layer of both their vectors, u . a + v . b + c. It
    is trained on either order of each pair, for which the best is v = -u and c = 0: a difference of two scores. So the
    linear head gives the score, and the loss is the pairwise logistic one. Presets: ``paper``: the released
    comparator: width 600, dropout 0.2, 250 epochs; ``paper_latency``: width 600, 250 epochs, batch 10.

    Departures: a comparison is won or lost (released: by the softmax of both accuracies); a batch is all pairs of 64
    cells (released: 64 pairs, an epoch all pairs of the training set); training cells are drawn once, not where the
    predictor so far expects the best. Costs are learned as logarithms; a cosine schedule in place of halving on a
    plateau and of stopping by 100 more labels; no dropout (released: 0.002). The default is 128 wide, with larger
    batches and averaged weights. The released code prunes cells and cuts skip connections out before it predicts; here
    they come as the data set draws them, for latency with all that runs. ONNX graphs have NNLP's features, and a head a
    platform.
    """

    @dataclass(frozen=True)
    class Config(Recipe):
        width: int = 128
        layers: int = 4
        dropout: float = 0.0
        loss: str = "bce"
        cost_loss: str = "l1"
        steps: int = 1500
        lr: float = 1e-3
        weight_decay: float = 5e-4

    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "paper": {
            "width": 600, "dropout": 0.2, "epochs": 250, "lr": 3.5e-4, "warmup": 0.0, "ema": 0.0,
        },
        "paper_latency": {
            "width": 600, "epochs": 250, "batch_size": 10, "lr": 4e-4, "warmup": 0.0, "ema": 0.0,
        },
    }  # fmt: skip

    @property
    def folds(self) -> bool:
        return self.config.dropout == 0

    @property
    def hops(self) -> tuple[tuple[str, ...], ...]:
        return (("adj",),) * self.config.layers

    def build_module(self, n_node: int, n_static: int, platforms: int) -> nn.Module:
        return GCN(n_node, n_static, platforms, self.config, self.task == "cost")
