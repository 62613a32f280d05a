"""Regret, queries to come near the best, and what agrees with regret: worked by hand."""

import numpy as np
import polars as pl
import pytest

from pipeline.score import search


def test_the_chosen_network_is_the_best_seen_and_the_first_of_equals():
    assert search.chosen(np.array([3.0, 1.0, 3.0, 5.0, 4.0])).tolist() == [0, 0, 0, 3, 3]


def test_regret_is_of_the_chosen_network_and_may_rise():
    queried, reported = np.array([3.0, 1.0, 4.0]), np.array([90.0, 95.0, 89.0])
    assert search.regrets(queried, reported, 95.0).tolist() == [5.0, 5.0, 6.0]


def test_queries_to_come_near():
    regret = np.array([2.0, 0.5, 0.7, 0.1])
    assert search.queries_within(regret, 0.5) == 2 and search.queries_within(regret, 0.1) == 4
    assert search.queries_within(regret, 0.05) is None


def found(values: dict[tuple[str, int, int, str], float], methods) -> search.Searches:
    """Numbers of one space: (method, seed, queries, metric) -> value."""
    rows = [("s", *key, value) for key, value in values.items()]
    frame = pl.DataFrame(rows, schema=["space", "method", "seed", "queries", "metric", "value"], orient="row")
    about = {"spaces": {"s": {}}, "methods": methods, "seeds": 2, "start": 5, "budgets": [10, 20]}
    return search.Searches(frame, about)


def test_a_measure_that_orders_predictors_as_their_next_regret_agrees():
    methods = {"a": "predictor", "b": "predictor", "c": "predictor", "random": "random"}
    values = {}
    for seed in range(2):
        for i, name in enumerate("abc"):
            values |= {
                (name, seed, 10, "kendall_tau"): 0.1 * i,
                (name, seed, 10, "best_rank"): 5.0 - i,
                (name, seed, 10, "precision"): -0.1 * i,
                (name, seed, 20, "regret"): 3.0 - i,
            }
    numbers = found(values, methods)
    assert numbers.agreement("kendall_tau").mean == pytest.approx(1)
    assert numbers.agreement("best_rank").mean == pytest.approx(1)
    assert numbers.agreement("precision").mean == pytest.approx(-1)
    assert numbers.best_predictor("s", 20) == "c"
    assert numbers.agreement("tau_of_best") is None


def test_less_regret_is_paired_by_seed():
    values = {("a", 0, 20, "regret"): 1.0, ("a", 1, 20, "regret"): 3.0}
    values |= {("random", 0, 20, "regret"): 1.5, ("random", 1, 20, "regret"): 3.7}
    numbers = found(values, {"a": "predictor", "random": "random"})
    pair = numbers.lead("s", "a", "random", 20)
    assert pair.difference.mean == pytest.approx(0.6) and pair.improvement == 1
    assert set(numbers.beside("s", 20, ["random"])) == {("a", "random")}
