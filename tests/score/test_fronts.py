"""Fronts and their hypervolume: by hand, with ties and points beyond the reference, and what holds of any points."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.score.fronts import hypervolume, non_dominated

REFERENCE = (10.0, 5.0)
POINTS = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 9)), max_size=20)


def volume(points, reference=REFERENCE) -> float:
    return hypervolume(*np.array(points, float).reshape(-1, 2).T, reference)


def on_front(points) -> list[bool]:
    return non_dominated(*np.array(points, float).reshape(-1, 2).T).tolist()


def test_a_front_by_hand():
    #          best  equal   as accurate, dearer  cheapest  as cheap, worse  dearer and worse
    points = [(20, 4), (20, 4), (20, 4.5), (12, 1), (11, 1), (11, 3)]
    assert on_front(points) == [True, True, False, True, False, False]
    assert on_front([(5, np.inf), (4, 1)]) == [
        True,
        True,
    ]  # not measured: never cheaper, and it may be the most accurate
    assert on_front([]) == []


def test_a_hypervolume_by_hand():
    assert volume([(12, 1)]) == 2 * 4
    assert volume([(12, 1), (20, 4)]) == 2 * 3 + 10 * 1
    assert volume([(20, 4), (15, 2), (12, 1)]) == 2 * 1 + 5 * 2 + 10 * 1


def test_ties_and_dominated_points_add_nothing():
    alone = volume([(12, 1), (20, 4)])
    for more in [(12, 1), (11, 1), (12, 2), (20, 4.5), (19, 4)]:
        assert volume([more, (12, 1), (20, 4)]) == volume([(12, 1), (20, 4), more]) == alone, more


def test_points_not_better_than_the_reference_in_both_add_nothing():
    assert volume([]) == volume([(10, 1)]) == volume([(20, 5)]) == volume([(9, 1), (30, 6)]) == 0
    assert volume([(30, np.inf), (12, 1), (5, 0)]) == volume([(12, 1)])


@given(POINTS, st.randoms(use_true_random=False))
def test_the_order_of_points_makes_no_difference(points, random):
    shuffled = random.sample(points, len(points))
    assert volume(shuffled) == pytest.approx(volume(points))


@given(POINTS, POINTS)
def test_more_points_never_dominate_less(points, more):
    assert volume(points + more) >= volume(points) - 1e-9


@given(POINTS)
def test_a_front_has_all_of_the_hypervolume_and_is_that_of_the_definition(points):
    on = on_front(points)
    assert volume([point for point, yes in zip(points, on, strict=True) if yes]) == pytest.approx(volume(points))
    for (accuracy, cost), yes in zip(points, on, strict=True):
        beaten = any(a >= accuracy and c <= cost and (a, c) != (accuracy, cost) for a, c in points)
        assert yes != beaten


@given(POINTS)
def test_a_hypervolume_is_the_number_of_unit_squares_dominated(points):
    squares = sum(
        any(a >= accuracy + 1 and c <= cost for a, c in points) for accuracy in range(10, 31) for cost in range(5)
    )
    assert volume(points) == pytest.approx(squares)
