"""TA-GATES (Ning et al., NeurIPS 2022): encodes a cell by passes along and against its edges that imitate training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor, nn

from predictors.kit.flow import Encoder, Head, at_output
from predictors.kit.neural import NeuralPredictor
from predictors.kit.train_loop import Recipe


class TAGATES(nn.Module):
    """Operations (b, N), adjacency (b, N, N), real nodes (b, N) -> (b,): the last pass at the output, then a head."""

    def __init__(self, n_ops: int, c: Predictor.Config) -> None:
        super().__init__()
        self.encoder = Encoder(n_ops, c.width, c.layers, c.op_width, c.times)
        self.head = Head(c.width, c.head, c.dropout)

    def forward(self, op: Tensor, adj: Tensor, mask: Tensor) -> Tensor:
        x = self.encoder(op, adj, mask)
        return self.head((x * at_output(mask)[..., None]).sum(1))


class Predictor(NeuralPredictor):
    """GATES whose operations are changed, ``times`` - 1 times, by the information that reaches them from both sides.

    Preset ``paper``: the released configuration for NAS-Bench-201: four passes, 128 wide, five hidden layers of 300
    after the encoder, 200 epochs in batches of 512, Adam at a constant 1e-3. Departures: operations on nodes where the
    paper has them on the edges of NAS-Bench-201, and therefore five layers instead of three, so that information can
    reach the output of the longest cell; equal operations start alike, where the paper breaks the symmetry by
    zero-cost statistics of each operation's weights, which a graph does not have; every operation is changed (released:
    convolutions alone), by what its node holds (released: by the messages on its edge); what a node itself holds passes
    beside the gate at every node; all pairs of a batch (released: four a cell, drawn anew). The default has two passes,
    narrower layers, and averaged and decayed weights.
    """

    @dataclass(frozen=True)
    class Config(Recipe):
        """``times``: passes along the edges. ``op_width``: of an embedded operation. ``head``: of hidden layers."""

        width: int = 64
        layers: int = 5
        times: int = 2
        op_width: int = 48
        head: tuple = (200, 200, 200)
        dropout: float = 0.1
        loss: str = "hinge"
        cost_loss: str = "l1"
        batch_size: int = 128

    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "paper": {
            "width": 128, "times": 4, "head": (300,) * 5, "epochs": 200, "batch_size": 512, "lr": 1e-3,
            "lr_floor": 1.0, "warmup": 0.0, "weight_decay": 0.0, "ema": 0.0,
        },
    }  # fmt: skip

    def build(self, n_ops: int) -> nn.Module:
        return TAGATES(n_ops, self.config)
