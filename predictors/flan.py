"""FLAN (Akhauri and Abdelfattah, ICML 2024, arXiv 2403.02484): flow attention, gated flow joined with attention."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor, nn

from predictors.kit.flow import Encoder, GatedFlow, Head, Mean
from predictors.kit.neural import NeuralPredictor
from predictors.kit.train_loop import Recipe


class FLAN(nn.Module):
    """Operations (b, N), adjacency (b, N, N), real nodes (b, N) -> (b,): the mean over all nodes but the first."""

    def __init__(self, n_ops: int, c: Predictor.Config) -> None:
        super().__init__()
        against = Mean if c.attend_against else GatedFlow
        self.encoder = Encoder(n_ops, c.width, c.layers, c.op_width, c.times, Mean, against)
        self.head = Head(c.width, (c.head,) * 3, c.dropout)

    def forward(self, op: Tensor, adj: Tensor, mask: Tensor) -> Tensor:
        x = self.encoder(op, adj, mask)[:, 1:]
        real = mask[:, 1:, None].to(x.dtype)
        return self.head((x * real).sum(1) / real.sum(1).clamp(min=1))


class Predictor(NeuralPredictor):
    """Each layer is the mean of a gated flow and a gated attention; operations are refined as in TA-GATES.

    Preset ``paper``: the released run: five layers of 128 in both directions, attention in either, 150 epochs in
    batches of 8, AdamW, a cosine from 1e-3 to 1e-6. Departures: attention over parents and the node itself alone (see
    `kit.flow`); dead operations are no nodes of the cell; the last epoch's weights, where the paper reports the mean
    tau of the last five epochs; neither zero-cost proxies, nor learned encodings, nor other search spaces to transfer
    from, which the paper adds. The default is narrower and has gated flows alone against the edges; its batches are
    larger, its weights averaged.
    """

    takes_proxies: ClassVar[bool] = True

    @dataclass(frozen=True)
    class Config(Recipe):
        """``times``: passes along the edges; ``attend_against``: whether those against them have attention, too.
        ``op_width``: of an embedded operation. ``head``: of hidden layers."""

        width: int = 64
        layers: int = 4
        times: int = 2
        attend_against: bool = False
        op_width: int = 48
        head: int = 200
        dropout: float = 0.1
        loss: str = "hinge"
        cost_loss: str = "l1"

    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "paper": {
            "width": 128, "layers": 5, "attend_against": True, "epochs": 150, "batch_size": 8, "lr": 1e-3,
            "lr_floor": 1e-3, "warmup": 0.0, "weight_decay": 1e-5, "ema": 0.0,
        },
    }  # fmt: skip

    def build(self, n_ops: int) -> nn.Module:
        return FLAN(n_ops, self.config)
