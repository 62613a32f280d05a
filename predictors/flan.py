"""FLAN (Akhauri and Abdelfattah, ICML 2024, arXiv 2403.02484): flow attention, gated flow joined with attention."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor, nn

from predictors.kit.flow import Encoder, Head, Mean
from predictors.kit.neural import NeuralPredictor
from predictors.kit.train_loop import Recipe


class FLAN(nn.Module):
    """Operations (b, N), adjacency (b, N, N), real nodes (b, N) -> (b,): the mean over all nodes but the first."""

    def __init__(self, n_ops: int, c: Predictor.Config) -> None:
        super().__init__()
        self.encoder = Encoder(n_ops, c.width, c.layers, c.op_width, c.times, Mean)
        self.head = Head(c.width, (c.head,) * 3, c.dropout)

    def forward(self, op: Tensor, adj: Tensor, mask: Tensor) -> Tensor:
        x = self.encoder(op, adj, mask)[:, 1:]
        real = mask[:, 1:, None].to(x.dtype)
        return self.head((x * real).sum(1) / real.sum(1).clamp(min=1))


class Predictor(NeuralPredictor):
    """Each layer is the mean of a gated flow and a gated attention; operations are refined as in TA-GATES.

    Preset ``paper``: five layers of 128, a batch of 8 and 150 epochs, as its code has for small samples.
    Departures: attention over parents alone (see `kit.flow`); neither zero-cost proxies, nor learned encodings,
    nor other search spaces to transfer from, which the paper adds. The default is narrower, its batches larger, its
    weights averaged.
    """

    @dataclass(frozen=True)
    class Config(Recipe):
        """``times``: passes along the edges. ``op_width``: of an embedded operation. ``head``: of hidden layers."""

        width: int = 64
        layers: int = 4
        times: int = 2
        op_width: int = 48
        head: int = 200
        dropout: float = 0.1
        loss: str = "hinge"
        cost_loss: str = "l1"

    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "paper": {"width": 128, "layers": 5, "epochs": 150, "batch_size": 8, "lr": 1e-3, "ema": 0.0},
    }

    def build(self, n_ops: int) -> nn.Module:
        return FLAN(n_ops, self.config)
