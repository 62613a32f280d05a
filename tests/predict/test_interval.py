"""Intervals that grow with distance: what they hold, on values worked out by hand and on drawn networks."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import BenchError
from pipeline.predict import interval
from pipeline.predict.interval import Errors, Pairs
from pipeline.predict.prediction import GRADES

NONE = Pairs.joined([])


def near(errors: np.ndarray) -> Pairs:
    """Held-out networks all at distance 0."""
    return Pairs.of(np.zeros(len(errors)), errors)


def drawn(rng: np.random.Generator, m: int, spread: float) -> Pairs:
    """Networks whose errors grow with distance."""
    distance = rng.exponential(spread, m)
    return Pairs.of(distance, np.abs(rng.normal(size=m)) * (0.05 + 0.4 * np.minimum(distance, 1)))


def test_errors_are_factors_alike_up_and_down():
    found = interval.errors(np.array([10.0, 10.0, 10.0, 0.0, -1.0]), np.array([20.0, 5.0, 11.0, 1.0, 1.0]))
    np.testing.assert_allclose(found, [math.log(2), math.log(2), math.log(1.1), math.inf, math.inf])


def test_without_left_out_networks_it_is_the_ranked_error():
    errors = Errors(near(np.log(np.arange(1.0, 20.0))), NONE)  # 19 held-out networks
    assert errors.half_widths(7.0, 0.9) == pytest.approx(math.log(18))  # rank 20 * 0.9
    assert errors.half_widths(0.0, 0.95) == pytest.approx(math.log(19))
    assert errors.half_widths(0.0, 0.5) == pytest.approx(math.log(10))


def test_slope_and_offset_by_hand():
    """Two lineages weigh the same, though one has a network and the other three; all at distance 1, beyond which
    nothing grows."""
    left_out = Pairs.joined([Pairs.of(np.ones(1), np.array([0.4])), Pairs.of(np.ones(3), np.array([0.1, 0.2, 0.3]))])
    held_out = Pairs.of(np.ones(9), np.linspace(0.1, 0.9, 9))
    errors = Errors(held_out, left_out)
    assert errors.slope(0.5) == pytest.approx(0.3)  # three sixths of the weight
    assert errors.slope(0.9) == pytest.approx(0.4)
    assert errors.half_widths(0.25, 0.9) == errors.half_widths(3.0, 0.9) == pytest.approx(0.9)  # the ninth of nine
    assert errors.half_widths(1.0, 0.6) == pytest.approx(0.6)  # the sixth; those up to 0.3 are the slope's
    within = Errors(Pairs.of(np.ones(9), np.linspace(0.01, 0.39, 9)), left_out)
    np.testing.assert_allclose(within.half_widths(np.array([0.25, 1.0, 3.0]), 0.9), [0.1, 0.4, 0.4])
    assert errors.chance(1.0)[0] == pytest.approx(0.5 + 0.5 / 3)  # over log(1.25): 0.4 and 0.3 of them
    assert errors.error_at(1.0, 0.5) == pytest.approx(math.expm1(0.3))


def test_errors_grow_up_to_the_distance_of_half_of_the_left_out():
    distance, weights = np.array([0.5, 2.0, 8.0]), np.array([0.4, 0.2, 0.4])
    errors = Errors(near(np.zeros(20)), Pairs(distance, np.ones(3), weights))
    assert errors.reach == 2.0
    np.testing.assert_allclose(errors.growth(distance), [0.25, 1.0, 1.0])
    assert 0 < errors.growth(0.0) < 0.1


@pytest.mark.parametrize(
    ("level", "says"), [(0.96, "0.950 at most"), (1.0, "between 0 and 1"), (0.0, "between 0 and 1")]
)
def test_levels_that_cannot_be_had(level, says):
    with pytest.raises(BenchError, match=says):
        Errors(near(np.log(np.arange(1.0, 20.0))), NONE).half_widths(0.0, level)


def test_a_cost_predicted_at_zero_is_off_by_no_finite_factor():
    some = near(np.array([0.0, math.log(2), math.inf, math.inf]))
    assert Errors(some, NONE).half_widths(0.0, 0.4) == pytest.approx(math.log(2))
    with pytest.raises(BenchError, match="held-out networks were predicted at 0 or below; give a lower one"):
        Errors(some, NONE).half_widths(0.0, 0.6)
    with pytest.raises(BenchError, match="left-out networks were predicted at 0 or below; give a lower one"):
        Errors(near(np.ones(20)), some).half_widths(0.0, 0.6)


@pytest.mark.parametrize("level", [0.5, 0.8, 0.9])
def test_it_holds_a_new_network_as_often_as_it_says_whatever_the_slope(level):
    """49 held-out networks and a new one of the same kind, 2,000 times: rank / 50 of them are covered at least."""
    rng = np.random.Generator(np.random.PCG64(1))
    left_out = drawn(rng, 100, 1.0)
    inside = []
    for _ in range(2000):
        both = drawn(rng, 50, 0.2)
        held_out = Pairs.of(both.distance[:49], both.error[:49])
        inside.append(both.error[49] <= Errors(held_out, left_out).half_widths(both.distance[49], level))
    assert math.ceil(50 * level) / 50 - 0.02 <= np.mean(inside) <= level + 0.1


@given(st.integers(0, 1000), st.sampled_from([0.5, 0.8, 0.9, 0.95]))
def test_it_holds_the_networks_that_the_slope_comes_from(seed, level):
    rng = np.random.default_rng(seed)
    parts = [drawn(rng, int(m), 1.0) for m in rng.integers(1, 40, 5)]
    errors = Errors(drawn(rng, 60, 0.2), Pairs.joined(parts))
    widths = errors.half_widths(errors.left_out.distance, level)
    assert errors.left_out.weight[errors.left_out.error <= widths + 1e-9].sum() >= level * len(parts) - 1e-6
    far, near_by = errors.half_widths(np.array([5.0, 0.1]), level)
    assert far >= near_by > 0


def test_grades_follow_the_chance_of_a_large_error():
    errors = Errors(near(np.full(20, 0.1)), Pairs.of(np.ones(100), np.linspace(0.0, 0.4, 100)))
    grades = {errors.chance(d)[0]: errors.grade(d) for d in np.linspace(0, 5, 50)}
    assert [grades[chance] for chance in sorted(grades)] == sorted(grades.values(), key=GRADES.index)
    assert set(grades.values()) == set(GRADES)
    for chance, grade in grades.items():
        assert (grade == GRADES[0]) == (chance <= interval.SOMEWHAT)
        assert (grade == GRADES[2]) == (chance > interval.LIKELY)
    untried = Errors(Pairs.of(np.array([0.1, 0.3]), np.ones(2)), NONE)
    assert (untried.grade(0.3), untried.grade(0.31)) == (GRADES[0], GRADES[2])


@pytest.mark.hostile("saved models")
@pytest.mark.parametrize("wrong", [math.nan, math.inf, -1.0])
@pytest.mark.parametrize("row", [0, 1, 2])
def test_a_table_that_cannot_be_is_refused(row, wrong):
    table = np.full((3, 4), 0.5)
    Pairs.checked(table)
    table[row, 2] = wrong
    if (row, wrong) == (1, math.inf):
        assert Pairs.checked(table).error[2] == math.inf  # predicted at 0 or below
    else:
        with pytest.raises(ValueError, match="error, distance or weight"):
            Pairs.checked(table)
    for other in (np.zeros(3), np.zeros((2, 4)), np.zeros((3, 4), dtype=int)):
        with pytest.raises(ValueError, match="three rows"):
            Pairs.checked(other)
