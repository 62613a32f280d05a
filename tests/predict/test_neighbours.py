"""Rows of numbers and distances between networks, on values worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

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


def test_nearest_by_hand():
    rows = np.array([[0.0, 1.0], [2.0, 1.0], [6.0, 1.0]])
    space = Neighbours.from_rows(rows)
    spread = rows[:, 0].std()
    order, distance = space.nearest(np.array([2.5, 1.0]), 2)
    assert order.tolist() == [1, 0]
    np.testing.assert_allclose(distance, [0.5 / spread / math.sqrt(2), 2.5 / spread / math.sqrt(2)])
    # a column in which training has one value: a difference counts in units of LEAST_SPREAD
    _, off = space.nearest(np.array([2.0, 1.3]), 1)
    assert off[0] == pytest.approx(0.3 / LEAST_SPREAD / math.sqrt(2))


def test_one_network_is_its_own_nearest():
    space = Neighbours.from_rows(np.ones((1, 3)))
    assert space.nearest(np.ones(3), 5)[1].tolist() == [0]
    assert space.distances(np.ones((2, 3))).tolist() == [0, 0]
    assert space.distances(np.ones((0, 3))).shape == (0,)


@given(
    hnp.arrays(np.float64, st.tuples(st.integers(1, 40), st.just(3)), elements=st.floats(0, 20)),
    hnp.arrays(np.float64, st.tuples(st.integers(1, 700), st.just(3)), elements=st.floats(0, 20)),
)
@example(np.random.default_rng(0).uniform(0, 20, (40, 3)), np.random.default_rng(1).uniform(0, 20, (700, 3)))
def test_distances_are_those_to_the_nearest(training, asked):
    space = Neighbours.from_rows(training)
    one_by_one = [space.nearest(row, 1)[1][0] for row in asked]
    np.testing.assert_allclose(space.distances(asked), one_by_one, atol=1e-4)
