"""Ways to choose what to query: local changes, evolution, local search and predictors, on NAS-Bench-Macro."""

import numpy as np
import pytest
import torch
from scipy.special import log_ndtr

from pipeline.config.search_grid import Method
from pipeline.core.errors import BenchError
from pipeline.core.graphs import from_frame
from pipeline.search import methods
from pipeline.search.methods import (
    NORMAL_MEDIAN,
    ByPredictor,
    Evolution,
    History,
    LocalSearch,
    RandomSearch,
    log_improvement,
)
from pipeline.search.space import Networks
from pipeline.spaces import blocks, cells, gnn, local_changes


@pytest.fixture(scope="module")
def macro() -> Networks:
    """All 6,561 networks of NAS-Bench-Macro, in the order of their codes."""
    names = [np.base_repr(code, 3).zfill(8) for code in range(3**8)]
    chains = [blocks.chain(blocks.macro(name)) for name in names]
    frame = cells.graphs_frame(names, "nasbench_macro", chains, blocks.VOCAB_MACRO)
    meta = {"op_vocab": list(blocks.VOCAB_MACRO), "attr_names": [], "out_shape_rank": 0}
    return Networks(from_frame(frame, meta), "nasbench_macro", tuple(names))


def ones(networks: Networks) -> np.ndarray:
    """A label that local search climbs without a stop: how many blocks have kernel 3."""
    return np.array([float(name.count("1")) for name in networks.names])


def history(values: np.ndarray, *queried: int) -> History:
    return History(np.array(queried), values[list(queried)])


def test_local_changes_by_hand():
    arch = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"
    around = local_changes.changes("nasbench201", arch)
    assert len(set(around)) == 24 and arch not in around
    assert "|none~0|+|none~0|avg_pool_3x3~1|+|none~0|none~1|none~2|" in around
    around = local_changes.changes("nasbench_macro", "00000000")
    assert len(set(around)) == 16 and {"10000000", "00000002"} <= set(around)
    around = local_changes.changes("nasbench_graph", "0,0,0,0|gcn|gat|fc|fc")
    assert len(set(around)) == 40 and {"0,0,0,0|gin|gat|fc|fc", "0,1,2,3|gcn|gat|fc|fc"} <= set(around)
    with pytest.raises(BenchError, match="no local changes are known of networks of fbnet"):
        local_changes.changes("fbnet", "x")


def test_the_improvement_to_expect_against_its_integral():
    e = np.linspace(-12, 12, 200_001)
    density = np.exp(-(e**2) / 2) / np.sqrt(2 * np.pi)
    for z in (-6.0, -1.0, 0.0, 2.0, 9.0):
        assert log_improvement(np.array([z]))[0] == pytest.approx(
            np.log(np.trapezoid(np.maximum(z + e, 0) * density, e))
        )
    assert log_improvement(np.array([1e3]))[0] == pytest.approx(np.log(1e3))
    low = log_improvement(np.array([-1e6, -1e4, -1e3, -99.0]))
    assert np.isfinite(low).all() and (np.diff(low) >= 0).all()


def test_under_a_limit_earlier_errors_decide_what_is_worth_a_query(macro):
    """Three proposals cost exp(0.5) times what was said, give or take; the limit is 10.

    So what is expected at 5 costs about 8.2 and is within, what is expected at 9 costs 15 and is not.
    """
    who = ByPredictor(macro, np.random.default_rng(0), Method("x", "predictor", "op_counts", {}, "mean", "sample"), 10)
    queried, told = np.array([7, 8, 9, 4]), np.log([4.0, 5.0, 6.0])
    costs = np.array([*np.exp(told + [0.5, 0.4, 0.6]), 3.0])
    past = History(queried, np.zeros(4), np.array([80.0, 82.0, 81.0, 79.0]), costs, 10.0)
    who.said = {7: (80.0, told[0]), 8: (81.0, told[1]), 9: (82.0, told[2])}
    near, far, weak = who._within(past, np.array([84.0, 84.0, 70.0]), np.log([5.0, 9.0, 5.0]))
    assert near > far and near > weak
    spread, gain = 0.1 / NORMAL_MEDIAN, (84.0 - 82.0) / (1.0 / NORMAL_MEDIAN)
    chance = log_ndtr((np.log(10.0) - np.log(5.0) - 0.5) / spread)
    assert near == pytest.approx(chance + log_improvement(np.array([gain]))[0])
    none = History(queried, np.zeros(4), past.accuracies, costs, 1.0)  # nothing allowed was seen: the chance alone
    assert np.argmax(who._within(none, np.array([70.0, 99.0]), np.log([1.0, 9.0]))) == 0
    who.said = {}
    assert np.argsort(-who._within(past, np.array([1.0, 2.0, 9.0]), np.log([5.0, 9.0, 11.0]))).tolist() == [1, 0, 2]


def test_two_ways_to_write_a_network_are_one():
    key = local_changes.key("nasbench_graph", gnn.name((0, 0, 1, 2), ("gcn", "gat", "fc", "gin")))
    assert key == local_changes.key("nasbench_graph", gnn.name((0, 0, 1, 2), ("gat", "gcn", "gin", "fc")))
    assert key != local_changes.key("nasbench_graph", gnn.name((0, 0, 1, 2), ("gat", "gcn", "fc", "gin")))


def test_neighbours_are_places_in_the_table(macro):
    assert [macro.names[i] for i in macro.neighbours(0)][:3] == ["00000001", "00000002", "00000010"]
    assert len(macro.neighbours(0)) == 16


def test_evolution_changes_the_best_of_the_youngest_and_forgets_the_oldest(macro):
    values = ones(macro)
    best = macro.names.index("11111111")
    seen = history(values, best, *range(60))  # the best is older than the population
    children = [Evolution(macro, np.random.default_rng(s)).propose(seen, 1)[0] for s in range(30)]
    assert not set(children) & set(seen.networks)
    alive = set(range(10, 60))
    assert all(alive & set(macro.neighbours(int(child))) for child in children)
    assert not any(int(child) in macro.neighbours(best) for child in children)


def test_local_search_tries_all_changes_and_then_goes_to_the_best(macro):
    values, searcher = ones(macro), LocalSearch(macro, np.random.default_rng(0))
    queried = [0]  # 00000000
    for _ in range(16):
        queried += searcher.propose(history(values, *queried), 1).tolist()
    assert set(queried[1:]) == set(macro.neighbours(0).tolist())
    following = searcher.propose(history(values, *queried), 1)[0]
    assert macro.names[following].count("1") + macro.names[following].count("2") == 2  # around a network with a one
    while values[queried].max() < 8:
        queried += searcher.propose(history(values, *queried), 1).tolist()
    assert len(queried) < 1 + 8 * 17


def test_local_search_starts_again_where_no_change_is_better(macro):
    values, searcher = -ones(macro), LocalSearch(macro, np.random.default_rng(0))
    values[macro.names.index("00000000")] = 1
    queried = [0]
    for _ in range(18):
        queried += searcher.propose(history(values, *queried), 1).tolist()
    assert queried[17] not in macro.neighbours(0) and queried[18] in macro.neighbours(queried[17])


@pytest.mark.parametrize("candidates", ["all", "sample", "local"])
def test_a_predictor_proposes_what_it_likes_best(macro, candidates):
    values = ones(macro)
    method = Method("op_counts", "predictor", "op_counts", {}, "mean", candidates)
    random = np.random.default_rng(0)
    seen = history(values, *random.choice(len(macro), 40, replace=False).tolist())
    picked = ByPredictor(macro, random, method, 500).propose(seen, 5)
    assert len(set(picked)) == 5 and not set(picked) & set(seen.networks)
    assert values[picked].min() > values[seen.networks].mean() + 1
    assert candidates != "all" or macro.names.index("11111111") in picked
    around = set(np.concatenate([macro.neighbours(int(i)) for i in seen.best(10)]).tolist())
    assert candidates != "local" or set(picked) <= around


def test_thompson_sampling_uses_the_spread_of_an_ensemble(macro):
    settings = {"ensemble": 2, "rounds": 5, "max_nodes": 10}
    values, which = ones(macro), np.arange(50)
    seen = history(values, *range(0, 400, 10))
    searchers = [
        ByPredictor(macro, np.random.default_rng(0), Method("gbdt", "predictor", "gbdt", settings, how, "all"), 0)
        for how in ("mean", "thompson")
    ]
    by_mean, drawn = (s._acquisition(s._fit(seen), which) for s in searchers)
    mean, spread = searchers[0]._answers(searchers[0]._fit(seen), which)
    assert np.array_equal(by_mean, mean) and (spread > 0).any()
    assert np.array_equal(drawn[spread == 0], mean[spread == 0]) and not np.allclose(drawn, mean)


def test_random_search_takes_each_network_once(macro):
    seen = History(np.arange(6500), np.zeros(6500))
    assert set(RandomSearch(macro, np.random.default_rng(0)).propose(seen, 61)) == set(range(6500, 6561))


def test_a_warm_predictor_goes_on_from_the_last_weights_and_a_fresh_one_does_not(macro, monkeypatch):
    """With a rate of zero no step changes a weight: what comes out is what was begun with."""
    values, began = ones(macro), []
    settings = {"steps": 3, "width": 8, "max_nodes": 10}
    for warm in (2, 0):
        method = Method("mlp", "predictor", "mlp", settings, "mean", "all", warm)
        who = ByPredictor(macro, np.random.default_rng(0), method, 0)
        first = who._fit(history(values, *range(0, 200, 10)))
        trained, true_make = first.tensors["head.weight"].clone(), methods.make

        def still(label, overrides, *rest, made=true_make):
            began.append(overrides)
            return made(label, {**overrides, "lr": 0.0, "ema": 0.0, "weight_decay": 0.0}, *rest)

        monkeypatch.setattr(methods, "make", still)
        second = who._fit(history(values, *range(0, 300, 10)))
        monkeypatch.setattr(methods, "make", true_make)
        assert torch.equal(second.tensors["head.weight"], trained) == bool(warm)
        assert torch.equal(first.tensors["head.weight"], trained)
    assert began == [settings | {"steps": 2, "first_steps": 0, "pretrain_steps": 0}, settings]
