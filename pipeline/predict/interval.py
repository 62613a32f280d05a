"""Split-conformal intervals of costs: how far off a predictor was on networks it never saw."""

from __future__ import annotations

import math

import numpy as np

from pipeline.core.errors import BenchError

MAX_SCORE = 700  # whose exponential is a number still


def scores(predicted: np.ndarray, true: np.ndarray) -> np.ndarray:
    """|log(true / predicted)| of held-out networks, (m,), ascending: relative errors as factors, alike up and down.

    All true costs are above zero. A prediction that is not is off by no finite factor: infinity.
    """
    positive = predicted > 0
    return np.sort(np.where(positive, np.abs(np.log(true / np.where(positive, predicted, 1))), np.inf))


def check(scores: np.ndarray) -> None:
    """Raise ValueError unless `scores` are ascending distances, as `scores` gives them."""
    if np.isnan(scores).any() or (scores < 0).any() or (scores[1:] < scores[:-1]).any():
        raise ValueError("the errors of its held-out networks are no ascending distances")


def factor(scores: np.ndarray, level: float) -> float:
    """The factor f for which [p / f, p f] around a prediction p holds the truth with probability `level` at least.

    It is the ceil((m + 1) level)-th smallest of m scores (Vovk et al. 2005; Lei et al., JASA 2018, section 2). The
    probability is that of a network drawn as the held-out ones were, on average over such draws; nothing is promised
    for networks of another kind.

    Raises:
        BenchError: `level` is no probability, or too high for so few held-out networks.
    """
    if not 0 < level < 1:
        raise BenchError(f"level {level:g}: give a probability between 0 and 1, such as 0.9")
    m = len(scores)
    rank = math.ceil((m + 1) * level - 1e-9)
    if rank > m:
        raise BenchError(f"level {level:g}: {m} held-out networks allow {m / (m + 1):.3f} at most; give a lower level")
    if not scores[rank - 1] < MAX_SCORE:
        raise BenchError(f"level {level:g}: too many held-out networks were predicted at 0 or below; give a lower one")
    return math.exp(scores[rank - 1])
