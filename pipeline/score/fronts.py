"""Fronts of accuracy (more is better) against cost (less is better): who is on one, and what it is worth."""

from __future__ import annotations

import numpy as np


def non_dominated(accuracy: np.ndarray, cost: np.ndarray) -> np.ndarray:
    """Whether none of the others is as good in both labels (n,) and better in one, (n,). Equals stay together."""
    costs, place = np.unique(cost, return_inverse=True)
    best = np.full(len(costs), -np.inf)
    np.maximum.at(best, place, accuracy)
    cheaper = np.r_[-np.inf, np.maximum.accumulate(best)][: len(costs)]
    return (accuracy == best[place]) & (accuracy > cheaper[place])


def hypervolume(accuracy: np.ndarray, cost: np.ndarray, reference: tuple[float, float]) -> float:
    """The area that points (n,) dominate up to the `reference` (accuracy, cost), in the product of the labels' units.

    Zitzler and Thiele, IEEE Transactions on Evolutionary Computation 1999. Points not better than the reference
    in both labels add nothing.
    """
    inside = (accuracy > reference[0]) & (cost < reference[1])
    order = np.argsort(cost[inside])
    best, costs = np.maximum.accumulate(accuracy[inside][order]), cost[inside][order]
    return float((np.diff(np.r_[costs, reference[1]]) * (best - reference[0])).sum()) if len(costs) else 0.0
