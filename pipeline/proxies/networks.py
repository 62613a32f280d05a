"""The network of a NAS-Bench-201 cell in torch: the published macro skeleton, with fewer cells."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from pipeline.spaces.cells import Cell

CLASSES = 10


class Skeleton(NamedTuple):
    """Size of the networks. Published (Dong and Yang, ICLR 2020, section 2.1): 16 channels, 5 cells, images of 32."""

    channels: int = 8
    cells: int = 2  # a stage
    size: int = 16  # of an image
    batch: int = 24


class ReluConvBn(nn.Sequential):
    """ReLU, convolution without bias, batch normalisation: an operation of a cell."""

    def __init__(self, n_in: int, n_out: int, kernel: int, stride: int = 1) -> None:
        convolution = nn.Conv2d(n_in, n_out, kernel, stride, kernel // 2, bias=False)
        super().__init__(nn.ReLU(), convolution, nn.BatchNorm2d(n_out))


def operation(name: str, channels: int) -> nn.Module:
    """The module of an operation that keeps the number of channels."""
    if name == "avg_pool_3x3":
        return nn.AvgPool2d(3, 1, 1, count_include_pad=False)
    return ReluConvBn(channels, channels, {"nor_conv_1x1": 1, "nor_conv_3x3": 3}[name])


class CellModule(nn.Module):
    """A folded cell (`pipeline.spaces.cells.fold`): a node applies its operation to the sum of what leads to it.

    An edge that stands twice is added twice. Without an edge to the output the answer is zero.
    """

    def __init__(self, cell: Cell, channels: int) -> None:
        super().__init__()
        self.parents = [[a for a, b in cell.edges if b == node] for node in range(len(cell.labels))]
        self.ops = nn.ModuleList(operation(name, channels) for name in cell.labels[1:-1])

    def forward(self, x: Tensor) -> Tensor:
        states = [x]
        for node, parents in enumerate(self.parents[1:], 1):
            total = sum(states[parent] for parent in parents) if parents else torch.zeros_like(x)
            states.append(self.ops[node - 1](total) if node <= len(self.ops) else total)
        return states[-1]


class Reduction(nn.Module):
    """The residual block between stages: twice the channels, half the size."""

    def __init__(self, n_in: int) -> None:
        super().__init__()
        self.branch = nn.Sequential(ReluConvBn(n_in, 2 * n_in, 3, 2), ReluConvBn(2 * n_in, 2 * n_in, 3))
        self.shortcut = nn.Sequential(nn.AvgPool2d(2, 2), nn.Conv2d(n_in, 2 * n_in, 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        return self.branch(x) + self.shortcut(x)


class Network(nn.Module):
    """Stem, three stages of equal cells with reductions between them, ReLU, global mean and a linear classifier.

    Convolutions and classifier start as He normal numbers of ``seed`` (He et al., ICCV 2015).
    """

    def __init__(self, cell: Cell, skeleton: Skeleton, seed: int) -> None:
        super().__init__()
        channels = skeleton.channels
        self.stem = nn.Sequential(nn.Conv2d(3, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels))
        stages: list[nn.Module] = []
        for stage in range(3):
            stages += [Reduction(channels)] if stage else []
            channels *= 2 if stage else 1
            stages += [CellModule(cell, channels) for _ in range(skeleton.cells)]
        self.stages = nn.Sequential(*stages)
        self.last = nn.Sequential(nn.BatchNorm2d(channels), nn.ReLU())
        self.classifier = nn.Linear(channels, CLASSES)
        draw = torch.Generator().manual_seed(seed)
        for weight in weights(self):
            with torch.no_grad():
                weight.normal_(0.0, math.sqrt(2 / fan_in(weight)), generator=draw)
        nn.init.zeros_(self.classifier.bias)

    def features(self, x: Tensor) -> Tensor:
        """(b, channels, h, w): what the global mean is taken of."""
        return self.last(self.stages(self.stem(x)))

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.features(x).mean((2, 3)))


def weights(network: nn.Module) -> list[Tensor]:
    """Weights of the convolutions and linear layers."""
    return [layer.weight for layer in network.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]


def fan_in(weight: Tensor) -> int:
    """How many numbers each output of a layer is a sum of."""
    return weight[0].numel()


def flops(network: nn.Module, size: int) -> float:
    """FLOPs of convolutions and linear layers on one image of ``size``; a multiplication and addition are two."""
    total = 0.0

    def count(layer: nn.Module, _: tuple[Tensor], out: Tensor) -> None:
        nonlocal total
        places = out[0, 0].numel() if out.ndim == 4 else 1
        total += 2.0 * layer.weight.numel() * places

    layers = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    hooks = [layer.register_forward_hook(count) for layer in layers]
    try:
        with torch.inference_mode():
            network.eval()(torch.zeros(1, 3, size, size))
    finally:
        network.train()
        for hook in hooks:
            hook.remove()
    return total
