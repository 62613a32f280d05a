"""Metrics against values worked out by hand, and the properties each must have for any input."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.score import metrics

TRUE = np.array([1.0, 2.0, 3.0, 4.0])
ALL = [metrics.kendall_tau, metrics.spearman, metrics.mape, metrics.rmspe, metrics.acc10, metrics.acc5]
small_ints = st.lists(st.tuples(st.integers(-20, 20), st.integers(1, 20)), min_size=2, max_size=40)


def test_kendall_tau_without_ties():
    # pairs of [1, 3, 2, 4]: 5 agree, 1 (3 before 2) disagrees -> (5 - 1) / 6
    assert metrics.kendall_tau([1.0, 3.0, 2.0, 4.0], TRUE) == pytest.approx(4 / 6)


def test_kendall_tau_b_corrects_for_ties():
    # predicted [1, 1, 2, 3]: one tied pair, five agree -> 5 / sqrt((6 - 1) * 6)
    assert metrics.kendall_tau([1.0, 1.0, 2.0, 3.0], TRUE) == pytest.approx(5 / math.sqrt(30))


def test_correlations_keep_their_sign():
    assert metrics.kendall_tau(-TRUE, TRUE) == pytest.approx(-1.0)
    assert metrics.spearman(-TRUE, TRUE) == pytest.approx(-1.0)


def test_spearman():
    # rank differences of [1, 3, 2, 4]: 0, 1, -1, 0 -> 1 - 6 * 2 / (4 * 15)
    assert metrics.spearman([1.0, 3.0, 2.0, 4.0], TRUE) == pytest.approx(0.8)
    # mean ranks 1.5, 1.5, 3, 4 against 1, 2, 3, 4: covariance 4.5, variances 4.5 and 5 (sums of squares)
    assert metrics.spearman([1.0, 1.0, 2.0, 3.0], TRUE) == pytest.approx(4.5 / math.sqrt(4.5 * 5.0))


def test_relative_errors():
    predicted, true = [110.0, 150.0, 10.0], [100.0, 200.0, 10.0]  # +10 %, -25 %, 0 %
    assert metrics.mape(predicted, true) == pytest.approx(35 / 3)
    assert metrics.rmspe(predicted, true) == pytest.approx(math.sqrt((100 + 625) / 3))
    assert metrics.acc10(predicted, true) == pytest.approx(200 / 3)
    assert metrics.acc5(predicted, true) == pytest.approx(100 / 3)


def test_the_bounds_of_acc_are_inside():
    assert metrics.acc10([110.0, 90.0, 110.01, 89.99], [100.0] * 4) == 50.0
    assert metrics.acc_within([1.25, 0.75, 1.25 + 2**-40, 0.75 - 2**-40], [1.0] * 4, 25.0) == 50.0  # exact in binary
    assert metrics.acc5([105.0, 95.0], [100.0, 100.0]) == 100.0


@pytest.mark.parametrize("metric", [metrics.kendall_tau, metrics.spearman])
def test_a_constant_side_has_no_correlation(metric):
    assert metric(np.zeros(4), TRUE) is None
    assert metric(TRUE, np.zeros(4)) is None
    assert metric([1.0], [2.0]) is None


@pytest.mark.parametrize("metric", [metrics.mape, metrics.rmspe, metrics.acc10, metrics.acc5])
def test_a_zero_label_has_no_relative_error(metric):
    assert metric([1.0, 2.0], [0.0, 2.0]) is None


@pytest.mark.parametrize("metric", ALL)
def test_no_graphs_no_number(metric):
    assert metric([], []) is None


@pytest.mark.parametrize("metric", ALL)
@pytest.mark.parametrize(
    ("predicted", "true"), [([1.0, math.nan], [1.0, 2.0]), ([1.0, 2.0], [1.0, math.inf]), ([1.0], [1.0, 2.0])]
)
def test_wrong_inputs_are_errors(metric, predicted, true):
    with pytest.raises(ValueError, match="must be"):
        metric(predicted, true)


@pytest.mark.parametrize("metric", [metrics.kendall_tau, metrics.spearman])
@given(pairs=small_ints)
def test_monotone_maps_change_no_correlation(metric, pairs):
    p, y = (np.array(side, dtype=float) for side in zip(*pairs, strict=True))
    value = metric(p, y)
    for mapped in (3.0 * p + 7.0, p**3, np.exp(p / 10.0)):
        assert metric(mapped, y) == (None if value is None else pytest.approx(value, abs=1e-12))


@pytest.mark.parametrize("metric", [metrics.kendall_tau, metrics.spearman])
@given(pairs=small_ints)
def test_correlations_are_symmetric_and_bounded(metric, pairs):
    p, y = (np.array(side, dtype=float) for side in zip(*pairs, strict=True))
    value = metric(p, y)
    assert metric(y, p) == (None if value is None else pytest.approx(value, abs=1e-12))
    assert (value is None) == (len(set(p)) == 1 or len(set(y)) == 1)
    assert abs(value or 0.0) <= 1.0 + 1e-12


@given(pairs=small_ints)
def test_kendall_tau_is_the_count_of_pairs(pairs):
    p, y = (np.array(side, dtype=float) for side in zip(*pairs, strict=True))
    upper = np.triu_indices(len(p), 1)
    sp, sy = (np.sign(side[:, None] - side[None, :])[upper] for side in (p, y))
    scale = math.sqrt(np.abs(sp).sum() * np.abs(sy).sum())
    assert metrics.kendall_tau(p, y) == (None if scale == 0 else pytest.approx((sp * sy).sum() / scale))


def test_kendall_tau_of_thousands_of_graphs_is_exact():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 500, 3000)  # one tie in 500 pairs
    p = (y + rng.integers(0, 500, 3000)) // 7
    signs = [np.sign(side[:, None] - side[None, :]).astype(np.int64) for side in (p, y)]
    pairs = (signs[0] * signs[1]).sum()
    scale = math.sqrt(np.abs(signs[0]).sum()) * math.sqrt(np.abs(signs[1]).sum())
    assert metrics.kendall_tau(p, y) == pytest.approx(pairs / scale, abs=1e-12)


@pytest.mark.parametrize("metric", ALL)
@given(pairs=small_ints, seed=st.integers(0, 9))
def test_the_order_of_graphs_does_not_matter(metric, pairs, seed):
    p, y = (np.array(side, dtype=float) for side in zip(*pairs, strict=True))
    order = np.random.default_rng(seed).permutation(len(p))
    value = metric(p, y)
    assert metric(p[order], y[order]) == (None if value is None else pytest.approx(value))


@given(pairs=small_ints, scale=st.sampled_from([0.5, 2.0, 1024.0]))
def test_relative_errors_have_no_unit(pairs, scale):
    p, y = (np.array(side, dtype=float) for side in zip(*pairs, strict=True))
    for metric in metrics.RELATIVE.values():
        assert metric(scale * p, scale * y) == pytest.approx(metric(p, y))
    assert metrics.rmspe(p, y) >= metrics.mape(p, y) - 1e-9
    assert metrics.acc10(p, y) >= metrics.acc5(p, y)


def test_metrics_of_a_target():
    assert list(metrics.for_target("test_acc")) == ["kendall_tau", "spearman"]
    assert list(metrics.for_target("cifar10_energy_mj")) == [
        "kendall_tau",
        "spearman",
        "mape",
        "rmspe",
        "acc10",
        "acc5",
    ]
