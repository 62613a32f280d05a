"""What no cell can have, whoever asks for it: bounds, and settings that any predictor refuses. Light to import."""

from __future__ import annotations

import json
from typing import Any

from pipeline.core.errors import BenchError

MAX_ENSEMBLE = 100
MAX_TIMEOUT_S = 366 * 24 * 3600
MAX_SETTINGS = 20_000  # characters of JSON: they stand on the command line of a cell
MAX_WORD = 60  # characters of a label budget: it is the name of a folder
MAX_SEED = 2**32 - 1  # tables hold no larger one


def check(where: str, overrides: dict[str, Any]) -> None:
    """Raise BenchError, with `where` they stand, unless settings are finite and those of any predictor can be.

    These are `ensemble`, 2 to 100 members, and `off_path`, a truth value.
    """
    if (length := len(json.dumps(overrides))) > MAX_SETTINGS:
        raise BenchError(f"{where}: settings of {length:,} characters, over {MAX_SETTINGS:,}; give fewer")
    for key, value in overrides.items():
        try:
            json.dumps(value, allow_nan=False)
        except ValueError as error:
            raise BenchError(f"{where}.{key}: {value!r} is not finite; give a number") from error
    size = overrides.get("ensemble")
    if size is not None and (type(size) is not int or not 2 <= size <= MAX_ENSEMBLE):
        raise BenchError(f"{where}.ensemble: {size!r} is no whole number from 2 to {MAX_ENSEMBLE}; mend it")
    if type(overrides.get("off_path", False)) is not bool:
        raise BenchError(f"{where}.off_path: {overrides['off_path']!r} is neither true nor false; mend it")
