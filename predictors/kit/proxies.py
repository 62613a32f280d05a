"""Zero-cost proxies of networks as inputs: the setting ``proxies: true`` of a label (`pipeline.proxies`)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pipeline.core.graphs import Graphs

MOST = 3.0  # standard deviations: a network that computes nothing has proxies far from all others


def scale_of(graphs: Graphs) -> tuple[list[float], list[float]]:
    """Median of each proxy over the graphs, and its spread: quartiles as of a normal distribution, at least 1e-6."""
    low, middle, high = graphs.proxies.double().quantile(torch.tensor([0.25, 0.5, 0.75], dtype=torch.float64), dim=0)
    return middle.tolist(), ((high - low) / 1.349).clamp(min=1e-6).tolist()


def scaled(graphs: Graphs, scale: tuple[list[float], list[float]]) -> Tensor:
    """Proxies (n, P) float32, less the median, in units of the spread, cut off beyond `MOST`."""
    middle, spread = (torch.tensor(part, dtype=torch.float64) for part in scale)
    return ((graphs.proxies.double() - middle) / spread).clamp(-MOST, MOST).float()


class Beside(nn.Module):
    """``body`` without its last layer; a hidden layer reads what that read, (b, width), and the proxies (b, P) -> (b,).

    ``last``: the name of the layer of ``body``; ``width``: what it read.
    """

    def __init__(self, body: nn.Module, last: str, width: int, n_proxies: int) -> None:
        super().__init__()
        setattr(body, last, nn.Identity())
        self.body = body
        self.head = nn.Sequential(nn.Linear(width + n_proxies, width), nn.ReLU(), nn.Linear(width, 1))

    def forward(self, *inputs: Tensor) -> Tensor:
        *graph, proxies = inputs
        return self.head(torch.cat([self.body(*graph), proxies], 1)).squeeze(-1)


def beside(body: nn.Module, n_proxies: int) -> Beside:
    """`Beside` of a module whose last part begins with a linear layer."""
    name, last = list(body.named_children())[-1]
    first = next(layer for layer in last.modules() if isinstance(layer, nn.Linear))
    return Beside(body, name, first.in_features, n_proxies)
