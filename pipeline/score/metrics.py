"""Metrics: pure functions from (predicted, true) arrays to a number, or None where the metric is undefined.

Every function takes two arrays of shape (n,) in the same units and raises ValueError when the shapes differ or
a value is not finite: a wrong input is an error, an undefined metric (constant predictions, too few graphs, a
zero label in a relative error) is None. Correlations keep their sign.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from pipeline.core.targets import is_cost


def _checked(predicted: ArrayLike, true: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Both arrays as float64 of shape (n,); ValueError when shapes differ or a value is not finite."""
    p, y = np.asarray(predicted, dtype=np.float64), np.asarray(true, dtype=np.float64)
    if p.ndim != 1 or p.shape != y.shape:
        raise ValueError(f"predicted and true must be vectors of one length, not {p.shape} and {y.shape}")
    if not (np.isfinite(p).all() and np.isfinite(y).all()):
        raise ValueError("predicted and true must be finite")
    return p, y


def _is_constant(values: np.ndarray) -> bool:
    return bool((values == values[0]).all())


def kendall_tau(predicted: ArrayLike, true: ArrayLike) -> float | None:
    """Kendall's tau-b (Kendall 1945), in [-1, 1]; ties are corrected for.

    None with fewer than two graphs or when either side is constant.
    """
    p, y = _checked(predicted, true)
    if p.size < 2 or _is_constant(p) or _is_constant(y):
        return None
    return float(stats.kendalltau(p, y, variant="b").statistic)


def spearman(predicted: ArrayLike, true: ArrayLike) -> float | None:
    """Spearman's rank correlation with mean ranks for ties, in [-1, 1]; None in the cases `kendall_tau` names."""
    p, y = _checked(predicted, true)
    if p.size < 2 or _is_constant(p) or _is_constant(y):
        return None
    return float(np.corrcoef(stats.rankdata(p), stats.rankdata(y))[0, 1])


def _relative_errors(predicted: ArrayLike, true: ArrayLike) -> np.ndarray | None:
    """(predicted - true) / true, shape (n,); None without graphs or with a zero label."""
    p, y = _checked(predicted, true)
    if p.size == 0 or (y == 0).any():
        return None
    return (p - y) / y


def mape(predicted: ArrayLike, true: ArrayLike) -> float | None:
    """Mean absolute percentage error, 100 * mean(|p - y| / |y|), in percent."""
    errors = _relative_errors(predicted, true)
    return None if errors is None else float(100.0 * np.abs(errors).mean())


def rmspe(predicted: ArrayLike, true: ArrayLike) -> float | None:
    """Root mean square percentage error, 100 * sqrt(mean(((p - y) / y)^2)), in percent."""
    errors = _relative_errors(predicted, true)
    return None if errors is None else float(100.0 * np.sqrt(np.square(errors).mean()))


def acc_within(predicted: ArrayLike, true: ArrayLike, percent: float) -> float | None:
    """Acc(x%): share of graphs predicted within `percent` percent of the truth, bounds included, in percent.

    Liu et al., NNLQP (ICPP 2022), section 8.1 "Metrics". Computed as |p - y| * 100 <= percent * |y|, which
    keeps round bounds (a prediction of 110 for 100) inside.
    """
    p, y = _checked(predicted, true)
    if p.size == 0 or (y == 0).any():
        return None
    return float(100.0 * (np.abs(p - y) * 100.0 <= percent * np.abs(y)).mean())


def acc10(predicted: ArrayLike, true: ArrayLike) -> float | None:
    """Acc(10%), in percent."""
    return acc_within(predicted, true, 10.0)


def acc5(predicted: ArrayLike, true: ArrayLike) -> float | None:
    """Acc(5%), in percent."""
    return acc_within(predicted, true, 5.0)


Metric = Callable[[ArrayLike, ArrayLike], float | None]
RANKING: dict[str, Metric] = {"kendall_tau": kendall_tau, "spearman": spearman}
RELATIVE: dict[str, Metric] = {"mape": mape, "rmspe": rmspe, "acc10": acc10, "acc5": acc5}
LOWER_IS_BETTER = frozenset({"mape", "rmspe"})


def for_target(target: str) -> dict[str, Metric]:
    """The metrics reported for `target`, by name, in the order of the score rows."""
    return {**RANKING, **RELATIVE} if is_cost(target) else dict(RANKING)
