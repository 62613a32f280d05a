"""Layers that several predictors share: the softmax is torch's, in value and in gradient."""

from __future__ import annotations

import pytest
import torch

from predictors.kit.layers import softmax


@pytest.mark.parametrize("dim", [-1, -2, 1])
def test_softmax_is_that_of_torch(dim):
    x = torch.randn(3, 4, 5, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: softmax(x, dim), x)
    torch.testing.assert_close(softmax(x, dim), x.softmax(dim))


def test_softmax_where_some_or_all_but_one_are_masked():
    x = torch.tensor(
        [[0.0, -torch.inf, 1.0], [-torch.inf, -500.0, -torch.inf], [700.0, 0.0, -700.0]], requires_grad=True
    )
    other = x.detach().clone().requires_grad_()
    weight = softmax(x)
    torch.testing.assert_close(weight, other.softmax(-1))
    assert (weight[x == -torch.inf] == 0).all()
    (weight * torch.arange(3)).sum().backward()
    (other.softmax(-1) * torch.arange(3)).sum().backward()
    torch.testing.assert_close(x.grad, other.grad)
