"""Each proxy against a network or numbers worked by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from pipeline.proxies import measures
from pipeline.proxies.networks import Network, Skeleton
from tests.helpers.cell_graphs import EMPTY, TWO_WAYS

SMALL = Skeleton(channels=4, cells=1, size=8, batch=3)


def test_synflow_of_two_layers_is_the_sum_over_paths_once_a_layer():
    """Weights 2 and -3, image of four ones: R = 4 * |2| * |-3|, and each of two layers gives R once."""
    network = nn.Sequential(nn.Conv2d(3, 1, 1, bias=False), nn.BatchNorm2d(1), nn.Conv2d(1, 1, 1, bias=False))
    with torch.no_grad():
        network[0].weight.copy_(torch.tensor([2.0, 0, 0]).view(1, 3, 1, 1))
        network[2].weight.fill_(-3.0)
    assert measures.synflow(network, 2) == pytest.approx(math.log1p(2 * 4 * 6))
    assert network[2].weight.item() == -3.0  # the network itself is left alone


def test_naswot_of_two_images():
    """Three ReLUs, of which two are alike: K + I = [[4, 2], [2, 4]], of determinant 12."""
    signs = [torch.tensor([[1.0, 0.0], [1.0, 1.0]]), torch.tensor([[0.0], [0.0]])]
    assert measures.naswot(signs) == pytest.approx(math.log(12))


def test_jacob_cov_of_images_that_are_independent_and_of_images_that_are_alike():
    """Uncorrelated rows: eigenvalues 1 and 1; the same row twice, or none at all: 2 and 0."""
    k = measures.CONSTANT
    apart = torch.tensor([[1.0, -1.0, 0.0, 0.0], [0.0, 0.0, 2.0, -2.0]])
    alike = torch.tensor([[1.0, -1.0], [3.0, -3.0]])
    assert measures.jacob_cov(apart) == pytest.approx(-2 * (math.log(1 + k) + 1 / (1 + k)))
    expected = -(math.log(2 + k) + 1 / (2 + k) + math.log(k) + 1 / k)
    for same in (alike, torch.zeros(2, 5)):
        assert measures.jacob_cov(same) == pytest.approx(expected, rel=1e-6)


def test_zen_adds_what_normalisation_takes_off():
    """Features 5 apart; variances 4 (after a convolution of fan-in 8) and 9 (after none)."""
    features = torch.zeros(1, 2, 1, 1)
    moved = torch.tensor([3.0, 4.0]).view(1, 2, 1, 1)
    inputs = [(torch.tensor([3.0, 5.0]), 8), (torch.tensor([9.0]), 0)]
    assert measures.zen(features, moved, inputs) == pytest.approx(math.log(5 * 2 * 2 * 3))


def test_gradients_of_a_linear_classifier():
    """Of the classifier alone, by the formula of softmax: (p - onehot) outer features, mean over the images."""
    network = Network(EMPTY, SMALL, seed=0)
    found, _ = measures.proxies(network, SMALL, seed=1)
    draw = torch.Generator().manual_seed(1)
    images, _ = (torch.randn(3, 3, 8, 8, generator=draw) for _ in range(2))
    classes = torch.randint(10, (3,), generator=draw)
    features = network.features(images).mean((2, 3))
    wrong = network.classifier(features).softmax(1) - nn.functional.one_hot(classes, 10)
    gradient = wrong.T @ features / 3
    # The empty cell hands on zeros, so that no other layer has a gradient.
    assert found["grad_norm"] == pytest.approx(math.log1p(gradient.norm().item()), abs=1e-6)
    assert found["snip"] == pytest.approx(
        math.log1p((gradient * network.classifier.weight).abs().sum().item()), abs=1e-6
    )


def test_norms_of_weights_and_counts():
    network = Network(EMPTY, SMALL, seed=0)
    found, _ = measures.proxies(network, SMALL, seed=0)
    convolutions = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    assert found["l2_norm"] == pytest.approx(sum(layer.weight.square().sum().sqrt().item() for layer in convolutions))
    assert found["params"] == sum(p.numel() for p in network.parameters())


def test_all_are_finite_timed_and_the_same_again():
    for cell in (EMPTY, TWO_WAYS):
        (found, seconds), (again, _) = (
            measures.proxies(Network(measures_cell(cell), SMALL, 0), SMALL, seed=0) for _ in range(2)
        )
        assert list(found) == list(seconds) == list(measures.NAMES)
        assert found == again and all(map(math.isfinite, found.values()))
        assert all(value >= 0 for value in seconds.values())


def measures_cell(cell):
    from pipeline.proxies.run import IDENTITY
    from pipeline.spaces.cells import fold

    return fold(*cell, IDENTITY)
