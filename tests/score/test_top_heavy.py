"""Measures of a ranking's top on cases worked by hand, and against all orders of tied predictions."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.score import top_heavy

TRUE = [90.0, 80.0, 70.0, 60.0, 50.0]


def test_without_ties_by_hand():
    # Predicted order: 70, 60, 90, 80, 50. The best two predicted have ranks 3 and 4; of the best three, one of rank 1.
    predicted = [3.0, 2.0, 5.0, 4.0, 1.0]
    assert top_heavy.best_rank(predicted, TRUE, 2) == 3
    assert top_heavy.best_rank(predicted, TRUE, 3) == 1
    assert top_heavy.precision(predicted, TRUE, 2) == 0
    assert top_heavy.precision(predicted, TRUE, 3) == pytest.approx(2 / 3)
    assert top_heavy.precision(predicted, TRUE, 5) == 1


def test_tied_predictions_by_hand():
    # One network for sure (rank 3); for the second place ranks 1, 2 and 4 are tied: N@2 is the mean of 1, 2 and 3.
    predicted = [5.0, 5.0, 9.0, 5.0, 1.0]
    assert top_heavy.best_rank(predicted, TRUE, 2) == pytest.approx((1 + 2 + 3) / 3)
    assert top_heavy.precision(predicted, TRUE, 2) == pytest.approx((2 / 3) / 2)


def test_tied_true_values_share_the_best_rank():
    # Ranks 1, 2, 2, 2, 5: with k = 2 all three of rank 2 count as the best two.
    true = [9.0, 8.0, 8.0, 8.0, 1.0]
    predicted = [1.0, 2.0, 5.0, 4.0, 3.0]
    assert top_heavy.best_rank(predicted, true, 2) == 2
    assert top_heavy.precision(predicted, true, 2) == 1


def test_tau_of_the_best_by_hand():
    # The best 40 % of five are 90 and 80; with a tie at the end all that equal the last.
    assert top_heavy.tau_of_best([1.0, 2.0, 9.0, 9.0, 9.0], TRUE, 0.4) == -1
    true = [9.0, 8.0, 8.0, 1.0, 0.0]
    # Pairs: (9, 8) twice, of which one is in order; the tie 8, 8 counts for neither: tau-b = 0.
    assert top_heavy.tau_of_best([2.0, 1.0, 3.0, 0.0, 0.0], true, 0.4) == pytest.approx(0.0)
    assert top_heavy.tau_of_best([2.0, 2.0, 1.0, 0.0, 5.0], TRUE, 0.4) is None


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=3, max_size=6), st.integers(1, 3))
def test_ties_are_the_mean_over_all_orders(pairs, k):
    predicted, true = np.array(pairs, dtype=float).T
    rank = np.array([1 + (true > y).sum() for y in true])
    orders = [o for o in permutations(range(len(true))) if (np.diff(predicted[list(o)]) <= 0).all()]
    ranks = [min(rank[i] for i in order[:k]) for order in orders]
    hits = [np.mean([rank[i] <= k for i in order[:k]]) for order in orders]
    assert top_heavy.best_rank(predicted, true, k) == pytest.approx(np.mean(ranks))
    assert top_heavy.precision(predicted, true, k) == pytest.approx(np.mean(hits))


@pytest.mark.parametrize(
    ("predicted", "true"), [([1.0], [1.0, 2.0]), ([1.0] * 9, [1.0] * 9), ([float("nan")] * 10, [1.0] * 10)]
)
def test_wrong_input_is_an_error(predicted, true):
    for measure in (top_heavy.best_rank, top_heavy.precision):
        with pytest.raises(ValueError, match="predicted and true"):
            measure(predicted, true)
