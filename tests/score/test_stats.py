"""Intervals, ranks and paired comparisons against cases worked by hand, and their coverage on simulated boards."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from benchmarks.interval_coverage import coverage, stratified_bootstrap
from pipeline.score import stats


def test_t_interval_of_three_seeds_by_hand():
    """1, 2, 3: mean 2, sd 1, se 1 / sqrt(3), t(2 df) = 4.302653."""
    found = stats.interval([[1.0, 2.0, 3.0]])
    half = 4.302653 / math.sqrt(3)
    assert found == pytest.approx((2.0, 2.0 - half, 2.0 + half), abs=1e-6)


def test_stratified_interval_by_hand():
    """Strata 1, 3 and 10, 10, 13: means 2 and 11, variances of the mean 1 and 1; se sqrt(2) / 2; df 4 / (1 + 1 / 2)."""
    mean, se, df = stats.stratified([[1.0, 3.0], [10.0, 10.0, 13.0]])
    assert (mean, se, df) == pytest.approx((6.5, math.sqrt(2) / 2, 8 / 3))
    found = stats.interval([[1.0, 3.0], [10.0, 10.0, 13.0]])
    assert found.high - found.mean == pytest.approx(scipy_stats.t.ppf(0.975, 8 / 3) * se)


def test_no_interval_from_one_seed_and_a_point_where_all_agree():
    assert (
        stats.interval([[1.0]]) is None and stats.interval([[1.0, 2.0], [3.0]]) is None and stats.interval([]) is None
    )
    assert stats.interval([[2.0, 2.0, 2.0]]) == (2.0, 2.0, 2.0)


def test_seeds_that_agree_on_a_rank_do_not_make_it_certain():
    """1 - 0.05 ** (1 / 3) = 0.632 of runs, of five 0.451; of two data sets the one with fewer seeds counts."""
    assert stats.rank_interval([[1.0] * 3], 9) == pytest.approx((1.0, 1.0, 1.6316), abs=1e-4)
    assert stats.rank_interval([[9.0] * 5], 9) == pytest.approx((9.0, 9.0 - 0.4507, 9.0), abs=1e-4)
    assert stats.rank_interval([[2.0] * 3, [4.0] * 9], 9) == pytest.approx((3.0, 3.0 - 0.6316, 3.0 + 0.6316), abs=1e-4)
    assert stats.rank_interval([[1.0]], 9) is None


def test_a_rank_interval_by_hand():
    """Two of 21 and 23 are drawn: 21, 22 or 23; stretched by sqrt(2) and t(1 df) / z = 6.4829."""
    found = stats.rank_interval([[21.0, 23.0]], 60)
    half = math.sqrt(2) * 12.7062 / 1.959964
    assert found == pytest.approx((22.0, 22.0 - half, 22.0 + half), abs=1e-4)


@given(st.lists(st.lists(st.integers(1, 9), min_size=2, max_size=5), min_size=1, max_size=4))
def test_a_rank_interval_holds_the_mean_and_stays_within_the_ranks(groups):
    found = stats.rank_interval(groups, 9)
    assert 1 <= found.low <= found.mean <= found.high <= 9 and found.low < found.high


def test_paired_by_hand():
    """Differences 1, 2, 3 and 0, 0, 3 by task; seed by seed 0.5, 1, 3; ahead in 4 of 6 pairs, two ties."""
    best, other = [np.array([[2.0, 4.0, 6.0], [1.0, 1.0, 4.0]])], [np.array([[1.0, 2.0, 3.0], [1.0, 1.0, 1.0]])]
    found = stats.paired(best, other)
    expected = scipy_stats.ttest_rel([1.5, 2.5, 5.0], [1.0, 1.5, 2.0])
    assert found.difference.mean == pytest.approx(1.5)
    assert found.p == pytest.approx(expected.pvalue)
    assert found.difference[1:] == pytest.approx(tuple(expected.confidence_interval()))
    assert found.improvement == pytest.approx(5 / 6)


def test_paired_without_any_difference_and_without_noise():
    assert stats.paired([[1.0, 2.0]], [[1.0, 2.0]]) == ((0.0, 0.0, 0.0), 1.0, 0.5)
    assert stats.paired([[2.0, 3.0]], [[1.0, 2.0]]) == ((1.0, 1.0, 1.0), 0.0, 1.0)


def test_holm_by_hand():
    """0.01 x 4; 0.02 x 3; 0.03 x 2 is held up to 0.06; 0.5 x 1."""
    assert stats.holm([0.03, 0.5, 0.01, 0.02]) == pytest.approx([0.06, 0.5, 0.04, 0.06])
    assert stats.holm([0.9, 0.8]) == pytest.approx([1.0, 1.0]) and stats.holm([]).size == 0


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_only_raises_and_keeps_the_order(p):
    corrected = stats.holm(p)
    assert (corrected >= np.array(p) - 1e-12).all() and (corrected <= 1).all()
    assert (np.diff(corrected[np.argsort(p, kind="stable")]) >= -1e-12).all()


def test_ranks_by_hand():
    assert stats.ranks([0.3, 0.9, 0.3, 0.1]).tolist() == [2.5, 1.0, 2.5, 4.0]
    by_seed = stats.ranks([[0.3, 0.1], [0.9, 0.2]])
    assert by_seed.tolist() == [[2.0, 2.0], [1.0, 1.0]]


def test_stratified_bootstrap_of_a_mean_by_hand():
    """Of 0 and 1 one value is drawn: 0 or 1; of 0, 0 always 0. Their mean is 0 or 0.5, each in half the draws."""
    found, se = stratified_bootstrap([[0.0, 1.0], [0.0, 0.0]])
    assert found == (0.25, 0.0, 0.5) and se == pytest.approx(0.25, rel=0.01)
    with pytest.raises(ValueError, match="fewer than two"):
        stratified_bootstrap([[1.0]])


@given(st.lists(st.lists(st.integers(-9, 9), min_size=2, max_size=5), min_size=1, max_size=4))
def test_the_interval_has_the_standard_error_of_the_stratified_bootstrap(groups):
    _, se, _ = stats.stratified(groups)
    assert stratified_bootstrap(groups, draws=20_000)[1] == pytest.approx(se, rel=0.05, abs=1e-12)


@pytest.mark.parametrize(("datasets", "seeds"), [(1, 3), (3, 5)])
def test_intervals_cover_the_truth_on_a_thousand_simulated_boards(datasets, seeds):
    found = coverage(1000, datasets, seeds)
    assert all(0.93 <= found[kind] <= 0.97 for kind in ("mean", "overall", "paired")), found
    assert found["rank"] >= 0.95
    assert found["bootstrap"] < 0.93  # why the board does not take its percentiles
