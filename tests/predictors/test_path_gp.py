"""Statistics of paths against hand-worked values, and the Gaussian process on them."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import pytest
import torch

from pipeline.spaces import cells
from predictors.kit.features import normal_scores
from predictors.kit.path_statistics import path_statistics, subsets
from predictors.path_gp import Predictor, covariance, most_probable
from tests.helpers.cell_graphs import EMPTY, TWO_WAYS, graphs_of, small_space, synthetic_labels

CONV1, CONV3, POOL = (cells.VOCAB_201.index(name) for name in ("nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"))


def test_subsets_leave_out_what_computes_nothing():
    assert subsets(cells.VOCAB_201) == [
        (CONV1,), (CONV3,), (POOL,), (CONV1, CONV3), (CONV1, POOL), (CONV3, POOL), (CONV1, CONV3, POOL),
    ]  # fmt: skip


def test_paths_of_a_cell_with_two_ways_and_of_none():
    """conv3, and skip before conv1: two paths of one operation each."""
    found = path_statistics(graphs_of(TWO_WAYS, EMPTY))
    one_of_two = [1, 0, 1, 1, 0]  # most, fewest, together, paths with none, paths with two or more
    both = [1, 1, 2, 0, 0]
    assert found[0].tolist() == [2, *one_of_two, *one_of_two, 0, 0, 0, 2, 0, *both, *one_of_two, *one_of_two, *both]
    assert found[1].tolist() == [0] + 7 * [-1, -1, 0, 0, 0]


def test_paths_are_counted_with_how_many_operations_they_have():
    """Two diamonds in a row, conv3 or skip in each: 4 paths, with 2, 1, 1 and 0 of conv3."""
    ops = ("input", "nor_conv_3x3", "skip_connect", "skip_connect", "nor_conv_3x3", "skip_connect", "output")
    edges = ((0, 1), (0, 2), (1, 3), (2, 3), (3, 4), (3, 5), (4, 6), (5, 6))
    found = path_statistics(graphs_of(cells.Cell(ops, edges)))[0]
    assert found[0] == 4
    of_conv3 = 1 + 5 * subsets(cells.VOCAB_201).index((CONV3,))
    assert found[of_conv3 : of_conv3 + 5].tolist() == [2, 0, 4, 1, 1]


def test_cells_of_one_function_have_the_same_statistics():
    direct = cells.cell_201(("none", "none", "none", "nor_conv_3x3", "none", "none"))
    by_skip = cells.cell_201(("skip_connect", "none", "none", "none", "nor_conv_3x3", "none"))
    one, other = path_statistics(graphs_of(direct, by_skip))
    assert torch.equal(one, other)


def test_the_covariance_is_a_matern_and_a_linear_kernel_of_blocks():
    """From the origin, at 3 and 4 along lengths 1 and 2: 3 and 2 there. Variances 5 and 2; noise is not in it."""
    theta = torch.tensor([1.0, 2.0, 5.0, 2.0, 9.0], dtype=torch.float64).log()
    block = torch.tensor([0, 1])
    ends = torch.tensor([[0.0, 0.0], [3.0, 4.0]], dtype=torch.float64)
    r = math.sqrt(3 * (3**2 + 2**2))
    found = covariance(ends, ends, block, theta)
    apart = 2 * (1 + r) * math.exp(-r)
    torch.testing.assert_close(found, torch.tensor([[2.0, apart], [apart, 2 + 5 * 13]]).double())


def test_a_block_that_tells_nothing_gets_a_longer_length():
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(40, 3, generator=draw).double()
    block = torch.tensor([0, 1, 1])
    theta = most_probable(x, block, normal_scores(x[:, 0].sin()), spread=1.0)
    assert theta[1] > theta[0] + 0.5


def test_features_are_ranks_among_known_networks_and_blocks_weigh_the_same():
    """Any increasing function of a proxy tells the same; the known networks are all, where proxies are given."""
    graphs = small_space(90)
    labels = synthetic_labels(graphs, "accuracy")

    def fitted(proxy):
        seen = replace(graphs, proxy_names=("one",), proxies=proxy[:, None])
        predictor = Predictor({"proxies": True})
        predictor.unlabelled = seen
        predictor.fit(seen[:40], labels[:40])
        return predictor, seen

    proxy = torch.randn(90, generator=torch.Generator().manual_seed(0))
    (one, seen), (other, bent) = fitted(proxy), fitted(proxy.exp() ** 3)
    assert torch.equal(one.features(seen), other.features(bent))
    assert torch.equal(one.predict(seen), other.predict(bent))
    known = one.features(seen[seen.distinct()[0]])
    torch.testing.assert_close(known.mean(0), torch.zeros(known.shape[1]).double())
    for block in one.tensors["block"].unique():
        assert known[:, one.tensors["block"] == block].square().mean(0).sum().item() == pytest.approx(0.5)


def test_a_cell_without_a_path_is_known_to_be_worst():
    """No training network is like it, and labels are noise. A cost is not known before it is measured."""
    graphs = graphs_of(
        *(cells.cell_201(ops) for ops in itertools.product(cells.OPS_201, repeat=6) if "none" not in ops)
    )
    graphs = graphs[torch.arange(0, len(graphs), 50)]
    seen = replace(graphs, proxy_names=("one",), proxies=torch.zeros(len(graphs), 1))
    known = replace(graphs_of(EMPTY, TWO_WAYS), proxy_names=("one",), proxies=torch.zeros(2, 1))
    labels = 90 + torch.randn(len(graphs), generator=torch.Generator().manual_seed(0)).double()
    for task, last in (("accuracy", True), ("cost", False)):
        predictor = Predictor({"proxies": True}, task)
        predictor.unlabelled = known
        predictor.fit(seen, labels)
        assert (predictor.predict(known)[0] < predictor.predict(seen).min()).item() == last


def test_it_orders_new_cells():
    graphs = small_space(300)
    labels = synthetic_labels(graphs, "accuracy")
    predictor = Predictor()
    predictor.fit(graphs[:60], labels[:60])
    rank = torch.corrcoef(torch.stack([normal_scores(predictor.predict(graphs[60:])), normal_scores(labels[60:])]))
    assert rank[0, 1] > 0.8
