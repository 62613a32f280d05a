"""Proxies of blocks against features and Jacobians worked by hand."""

from __future__ import annotations

import math

import pytest
import torch

from pipeline.proxies import blocks
from pipeline.proxies.networks import Network, Skeleton
from pipeline.proxies.run import IDENTITY
from pipeline.spaces.cells import fold
from tests.helpers.cell_graphs import TWO_WAYS

SMALL = Skeleton(channels=4, cells=1, size=8, batch=3)
# Two channels at four places: apart, the same twice, and apart with variances 1 and 3.
APART = torch.tensor([[1.0, 1, -1, -1], [1.0, -1, 1, -1]]).view(1, 2, 2, 2)
ALIKE = APART[:, :1].expand(1, 2, 2, 2)
UNEVEN = APART * torch.tensor([1.0, 3**0.5]).view(1, 2, 1, 1)


def test_entropy_of_the_shares_of_principal_components():
    found = blocks.entropies([ALIKE, UNEVEN, APART, torch.zeros(1, 2, 2, 2)])
    uneven = -0.25 * math.log(0.25) - 0.75 * math.log(0.75)
    assert found.tolist() == pytest.approx([0.0, uneven, math.log(2), 0.0], abs=1e-6)
    assert blocks.expressivity(found) == pytest.approx(uneven + math.log(2))
    assert blocks.progressivity(found) == pytest.approx(-math.log(2))
    assert blocks.progressivity(found[:3]) == pytest.approx(math.log(2) - uneven)


def test_meco_is_one_where_channels_are_apart_and_nothing_where_they_are_alike():
    assert blocks.meco([APART]) == blocks.meco([UNEVEN]) == pytest.approx(1.0)
    assert blocks.meco([ALIKE]) == pytest.approx(0.0, abs=1e-9)
    assert blocks.meco([APART, ALIKE, UNEVEN]) == pytest.approx(2.0)
    assert blocks.meco([torch.cat([APART, torch.zeros(1, 1, 2, 2)], 1)]) == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize(("factor", "score"), [(1.0, 0.0), (3.0, -4 / 3), (0.5, -0.5)])
def test_a_block_that_multiplies_by_a_number_has_it_for_a_spectral_norm(factor, score):
    """One channel, so that v * v is 1 everywhere. A block of another shape before it does not count."""
    given = torch.randn(2, 1, 3, 3, requires_grad=True)
    other = given.expand(2, 4, 3, 3)
    draw = torch.Generator().manual_seed(0)
    assert blocks.trainability([other, given, factor * given], draw) == pytest.approx(score, abs=1e-6)


def test_signs_tell_channels_apart():
    """Jacobian diag(4, 1): its norm is 4, up to what 20,000 signs leave of chance."""
    given = torch.randn(50, 2, 20, 20, requires_grad=True)
    out = given * torch.tensor([4.0, 1.0]).view(1, 2, 1, 1)
    found = blocks.trainability([given, out], torch.Generator().manual_seed(0))
    assert found == pytest.approx(2 - 4 - 1 / 4, abs=0.05)


def test_a_cell_that_hands_on_nothing_can_not_be_trained():
    given = torch.randn(2, 1, 3, 3, requires_grad=True)
    found = blocks.trainability([given, torch.zeros(2, 1, 3, 3)], torch.Generator().manual_seed(0))
    assert found == pytest.approx(2 - blocks.LEAST - 1 / blocks.LEAST)


def test_outputs_are_those_of_stem_cells_reductions_and_operations():
    """Three stages of one cell with two reductions between; each cell has two operations."""
    network = Network(fold(*TWO_WAYS, IDENTITY), SMALL, seed=0)
    with blocks.outputs(network) as (by_block, by_layer):
        network.features(torch.randn(3, 3, 8, 8))
    assert [tuple(out.shape) for out in by_block] == [
        (3, 4, 8, 8), (3, 4, 8, 8), (3, 8, 4, 4), (3, 8, 4, 4), (3, 16, 2, 2), (3, 16, 2, 2),
    ]  # fmt: skip
    assert len(by_layer) == 6 + 3 * 2
    assert all(out.requires_grad for out in by_block) and not any(out.requires_grad for out in by_layer)
    network.features(torch.randn(3, 3, 8, 8))
    assert len(by_block) == 6  # nothing is recorded afterwards
