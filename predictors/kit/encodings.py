"""Encodings of padded graphs, computed once for a data set."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from predictors.kit.padded import SMALL


def laplacian_encoding(adj: Tensor, mask: Tensor, k: int) -> Tensor:
    """First ``k`` non-trivial eigenvectors of the symmetric normalised Laplacian, (n, N, k), zero at padding.

    Directions are dropped. Each vector's largest entry is made positive; that fixes the sign but not the basis of
    equal eigenvalues (Dwivedi and Bresson 2021, section 2.2).
    """
    a = (adj | adj.mT).double()
    scale = a.sum(-1).clamp(min=1).rsqrt()
    lap = torch.eye(a.shape[-1], dtype=a.dtype, device=a.device) - scale[:, :, None] * a * scale[:, None, :]
    lap = lap + torch.diag_embed(10.0 * (~mask).double())  # padding goes behind the real eigenvalues, all <= 2
    vectors = torch.linalg.eigh(lap).eigenvectors
    vectors = F.pad(vectors[..., 1 : k + 1], (0, max(0, k + 1 - a.shape[-1])))
    real = torch.arange(1, k + 1, device=a.device) < mask.sum(1, keepdim=True)
    vectors = vectors * mask[..., None] * real[:, None, :]
    peak = vectors.gather(1, vectors.abs().argmax(1, keepdim=True))
    return (vectors * torch.where(peak < 0, -1.0, 1.0)).float()


def shortest_paths(adj: Tensor) -> Tensor:
    """Edges on the shortest path i -> j along the data, (n, N, N) long: 0 for i = j, -1 where there is no path."""
    n = adj.shape[-1]
    distance = torch.full(adj.shape, -1, dtype=torch.long, device=adj.device)
    reach = torch.eye(n, dtype=torch.bool, device=adj.device).expand_as(adj)
    for step in range(n):
        distance = torch.where(reach & (distance < 0), step, distance)
        reach = (reach.float() @ adj.float()) > 0
        if not reach.any():
            break
    return distance


def laplacian_rows(adj: Tensor, width: int = SMALL) -> Tensor:
    """Row i of D - A with D the numbers of children, (n, N, width): zero beyond column N, cut off beyond ``width``."""
    a = adj.float()
    return F.pad(torch.diag_embed(a.sum(-1)) - a, (0, width - a.shape[-1]))


def eigenvectors(adj: Tensor, mask: Tensor, k: int) -> Tensor:
    """`laplacian_encoding` (n, N, k), each graph at its own size: equal eigenvalues leave the basis to the solver,
    whose choice would change with the padding."""
    sizes = mask.sum(1)
    encoding = torch.zeros(*mask.shape, k, device=adj.device)
    for size in sizes.unique().tolist():
        same_size = (sizes == size).nonzero()[:, 0]
        encoding[same_size, :size] = laplacian_encoding(adj[same_size, :size, :size], mask[same_size, :size], k)
    return encoding
