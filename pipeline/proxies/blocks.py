"""Proxies of what the blocks of an untrained network do to what they are given."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from pipeline.proxies.networks import CellModule, Network

LEAST = 1e-6  # of a spectral norm (AZ-NAS, released code)


@contextmanager
def outputs(network: Network) -> Iterator[tuple[list[Tensor], list[Tensor]]]:
    """Of a pass within, (b, c, h, w) each: what stem, cells and reductions give, in their order; and the same and the
    outputs of the cells' operations, without gradients."""
    blocks: list[Tensor] = []
    layers: list[Tensor] = []

    def block(_: nn.Module, __: tuple[Tensor], out: Tensor) -> None:
        blocks.append(out)
        layers.append(out.detach())

    def operation(_: nn.Module, __: tuple[Tensor], out: Tensor) -> None:
        layers.append(out.detach())

    hooks = [module.register_forward_hook(block) for module in (network.stem, *network.stages)]
    cells = [module for module in network.stages if isinstance(module, CellModule)]
    hooks += [op.register_forward_hook(operation) for cell in cells for op in cell.ops]
    try:
        yield blocks, layers
    finally:
        for hook in hooks:
            hook.remove()


def entropies(blocks: list[Tensor]) -> Tensor:
    """Entropy of the shares that principal components have in the variance of each block's features, (blocks,)."""
    found = []
    for out in blocks:
        shares = torch.linalg.eigvalsh(covariance(out)).clamp(min=0)
        shares = shares / shares.sum().clamp(min=1e-30)
        found.append(-torch.xlogy(shares, shares).sum())
    return torch.stack(found)


def expressivity(entropies: Tensor) -> float:
    """Sum over the blocks (AZ-NAS, Lee and Ham, CVPR 2024, eq. 3)."""
    return float(entropies.sum())


def progressivity(entropies: Tensor) -> float:
    """The least that a block adds to the one before (AZ-NAS, eq. 4)."""
    return float(entropies.diff().min())


def trainability(blocks: list[Tensor], draw: torch.Generator) -> float:
    """2 - s - 1 / s, mean over cells, s the spectral norm of a cell's Jacobian between channels (AZ-NAS, eq. 5 to 8).

    ``blocks``: outputs one after another, with their graph; cells are those that keep the shape. The Jacobian is the
    mean over images and places of v' J times v, v random signs. Departures: reductions are left out, which all networks
    share; a cell that hands its input on counts like any other.
    """
    scores = []
    for given, out in zip(blocks, blocks[1:], strict=False):
        if given.shape != out.shape:
            continue
        signs = 2.0 * torch.randint(2, out.shape, generator=draw) - 1
        back = None
        if out.requires_grad:
            back = torch.autograd.grad(out, given, signs, retain_graph=True, allow_unused=True)[0]
        back = torch.zeros_like(given) if back is None else back
        jacobian = by_channel(back).T @ by_channel(signs) / signs[:, 0].numel()
        s = max(float(torch.linalg.matrix_norm(jacobian, 2)), LEAST)
        scores.append(2 - s - 1 / s)
    return sum(scores) / len(scores)


def meco(layers: list[Tensor]) -> float:
    """Sum over layers of the least eigenvalue of the correlations between channels (MeCo, Jiang et al., NeurIPS 2023).

    Departures: correlations over all images, where the paper has one; layers are `outputs`, where the released code
    takes every module. A channel that does not vary correlates with none.
    """
    total = 0.0
    for out in layers:
        c = covariance(out)
        spread = c.diagonal().sqrt()
        correlation = c / (spread[:, None] * spread).clamp(min=1e-30)
        total += max(float(torch.linalg.eigvalsh(correlation)[0]), 0.0)
    return total


def covariance(out: Tensor) -> Tensor:
    """Between channels, over images and places: (b, c, h, w) -> (c, c) float64."""
    rows = by_channel(out.detach()).double()
    rows = rows - rows.mean(0)
    return rows.T @ rows / len(rows)


def by_channel(out: Tensor) -> Tensor:
    """(b, c, h, w) -> (b h w, c)."""
    return out.transpose(0, 1).flatten(1).T
