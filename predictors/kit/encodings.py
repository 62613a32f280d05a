"""Encodings of padded graphs, computed once for a data set."""

from __future__ import annotations

import torch
from torch import Tensor


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
    vectors = torch.nn.functional.pad(vectors[..., 1 : k + 1], (0, max(0, k + 1 - a.shape[-1])))
    real = torch.arange(1, k + 1, device=a.device) < mask.sum(1, keepdim=True)
    vectors = vectors * mask[..., None] * real[:, None, :]
    peak = vectors.gather(1, vectors.abs().argmax(1, keepdim=True))
    return (vectors * torch.where(peak < 0, -1.0, 1.0)).float()
