"""GATES (Ning et al., ECCV 2020, arXiv 2004.01899): operations gate the information that flows through a cell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor, nn

from predictors.kit.flow import Encoder, Head, at_output
from predictors.kit.neural import NeuralPredictor
from predictors.kit.train_loop import Recipe


class GATES(nn.Module):
    """Operations (b, N), adjacency (b, N, N), real nodes (b, N) -> (b,): what reaches the output node, then a head."""

    def __init__(self, n_ops: int, c: Predictor.Config) -> None:
        super().__init__()
        self.encoder = Encoder(n_ops, c.width, c.layers, c.op_width)
        self.head = Head(c.width, c.head, c.dropout)

    def forward(self, op: Tensor, adj: Tensor, mask: Tensor) -> Tensor:
        x = self.encoder(op, adj, mask)
        return self.head((x * at_output(mask)[..., None]).sum(1))


class Predictor(NeuralPredictor):
    """Five layers of gated flow read at the output node, trained by the pairwise hinge loss with a margin of 0.1.

    Preset ``paper``: the released configuration for NAS-Bench-201: 128 wide, five hidden layers of 300 after the
    encoder, 200 epochs in batches of 512, Adam at a constant 1e-3. Departures: operations on nodes (the paper's form
    for NAS-Bench-101) where the paper has them on the edges of NAS-Bench-201; what a node itself holds passes beside
    the gate at every node (released for NAS-Bench-201: at the input alone); all pairs of a batch (released: four a
    cell, drawn anew). The default is narrower, its batches smaller, its weights averaged and decayed.
    """

    @dataclass(frozen=True)
    class Config(Recipe):
        """``op_width``: of an operation's embedding. ``head``: of hidden layers."""

        width: int = 64
        layers: int = 5
        op_width: int = 48
        head: tuple = (200,)
        dropout: float = 0.1
        loss: str = "hinge"
        cost_loss: str = "l1"
        steps: int = 1500
        batch_size: int = 128

    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "paper": {
            "width": 128, "head": (300,) * 5, "epochs": 200, "batch_size": 512, "lr": 1e-3, "lr_floor": 1.0,
            "warmup": 0.0, "weight_decay": 0.0, "ema": 0.0,
        },
    }  # fmt: skip

    def build(self, n_ops: int) -> nn.Module:
        return GATES(n_ops, self.config)
