"""What no cell can have, whoever asks for it: bounds, and settings that any predictor refuses. Light to import."""

from __future__ import annotations

import math
from typing import Any

from pipeline.core.errors import BenchError

MAX_ENSEMBLE = 100
MAX_TIMEOUT_S = 366 * 24 * 3600
MAX_WORD = 60  # characters of a label budget: it is the name of a folder
MAX_SEED = 2**32 - 1  # tables hold no larger one


def check(where: str, overrides: dict[str, Any]) -> None:
    """Raise BenchError, with `where` they stand, unless settings are finite and those of any predictor can be.

    These are `ensemble`, 2 to 100 members, and `off_path`, a truth value.
    """
    for key, value in overrides.items():
        parts = value if isinstance(value, list) else [value]
        if any(isinstance(part, float) and not math.isfinite(part) for part in parts):
            raise BenchError(f"{where}.{key}: {value!r} is not finite; give a number")
    size = overrides.get("ensemble")
    if size is not None and (type(size) is not int or not 2 <= size <= MAX_ENSEMBLE):
        raise BenchError(f"{where}.ensemble: {size!r} is no whole number from 2 to {MAX_ENSEMBLE}; mend it")
    if type(overrides.get("off_path", False)) is not bool:
        raise BenchError(f"{where}.off_path: {overrides['off_path']!r} is neither true nor false; mend it")
