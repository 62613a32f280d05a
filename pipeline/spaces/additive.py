"""How far costs are sums over the places of a network: a table of costs fitted to most networks, asked about the rest.

On a table that somebody summed up the fit is exact. Elsewhere it is what a model that adds up blocks can reach with
thousands of labels; what it misses is noise, or blocks whose costs depend on one another.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

SHARE = 0.8  # of the networks, the first ones; the others are held out
EXACT = 0.999999  # R2 from which labels are called a summed table


def places(names: Sequence[str]) -> np.ndarray | None:
    """What stands at each place of n networks whose names say it, one-hot: (n, F); None where they don't.

    Such are `conv|skip|conv` and NAS-Bench-201's `|conv~0|+|skip~0|none~1|+|...|`: equally many places, two or more.
    """
    words = [[word for word in name.split("|") if word not in ("", "+")] for name in names]
    if len({len(row) for row in words}) != 1 or len(words[0]) < 2:
        return None
    columns = [np.unique(column, return_inverse=True)[1] for column in zip(*words, strict=True)]
    return np.concatenate([np.eye(column.max() + 1)[column] for column in columns], axis=1)


def predict(chosen: np.ndarray, values: np.ndarray, fitted: int) -> np.ndarray:
    """Least-squares sums for the networks behind the first `fitted`. `chosen`: (n, F) of `places`; `values`: (n,)."""
    weights = np.linalg.lstsq(chosen[:fitted], values[:fitted], rcond=None)[0]
    return chosen[fitted:] @ weights


def r2(predicted: np.ndarray, true: np.ndarray) -> float:
    """Share of the variance of `true` that `predicted` explains, both (m,)."""
    return float(1 - ((true - predicted) ** 2).sum() / ((true - true.mean()) ** 2).sum())


def held_out(chosen: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(predicted, true) of the last fifth of the networks; `chosen` (n, F), `values` (n,), ordered by graph_id."""
    fitted = int(SHARE * len(values))
    return predict(chosen, values, fitted), values[fitted:]
