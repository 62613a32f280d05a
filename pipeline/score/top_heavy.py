"""Measures of a ranking's top, for search: pure functions from (predicted, true) arrays, more being better.

Ties. Equal true values share the best of their ranks. Equal predictions have no order: a measure is its mean over all
orders of theirs. Both functions of the best k raise ValueError for fewer than k networks.
"""

from __future__ import annotations

from math import ceil, comb

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import rankdata

from pipeline.score import metrics

SHARE, K = 0.05, 10


def tau_of_best(predicted: ArrayLike, true: ArrayLike, share: float = SHARE) -> float | None:
    """Kendall's tau among the truly best networks: the best `share`, rounded up, and all that equal the last of them.

    None where `metrics.kendall_tau` is undefined on them.
    """
    p, y = np.asarray(predicted, dtype=float), np.asarray(true, dtype=float)
    if p.shape != y.shape or not y.size:
        raise ValueError(f"predicted and true must be vectors of one length, not {p.shape} and {y.shape}")
    best = y >= np.sort(y)[-ceil(share * y.size)]
    return metrics.kendall_tau(p[best], y[best])


def best_rank(predicted: ArrayLike, true: ArrayLike, k: int = K) -> float:
    """N@k: the best true rank, 1 for the best network of all, among the k that are predicted to be best.

    Ning et al., TA-GATES (NeurIPS 2022). Fewer is better.
    """
    above, tied, places = _split(predicted, true, k)
    ranks = sorted(tied)
    known = min(above, default=np.inf)
    ways = comb(len(ranks), places)
    # The i-th of the tied is the best of those taken when the others come from behind it.
    return float(sum(min(known, rank) * comb(len(ranks) - i - 1, places - 1) for i, rank in enumerate(ranks)) / ways)


def precision(predicted: ArrayLike, true: ArrayLike, k: int = K) -> float:
    """Share, from 0 to 1, of the k networks predicted to be best that are among the k truly best, ties included."""
    above, tied, places = _split(predicted, true, k)
    hits = sum(rank <= k for rank in above) + places * np.mean([rank <= k for rank in tied])
    return float(hits / k)


def _split(predicted: ArrayLike, true: ArrayLike, k: int) -> tuple[list[float], list[float], int]:
    """True ranks of those surely among the k predicted best, of those tied for the last places, and these places."""
    p, y = np.asarray(predicted, dtype=float), np.asarray(true, dtype=float)
    if p.shape != y.shape or p.ndim != 1 or p.size < k:
        raise ValueError(f"predicted and true must be vectors of one length, at least {k}, not {p.shape} and {y.shape}")
    if not (np.isfinite(p).all() and np.isfinite(y).all()):
        raise ValueError("predicted and true must be finite")
    rank = rankdata(-y, method="min")
    last = np.sort(p)[-k]
    above = rank[p > last].tolist()
    return above, rank[p == last].tolist(), k - len(above)
