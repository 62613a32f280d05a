"""HELP's files of latencies: one <device>.pt a device, a list of milliseconds in the order of its networks."""

import math
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from pipeline.convert import _common
from pipeline.core.errors import BenchError
from pipeline.fetch import unpickle

TARGET = "latency_ms"


def latencies(raw: Path, devices: Sequence[str], n: int) -> dict[str, list[float]]:
    """The n latencies of each device. Raises BenchError naming the file that holds anything else."""
    return {
        device: checked(raw / f"{device}.pt", unpickle.load_torch_list(raw / f"{device}.pt"), n) for device in devices
    }


def checked(path: Path, values: Sequence[float], n: int, missing: float | None = None) -> list[float]:
    """`values` as floats if they are n latencies. Raises BenchError naming `path`.

    `missing`: the mark of a latency that was not measured; it stays.
    """
    if len(values) != n:
        raise BenchError(f"{path}: {len(values)} latencies for {n} networks; fetch it again")
    for index, value in enumerate(values):
        if value != missing and not (math.isfinite(value) and value > 0):
            raise BenchError(f"{path}: latency {value} of network {index} is not a positive number; fetch it again")
    return [float(value) for value in values]


def targets(latencies_of: dict[str, list[float]]) -> pl.DataFrame:
    """The targets table of the latencies of each device."""
    return pl.concat(
        _common.target_frame(TARGET, device, values, batch_size(device)) for device, values in latencies_of.items()
    )


def batch_size(device: str) -> int:
    """The batch size in the name of a device, as in titan_rtx_256; 1 where the source names none."""
    suffix = device.rpartition("_")[2]
    return int(suffix) if suffix in ("1", "32", "64", "256") else 1
