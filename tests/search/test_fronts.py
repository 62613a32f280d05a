"""Searches for a front: NSGA-II's order by hand, what proposals aim at, and that no label but those queried counts."""

import numpy as np
import pytest

from pipeline.config.search_grid import Method
from pipeline.core.graphs import from_frame
from pipeline.search.fronts import FrontByPredictor, FrontEvolution, best_first, crowding, ranks
from pipeline.search.kinds import searcher
from pipeline.search.methods import History, RandomSearch
from pipeline.search.space import Labels, Networks
from pipeline.spaces import cells

BY_COUNTS = Method("op_counts", "predictor", "op_counts", {}, "mean", "sample")


@pytest.fixture(scope="module")
def networks() -> Networks:
    """The 625 NAS-Bench-201 cells whose first two edges skip."""
    names = [
        cells.format_arch(("skip_connect",) * 2 + tuple(cells.OPS_201[i // 5**k % 5] for k in range(4)))
        for i in range(5**4)
    ]
    graphs = [cells.cell_201(cells.parse_arch(name)) for name in names]
    frame = cells.graphs_frame(names, "nasbench201", graphs, cells.VOCAB_201)
    about = {"op_vocab": list(cells.VOCAB_201), "attr_names": [], "out_shape_rank": 0}
    return Networks(from_frame(frame, about), "nasbench201", tuple(frame["name"]))


@pytest.fixture(scope="module")
def labels(networks) -> Labels:
    """3x3 convolutions are accurate and slow, 1x1 half as slow and better value; pooling is slow and no good."""
    ops = ("conv_3x3", "conv_1x1", "avg_pool")
    left = [cells.cell_201(cells.parse_arch(name)).labels for name in networks.names]  # what is dead is no operation
    big, small, pool = (np.array([" ".join(one).count(op) for one in left], float) for op in ops)
    noise = np.random.default_rng(1).normal(0, 0.1, len(networks))
    return Labels(
        80 + 2 * big + 1.2 * small + noise, 80 + 2 * big + 1.2 * small, 1 + big + small / 2 + pool, front=True
    )


def history(labels, queried) -> History:
    return History.of([int(one) for one in queried], labels)


def test_ranks_and_crowding_by_hand():
    accuracy, cost = np.array([5.0, 3.0, 1.0, 4.0, 0.5]), np.array([4.0, 2.0, 1.0, 5.0, 3.0])
    assert ranks(accuracy, cost).tolist() == [0, 0, 0, 1, 1]
    found = crowding(accuracy[:3], cost[:3])
    assert found[[0, 2]].tolist() == [np.inf, np.inf] and found[1] == pytest.approx(4 / 4 + 3 / 3)
    assert ranks(np.array([2.0, 2.0, 1.0]), np.array([1.0, 1.0, 1.0])).tolist() == [0, 0, 1]  # equals share a rank
    assert (crowding(np.ones(3), np.ones(3))[1:2] == 0).all()


def test_the_less_crowded_of_a_rank_come_first_and_then_the_earlier():
    accuracy, cost = np.array([1.0, 2.0, 2.2, 4.0, 5.0, 0.0]), np.array([1.0, 2.0, 2.2, 4.0, 5.0, 9.0])
    assert best_first(accuracy, cost).tolist() == [0, 4, 3, 2, 1, 5]


def test_evolution_changes_a_network_of_the_front_more_often_than_others(networks, labels):
    seen = history(labels, np.random.default_rng(0).choice(len(networks), 60, replace=False))
    first = best_first(seen.accuracies, seen.costs)
    best, last = (set(seen.networks[part].tolist()) for part in (first[:15], first[50:]))
    children = [FrontEvolution(networks, np.random.default_rng(s)).propose(seen, 1)[0] for s in range(60)]
    assert not set(children) & set(seen.networks)
    around = [set(networks.neighbours(int(child))) for child in children]
    assert np.mean([bool(near & best) for near in around]) > 0.5
    alive = set(seen.networks.tolist()) - last
    assert all(near & alive for near in around)


def test_proposals_of_a_predictor_lie_near_the_front_and_along_it(networks, labels):
    random = np.random.default_rng(0)
    seen = history(labels, random.choice(len(networks), 40, replace=False))
    picked = FrontByPredictor(networks, random, BY_COUNTS, 500).propose(seen, 20)
    assert len(set(picked)) == 20 and not set(picked) & set(seen.networks)
    left = seen.unqueried(len(networks))
    rank = dict(zip(left.tolist(), ranks(labels.report[left], labels.cost[left]), strict=True))
    assert np.mean([rank[one] for one in picked.tolist()]) < 0.5 * np.mean(list(rank.values()))
    assert len(np.unique(labels.cost[picked])) > 3


def test_a_network_that_was_not_measured_is_no_obstacle(networks, labels):
    cost = labels.cost.copy()
    cost[::7] = np.inf
    holes = Labels(labels.query, labels.report, cost, front=True)
    for kind in (Method("e", "evolution", "", {}, "mean", "sample"), BY_COUNTS):
        who = searcher(kind, networks, np.random.default_rng(0), 100, front=True)
        assert len(who.propose(history(holes, range(30)), 1)) == 1
    assert np.isfinite(holes.reference).all() and 0 <= holes.floor < 1


def test_what_all_queried_would_lack_by_hand():
    labels = Labels(np.array([1.0, 2, 3, 0]), np.array([3.0, 4, 5, 0]), np.array([1.0, 2, 3, 4]), front=True)
    assert labels.reference == (2.25, 3.25)
    assert labels.facts()["best"] == pytest.approx(0.75 * 1 + 1.75 * 1 + 2.75 * 0.25)
    assert labels.floor == 0 and labels.facts()["front"] == [[1, 3], [2, 4], [3, 5]]
    noisy = Labels(np.array([1.0, 0, 3, 0]), labels.report, labels.cost, front=True)  # misses the second
    assert noisy.floor == pytest.approx(1 / labels.facts()["best"])


def test_random_search_is_the_same_for_a_front(networks):
    method = Method("random", "random", "", {}, "mean", "sample")
    assert isinstance(searcher(method, networks, np.random.default_rng(0), 10, front=True), RandomSearch)
