"""The least that a network takes: one call of the runtime and a cost an operation, whatever the operations do.

A predictor that learned from large networks sees arithmetic and traffic, of which a tiny network has next to none.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

TINY_MS = 0.1  # below which a network is mostly calls
FEWEST = 8  # tiny networks that a fit needs
SPAN = 4  # and how many times more operations the largest of them must have than the smallest
QUANTILE = 0.1  # of the tiny networks that may lie below the line
BELOW = 0.01  # of all networks that may lie below it


@dataclass(frozen=True)
class Floor:
    """`call_ms` and `operation_ms` of a device; both 0 where nothing is known of tiny networks."""

    call_ms: float = 0.0
    operation_ms: float = 0.0

    def of(self, operations: np.ndarray | int) -> np.ndarray | float:
        """Milliseconds that so many operations take at least."""
        return self.call_ms + self.operation_ms * operations


def fit(operations: np.ndarray, latency_ms: np.ndarray) -> Floor:
    """The floor under measured networks: (n,) operations and (n,) latencies.

    Of the tiny networks, a line through their lower end: quantile regression (Koenker and Bassett, Econometrica 1978)
    of the relative error, neither term below zero. The cost an operation is no more than nearly all networks, tiny or
    not, leave room for. Without tiny networks of different sizes there is none: larger ones say nothing of it.
    """
    tiny = latency_ms < TINY_MS
    counts, taken = operations[tiny].astype(np.float64), latency_ms[tiny].astype(np.float64)
    if len(counts) < FEWEST or counts.max() < SPAN * counts.min():
        return Floor()
    from scipy.optimize import linprog  # half a second to import, and predicting needs none

    n, scale = len(counts), counts.max()
    price = np.concatenate([[0, 0], QUANTILE / taken, (1 - QUANTILE) / taken])  # of what is above and below the line
    line = np.concatenate([np.ones((n, 1)), counts[:, None] / scale, np.eye(n), -np.eye(n)], 1)
    call, slope = linprog(price, A_eq=line, b_eq=taken, method="highs").x[:2]
    room = np.quantile((latency_ms - call) / operations, BELOW)
    return Floor(float(call), float(min(slope / scale, max(room, 0.0))))
