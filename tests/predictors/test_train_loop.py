"""The training loop: losses by hand, the optimiser against torch's, schedule, batches, checkpoints."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from pipeline.core.errors import BenchError
from predictors.base import Diverged
from predictors.kit import train_loop as loop
from predictors.kit.layers import dropout
from predictors.kit.neural import along_curve, quantile_curve
from predictors.kit.optim import AdamW

PRED = torch.tensor([0.0, 1.0, 3.0])
LABEL = torch.tensor([1.0, 3.0, 2.0])  # better pairs: (1, 0), (2, 0), (1, 2)
DIFFERENCES = torch.tensor([1.0, 3.0, -2.0])


def test_losses_by_hand():
    assert loop.mse(PRED, LABEL).item() == pytest.approx((1 + 4 + 1) / 3)
    assert loop.l1(PRED, LABEL).item() == pytest.approx((1 + 2 + 1) / 3)
    assert loop.bce(PRED, LABEL).item() == pytest.approx((1 + (-DIFFERENCES).exp()).log().mean().item())
    assert loop.hinge(PRED, LABEL).item() == pytest.approx((0 + 0 + 2.1) / 3)
    best_first = [1.0, 3.0, 0.0]
    expected = sum(math.log(sum(map(math.exp, best_first[i:]))) - best_first[i] for i in range(3)) / 3
    assert loop.listmle(PRED, LABEL).item() == pytest.approx(expected, rel=1e-5)
    assert loop.pair_l1(PRED, LABEL).item() == pytest.approx((abs(-3 + 1) + abs(1 - 2) + abs(2 - -1)) / 3)


def test_equal_labels_make_no_pairs():
    same = torch.ones(3)
    assert loop.hinge(PRED, same).item() == 0
    assert loop.bce(PRED, same).item() == 0


def test_a_sum_of_losses():
    got = loop.parse_loss("0.5*mse+hinge")(PRED, LABEL).item()
    assert got == pytest.approx(0.5 * 2 + 0.7)


@pytest.mark.parametrize("text", ["", "mae", "mse+", "x*mse", "mse*2"])
def test_an_unknown_loss_is_one_clear_error(text):
    with pytest.raises(BenchError, match="names: mse"):
        loop.parse_loss(text)


def test_adamw_equals_torch():
    torch.manual_seed(0)
    ours, theirs = nn.Linear(5, 3), nn.Linear(5, 3)
    theirs.load_state_dict(ours.state_dict())
    mine = AdamW(ours, weight_decay=0.1)
    groups = [{"params": [theirs.weight], "weight_decay": 0.1}, {"params": [theirs.bias], "weight_decay": 0.0}]
    reference = torch.optim.AdamW(groups, lr=0.01)
    for _ in range(20):
        x = torch.randn(7, 5)
        for model in (ours, theirs):
            model(x).square().sum().backward()
        mine.step(0.01)
        reference.step()
        reference.zero_grad()
    torch.testing.assert_close(ours.weight, theirs.weight, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(ours.bias, theirs.bias, rtol=1e-5, atol=1e-6)


def test_schedule_warms_up_then_falls_to_zero():
    rates = [loop.learning_rate(i, 100, 0.1) for i in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[9] == rates[10] == 1.0
    assert all(a >= b for a, b in zip(rates[10:], rates[11:], strict=False))
    assert rates[-1] < 0.001


def test_batches_are_full_and_visit_all_items_equally():
    drawn = torch.cat(list(itertools.islice(loop.batches(10, 4, torch.Generator().manual_seed(0)), 25)))
    assert drawn.bincount().tolist() == [10] * 10


def test_batches_by_size_hold_one_size_and_visit_all_items_equally():
    sizes = torch.tensor([5, 3, 5, 5, 3, 8, 5, 5])  # five, two and one: 3 + 1 + 1 batches of at most two a pass
    drawn = list(itertools.islice(loop.batches_by_size(sizes, 2, torch.Generator().manual_seed(0)), 3 * 5))
    assert all(len(sizes[index].unique()) == 1 and len(index) <= 2 for index in drawn)
    assert torch.cat(drawn).bincount().tolist() == [3] * 8
    assert [len(i) for i in drawn[:5]] != [len(i) for i in drawn[5:10]] or [i.tolist() for i in drawn[:5]] != [
        i.tolist() for i in drawn[5:10]
    ]


def linear_task():
    torch.manual_seed(0)
    x = torch.randn(64, 3)
    return nn.Sequential(nn.Linear(3, 1), nn.Flatten(0)), x, x @ torch.tensor([1.0, -2.0, 0.5])


def test_training_learns_and_repeats_itself():
    results = []
    for _ in range(2):
        model, x, y = linear_task()
        recipe = loop.Recipe(epochs=60, batch_size=16, lr=0.05, weight_decay=0.0, ema=0.9)
        model = loop.train(model, lambda i, x=x: (x[i],), y, recipe, seed=0)
        results.append(model(x))
    assert torch.nn.functional.mse_loss(results[0], y) < 1e-2
    assert torch.equal(*results)


def test_a_loss_that_is_not_finite_is_divergence():
    model, x, y = linear_task()
    with pytest.raises(Diverged, match="step"):
        loop.train(model, lambda i: (x[i],), y * float("nan"), loop.Recipe(epochs=1), seed=0)


def test_validation_keeps_the_best_checkpoint():
    """With a score that falls at every look, the first checkpoint is the one returned."""
    model, x, y = linear_task()
    scores = iter(range(100, 0, -1))
    early = []

    def validate(module):
        early.append([p.clone() for p in module.parameters()])
        return next(scores)

    best = loop.train(model, lambda i: (x[i],), y, loop.Recipe(epochs=40, lr=0.1), 0, validate)
    assert len(early) == 20
    assert all(torch.equal(a, b) for a, b in zip(best.parameters(), early[0], strict=True))


def test_the_consistency_term_needs_dropout_to_count():
    """Without dropout both passes agree: the term is zero and training is unchanged."""
    outputs = []
    for weight in (0.0, 1.0):
        model, x, y = linear_task()
        recipe = loop.Recipe(epochs=5, consistency=weight)
        outputs.append(loop.train(model, lambda i, x=x: (x[i],), y, recipe, 0)(x))
    torch.testing.assert_close(*outputs)


@pytest.mark.parametrize("p", [0.1, 0.5])
def test_dropout_keeps_the_mean_and_the_share(p):
    torch.manual_seed(0)
    ones = torch.ones(997, 501)
    dropped = dropout(ones, p, True)
    assert (dropped == 0).float().mean().item() == pytest.approx(round(256 * p) / 256, abs=0.003)
    assert dropped.mean().item() == pytest.approx(1, abs=0.005)
    by_byte = (dropped.flatten()[: 8 * 60000].view(-1, 8) == 0).float().mean(0)
    assert (by_byte - p).abs().max() < 0.01
    assert dropout(ones, p, False) is ones


@given(st.integers(2, 60), st.integers(0, 1000), st.booleans())
def test_the_curve_into_units_keeps_every_order(n, seed, flat):
    draw = torch.Generator().manual_seed(seed)
    x = torch.randn(n, generator=draw, dtype=torch.float64)
    y = torch.randn(n, generator=draw, dtype=torch.float64)
    y = y.round() if flat else y
    curve = quantile_curve(x, y)
    grid = torch.linspace(-5, 5, 200, dtype=torch.float64)
    assert (along_curve(grid, *curve).diff() > 0).all()


def test_the_curve_takes_quantiles_to_quantiles():
    x = torch.arange(101, dtype=torch.float64)
    curve = quantile_curve(x, x.square())
    at = torch.tensor([0.0, 25.0, 50.0, 100.0], dtype=torch.float64)
    torch.testing.assert_close(along_curve(at, *curve), at.square())
    assert along_curve(torch.tensor([120.0], dtype=torch.float64), *curve).item() > 10_000
    same = torch.ones(5, dtype=torch.float64)
    assert along_curve(same, *quantile_curve(same, torch.arange(5.0, dtype=torch.float64))).tolist() == [2.0] * 5
