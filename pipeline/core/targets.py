"""What a target's name says: targets end in their unit (`_ms`, `_mj`) or are accuracies in percent."""

from __future__ import annotations

UNITS = {"_ms": "ms", "_mj": "mJ"}


def is_cost(target: str) -> bool:
    """True for a latency or an energy: positive, less is better, and relative errors make sense."""
    return target.endswith(tuple(UNITS))


def unit(target: str) -> str:
    """The unit of a target's values, as it is printed."""
    return UNITS[target[-3:]] if is_cost(target) else "%"
