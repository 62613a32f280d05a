"""How the labels of a grid name predictors: `<predictor>` or `<predictor>-<variant>`."""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.config.grid import predictor_of

__all__ = ["FOCUS", "focus_first", "is_focus", "predictor_of"]
FOCUS = "nn_former"  # the predictor that this benchmark is about


def is_focus(label: str) -> bool:
    """True for NN-Former and its variants."""
    return predictor_of(label) == FOCUS


def focus_first(labels: Iterable[str]) -> list[str]:
    """NN-Former first, then its variants, then the others by name."""
    return sorted(labels, key=lambda label: (label != FOCUS, not is_focus(label), label))
