"""Layers that several predictors share."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def dropout(x: Tensor, p: float, training: bool) -> Tensor:
    """Inverted dropout with ``p`` rounded to 1/256, so that one 64-bit random number serves eight elements.

    On a processor torch draws a number for each element, which takes a seventh of a small transformer's time.
    """
    cut = round(256 * p)
    if not training or cut == 0:
        return x
    if x.is_cuda:
        return F.dropout(x, cut / 256, True)
    bits = torch.empty((x.numel() + 7) // 8, dtype=torch.int64).random_(-(2**63), None)
    keep = bits.view(torch.uint8)[: x.numel()].view(x.shape) >= cut
    return x * (keep * (256 / (256 - cut)))


def softmax(x: Tensor, dim: int = -1) -> Tensor:
    """Softmax along ``dim``, exactly zero where ``x`` is -inf; not all of a row may be.

    Of rows of ten numbers torch's own takes five times as long, and any takes long to raise e to -inf.
    """
    return _Softmax.apply(x, dim)


class _Softmax(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor, dim: int) -> Tensor:
        weight = (x - x.amax(dim, keepdim=True)).clamp_(min=-80).exp_().mul_(x > -torch.inf)
        weight /= weight.sum(dim, keepdim=True)
        ctx.dim = dim
        ctx.save_for_backward(weight)
        return weight

    @staticmethod
    def backward(ctx, grad: Tensor):
        (weight,) = ctx.saved_tensors
        part = grad * weight
        return part - weight * part.sum(ctx.dim, keepdim=True), None


class Packing:
    """Real rows of padded tensors (b, N, d), laid end to end as (T, d), so that no arithmetic is spent on padding."""

    def __init__(self, mask: Tensor) -> None:
        self.shape = mask.shape
        self.index = mask.flatten().nonzero()[:, 0]

    def pack(self, x: Tensor) -> Tensor:
        """(b, N, d) -> (T, d)."""
        return _Take.apply(x.flatten(0, 1), self.index)

    def pad(self, x: Tensor) -> Tensor:
        """(T, d) -> (b, N, d), zero at padding."""
        return _Put.apply(x, self.index, self.shape.numel()).view(*self.shape, -1)


class _Take(torch.autograd.Function):
    """Rows at an index without repeats; its gradient is a copy, where torch's own would add row by row."""

    @staticmethod
    def forward(ctx, x: Tensor, index: Tensor) -> Tensor:
        ctx.index, ctx.n = index, len(x)
        return x.index_select(0, index)

    @staticmethod
    def backward(ctx, grad: Tensor):
        return grad.new_zeros(ctx.n, grad.shape[1]).index_copy_(0, ctx.index, grad), None


class _Put(torch.autograd.Function):
    """The reverse of `_Take`: rows to their places among n."""

    @staticmethod
    def forward(ctx, x: Tensor, index: Tensor, n: int) -> Tensor:
        ctx.index = index
        return x.new_zeros(n, x.shape[1]).index_copy_(0, index, x)

    @staticmethod
    def backward(ctx, grad: Tensor):
        return grad.index_select(0, ctx.index), None, None
