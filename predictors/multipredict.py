"""MultiPredict (Akhauri and Abdelfattah, AutoML 2023, arXiv 2306.02459): a learned vector a device, beside proxies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipeline.core.graphs import Graphs, to_device
from predictors import nasflat
from predictors.kit.cells import require_cells
from predictors.kit.features import flat_cells
from predictors.kit.global_node import with_global_node
from predictors.kit.groups import chain_length
from predictors.kit.proxies import scale_of
from predictors.kit.stand_in import spearman
from predictors.kit.train_loop import Recipe


def perceptron(*widths: int) -> nn.Sequential:
    """Linear layers of these widths with ReLU between them."""
    layers = [layer for pair in zip(widths, widths[1:], strict=False) for layer in (nn.Linear(*pair), nn.ReLU())]
    return nn.Sequential(*layers[:-1])


class CellEncoder(nn.Module):
    """Nodes (b, N + 1, n_ops + 1), the global one first, and who listens to whom -> (b, n_out), off the global node."""

    def __init__(self, n_ops: int, width: int, layers: int, n_out: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(n_ops + 1 if i == 0 else width, width) for i in range(layers))
        self.head = perceptron(width, width, width, n_out)

    def forward(self, x: Tensor, links: Tensor) -> Tensor:
        for layer in self.layers:
            x = F.relu(links @ layer(x))
        return self.head(x[:, 0])


class MultiPredict(nn.Module):
    """What ``encoder`` takes of b networks, their proxies (b, P) where P > 0, device ids (b,) -> (b,)."""

    def __init__(self, encoder: nn.Module, n_proxies: int, n_devices: int, c: Predictor.Config) -> None:
        super().__init__()
        self.encoder, self.device, self.n_proxies = encoder, nn.Embedding(n_devices, c.device_dim), n_proxies
        self.head = perceptron(c.network_dim + c.device_dim + n_proxies, c.head, c.head, 1)

    def forward(self, *inputs: Tensor) -> Tensor:
        *network, device = inputs
        proxies = [network.pop()] if self.n_proxies else []
        return self.head(torch.cat([self.encoder(*network), self.device(device), *proxies], 1)).squeeze(-1)


class Predictor(nasflat.Predictor):
    """Learned on all source devices, then tuned on the new device's labels, its vector starting from that of the source
    whose labels agree best with them (Spearman). A graph network encodes cells; chains of one length, as FBNet's, have
    the operation at each place and a perceptron, as in the released code.

    With ``proxies: true`` zero-cost proxies stand beside the encoded graph, as in the figures that NASFLAT's paper
    publishes of it; without, it is the released code's ``vec``, the graph alone. Departures: thirteen proxies, of small
    networks (`pipeline.proxies`), cut off at three quartile deviations; none for FBNet, where the paper has some; no
    latencies on the sources as an encoding (``hwl_vec``), which networks that are held out on every device don't have;
    labels are standardised logarithms, where the released code scales them by the extremes of all networks, held out or
    not, and ends in a sigmoid; networks have all their source devices; tuned once, not ten times for a sum. Absolute
    error, AdamW and the cosine schedule are as released. The default is smaller and takes fewer steps; preset ``paper``
    has the released sizes (those of cells) and steps. Alone, one device makes it an ordinary predictor; without a label
    of the new device the source that is most like the others stands in for it.
    """

    takes_proxies: ClassVar[bool] = True

    @dataclass(frozen=True)
    class Config(Recipe):
        """``network_dim``, ``device_dim``: sizes of an encoded network and device. ``tune_steps``, ``tune_lr``: the
        second stage."""

        width: int = 64
        layers: int = 4
        network_dim: int = 30
        device_dim: int = 8
        head: int = 128
        loss: str = "l1"
        cost_loss: str = "l1"
        steps: int = 600
        weight_decay: float = 5e-4
        tune_steps: int = 100
        tune_lr: float = 4e-4

    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "paper": {
            "width": 200, "head": 512, "steps": 0, "epochs": 150, "batch_size": 64, "lr": 4e-4, "warmup": 0.0,
            "ema": 0.0,
        },
    }  # fmt: skip

    def build(self, n_ops: int) -> nn.Module:
        c, n_proxies = self.config, len(self.notes["proxies"][0]) if "proxies" in self.needs else 0
        length = self.notes["length"]
        encoder = (
            perceptron(length * n_ops, c.width, c.width, c.network_dim)
            if length
            else CellEncoder(n_ops, c.width, c.layers, c.network_dim)
        )
        return MultiPredict(encoder, n_proxies, self.notes["devices"], c)

    def fit(self, train_graphs: Graphs, y: Tensor, val: Graphs | None = None, y_val: Tensor | None = None) -> None:
        require_cells(train_graphs)
        self.notes |= {"length": chain_length(train_graphs)}
        self.notes |= {"proxies": scale_of(train_graphs)} if "proxies" in self.needs else {}
        super().fit(train_graphs, y, val, y_val)

    def _seeing_proxies(self, module: nn.Module) -> nn.Module:
        return module  # which sees them already

    def _nearest_source(self, inputs: list[Tensor], z: Tensor) -> int:
        *sources, new = z.cpu().T
        agreement = [spearman(known, new) for known in sources]
        return agreement.index(max(agreement))

    def _encoded(self, graphs: Graphs) -> tuple[Tensor, ...]:
        length, n_ops = self.notes["length"], len(graphs.vocab)
        if length:
            return (flat_cells(graphs, length)[:, : length * n_ops].float().to(self.torch_device),)
        return with_global_node(to_device(graphs.dense(), self.torch_device), n_ops)
