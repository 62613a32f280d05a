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
        self.first = [torch.zeros_like(p) for p in self.params]
        self.second = [torch.zeros_like(p) for p in self.params]
        self.decayed = [p for p in self.params if p.ndim >= 2]
        self.weight_decay, self.betas, self.eps, self.count = weight_decay, betas, eps, 0

    @torch.no_grad()
    def step(self, lr: float) -> None:
        """One update at learning rate ``lr``; gradients are used up."""
        self.count += 1
        b1, b2 = self.betas
        grads: list[Tensor] = [p.grad if p.grad is not None else torch.zeros_like(p) for p in self.params]
        torch._foreach_lerp_(self.first, grads, 1 - b1)
        torch._foreach_mul_(self.second, b2)
        torch._foreach_addcmul_(self.second, grads, grads, 1 - b2)
        if self.decayed:
            torch._foreach_mul_(self.decayed, 1 - lr * self.weight_decay)
        scale = torch._foreach_sqrt(self.second)
        torch._foreach_div_(scale, (1 - b2**self.count) ** 0.5)
        torch._foreach_add_(scale, self.eps)
        torch._foreach_addcdiv_(self.params, self.first, scale, -lr / (1 - b1**self.count))
        for p in self.params:
            p.grad = None
