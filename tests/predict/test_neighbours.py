"""Rows of numbers and distances between networks, and conformal intervals, on values worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pipeline.core.errors import BenchError
from pipeline.predict import interval
from pipeline.predict.neighbours import LEAST_SPREAD, Neighbours, columns, depth, row


def test_depth_is_the_longest_path():
    #   0 -> 1 -> 2 -> 4, 0 -> 3 -> 4
    src, dst = np.array([0, 0, 1, 2, 3]), np.array([1, 3, 2, 4, 4])
    assert depth(5, src, dst) == 4
    assert depth(3, np.array([], dtype=int), np.array([], dtype=int)) == 1
    assert depth(0, np.array([], dtype=int), np.array([], dtype=int)) == 0


def test_a_row_by_hand():
    src, dst = np.array([0, 1]), np.array([1, 2])
    found = row(["Input", "Conv", "LRN"], src, dst, (2, 3, 8, 8, 0), (100.0, 10.0, 40.0), ("Conv", "Relu"))
    sizes = [100, 10, 40, 3, 2, 3, 2, 3 * 8 * 8]
    known = [1, 0]
    other = [2]  # Input and LRN
    np.testing.assert_allclose(found, np.log1p([*sizes, *known, *other]))
    assert len(columns(("Conv", "Relu"))) == len(found)


def test_nearest_and_far_by_hand():
    rows = np.array([[0.0, 1.0], [2.0, 1.0], [6.0, 1.0]])
    space = Neighbours.from_rows(rows)
    spread = rows[:, 0].std()
    order, distance = space.nearest(np.array([2.5, 1.0]), 2)
    assert order.tolist() == [1, 0]
    np.testing.assert_allclose(distance, [0.5 / spread / math.sqrt(2), 2.5 / spread / math.sqrt(2)])
    own = np.array([2, 2, 4]) / spread / math.sqrt(2)
    assert space.far() == pytest.approx(np.quantile(own, 0.99))
    # a column in which training has one value: a difference counts in units of LEAST_SPREAD
    _, off = space.nearest(np.array([2.0, 1.3]), 1)
    assert off[0] == pytest.approx(0.3 / LEAST_SPREAD / math.sqrt(2))


def test_one_network_is_far_from_all_but_itself():
    space = Neighbours.from_rows(np.ones((1, 3)))
    assert space.far() == 0
    assert space.nearest(np.ones(3), 5)[1].tolist() == [0]


@given(hnp.arrays(np.float64, st.tuples(st.integers(2, 700), st.just(3)), elements=st.floats(0, 20)))
@example(np.random.default_rng(0).uniform(0, 20, (700, 3)))
def test_far_is_the_quantile_of_the_nearest_of_the_others(rows):
    space = Neighbours.from_rows(rows)
    z = (rows - space.mean) / space.spread
    distance = np.sqrt(np.square(z[:, None] - z).mean(2))
    np.fill_diagonal(distance, np.inf)
    assert space.far() == pytest.approx(np.quantile(distance.min(1), 0.99), abs=1e-4)


def test_scores_are_factors_alike_up_and_down():
    found = interval.scores(np.array([10.0, 10.0, 10.0]), np.array([20.0, 5.0, 11.0]))
    np.testing.assert_allclose(found, [math.log(1.1), math.log(2), math.log(2)])


def test_the_factor_is_the_ranked_score():
    scores = np.log(np.arange(1.0, 20.0))  # 19 held-out networks
    assert interval.factor(scores, 0.9) == pytest.approx(18)  # rank 20 * 0.9
    assert interval.factor(scores, 0.95) == pytest.approx(19)
    assert interval.factor(scores, 0.5) == pytest.approx(10)


@pytest.mark.parametrize(
    ("level", "says"), [(0.96, "0.950 at most"), (1.0, "between 0 and 1"), (0.0, "between 0 and 1")]
)
def test_levels_that_cannot_be_had(level, says):
    with pytest.raises(BenchError, match=says):
        interval.factor(np.log(np.arange(1.0, 20.0)), level)


@pytest.mark.parametrize("level", [0.5, 0.8, 0.9])
def test_the_interval_holds_a_new_network_as_often_as_it_says(level):
    """49 held-out networks and a new one of the same kind, 4,000 times: rank / 50 of them are covered."""
    rng = np.random.Generator(np.random.PCG64(1))
    ratio = rng.lognormal(0.1, 0.3, size=(4000, 50))
    factors = np.array([interval.factor(interval.scores(np.ones(49), r[:49]), level) for r in ratio])
    covered = (ratio[:, 49] <= factors) & (ratio[:, 49] >= 1 / factors)
    assert covered.mean() == pytest.approx(math.ceil(50 * level) / 50, abs=0.02)
