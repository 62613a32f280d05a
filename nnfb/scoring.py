"""The scores of this benchmark for two arrays."""

from __future__ import annotations

from numpy.typing import ArrayLike

from pipeline.score import metrics


def score(y_true: ArrayLike, y_pred: ArrayLike, target: str = "test_acc") -> dict[str, float | None]:
    """The scores that boards show for `target`, by name: rank correlations, and relative errors in percent of costs.

    Costs are targets that end in a unit, such as latency_ms. None where a score is undefined, as of constant
    predictions. Raises ValueError when the lengths differ or a value is not finite.
    """
    return {name: metric(y_pred, y_true) for name, metric in metrics.for_target(target).items()}
