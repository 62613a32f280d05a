"""Cells with a global node, as BRP-NAS (Dudziak et al., NeurIPS 2020) gives them to a graph network."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from pipeline.core.graphs import Dense


def with_global_node(dense: Dense, n_ops: int) -> tuple[Tensor, Tensor]:
    """Operations one-hot with a global node in front (n, N + 1, n_ops + 1), and who listens to whom.

    A node listens to itself and its parents, the global node to all; each takes the sum of what it hears.
    """
    x = F.pad(F.one_hot(dense.op, n_ops).float() * dense.mask[..., None], (0, 1, 1, 0))
    x[:, 0, -1] = 1
    links = F.pad(dense.adj.mT.float(), (1, 0, 1, 0))
    links[:, 0, 1:] = dense.mask.float()
    return x, links + torch.eye(links.shape[-1], device=links.device)
