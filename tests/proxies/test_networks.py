"""Networks of cells against hand-worked numbers."""

from __future__ import annotations

import torch

from pipeline.proxies import run
from pipeline.proxies.networks import CellModule, Network, Skeleton, flops
from pipeline.spaces import cells
from tests.helpers.cell_graphs import EMPTY, TWO_WAYS

SMALL = Skeleton(channels=4, cells=1, size=8, batch=3)


def test_a_cell_adds_what_leads_to_a_node_and_an_edge_that_stands_twice_twice():
    x = torch.randn(2, 4, 8, 8)
    twice = cells.fold(
        ("input", "skip_connect", "skip_connect", "output"), [(0, 1), (0, 2), (1, 3), (2, 3)], run.IDENTITY
    )
    torch.testing.assert_close(CellModule(twice, 4)(x), 2 * x)
    assert CellModule(EMPTY, 4)(x).count_nonzero() == 0
    both = CellModule(cells.fold(*TWO_WAYS, run.IDENTITY), 4)
    torch.testing.assert_close(both(x), both.ops[0](x) + both.ops[1](x))


def test_parameters_and_operations_of_the_smallest_network_counted_by_hand():
    """Stem 3-4, reductions 4-8 and 8-16 (two convolutions of 3 and a shortcut of 1), batch norms, classifier 16-10."""
    network = Network(EMPTY, SMALL, seed=0)
    reductions = [(9 * n * 2 * n, 9 * 4 * n * n, 2 * n * n) for n in (4, 8)]
    weights = 27 * 4 + sum(map(sum, reductions)) + 160
    norms = 2 * (4 + 8 + 8 + 16 + 16 + 16)
    assert sum(p.numel() for p in network.parameters()) == weights + norms + 10
    assert flops(network, 8) == 2 * (27 * 4 * 64 + sum(reductions[0]) * 16 + sum(reductions[1]) * 4 + 160)


def test_the_seed_decides_the_weights():
    one, same, other = (Network(EMPTY, SMALL, seed).stem[0].weight for seed in (1, 1, 2))
    assert torch.equal(one, same) and not torch.equal(one, other)


def test_functions_are_those_of_the_space():
    networks = run.functions()
    assert len(networks) == cells.N_FUNCTIONS_201
    assert all("skip_connect" not in cell.labels for cell in networks.values())
    ops = ("nor_conv_3x3", "skip_connect", "none", "avg_pool_3x3", "none", "nor_conv_1x1")
    assert cells.iso_hash(*cells.fold(*cells.cell_201(ops), run.IDENTITY)) in networks
