"""AdamW in a few lines. `torch.optim` costs two seconds to import, as much as a small model takes to train."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class AdamW:
    """Adam with decoupled weight decay (Loshchilov and Hutter, ICLR 2019); vectors (biases, norms) are not decayed."""

    def __init__(
        self,
        model: nn.Module,
        weight_decay: float,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
    ) -> None:
        self.params = [p for p in model.parameters() if p.requires_grad]
        self.groups = [
            _Group([p for p in self.params if p.ndim >= 2], weight_decay),
            _Group([p for p in self.params if p.ndim < 2], 0.0),
        ]
        self.betas, self.eps = betas, eps

    @torch.no_grad()
    def step(self, lr: float) -> None:
        """One update at learning rate ``lr``; gradients are used up."""
        for g in self.groups:
            grads: list[Tensor] = [p.grad if p.grad is not None else torch.zeros_like(p) for p in g.params]
            if not grads:
                continue
            torch._foreach_add_(g.counts, 1)
            torch._fused_adamw_(
                g.params, grads, g.first, g.second, [], g.counts, lr=lr, beta1=self.betas[0], beta2=self.betas[1],
                weight_decay=g.weight_decay, eps=self.eps, amsgrad=False, maximize=False,
            )  # fmt: skip
        for p in self.params:
            p.grad = None

    def state(self) -> list[Tensor]:
        """Moments and step counts, as they are; copy them to keep them."""
        return [t for g in self.groups for part in (g.first, g.second, g.counts) for t in part]

    @torch.no_grad()
    def restore(self, state: list[Tensor]) -> None:
        """Take over what `state` gave."""
        for own, saved in zip(self.state(), state, strict=True):
            own.copy_(saved)


class _Group:
    """Parameters of one weight decay, with their moments and step counts."""

    def __init__(self, params: list[nn.Parameter], weight_decay: float) -> None:
        self.params, self.weight_decay = params, weight_decay
        self.first = [torch.zeros_like(p) for p in params]
        self.second = [torch.zeros_like(p) for p in params]
        self.counts = [torch.zeros((), device=p.device) for p in params]
