"""The table of timings of one platform, and what a user wants to know of it."""

from __future__ import annotations

import polars as pl

SCHEMA = pl.Schema(
    {
        "network": pl.String,  # path below the folder of networks, without .onnx
        "sha256": pl.String,  # of the file
        "pass": pl.UInt8,  # 1, or 2 for the second timing of some networks
        "status": pl.String,  # one of timing.STATUSES
        "message": pl.String,
        "latency_ms": pl.Float64,  # what counts, the shortest run: pipeline.measure.rounds
        "settled": pl.Boolean,  # the shortest runs of two rounds of a quiet machine agree
        "rounds": pl.UInt8,
        "median_ms": pl.Float64,  # from here on, of the shortest round
        "q1_ms": pl.Float64,
        "q3_ms": pl.Float64,
        "min_ms": pl.Float64,
        "wall_ms": pl.Float64,  # median by the wall's clock
        "repeats": pl.UInt32,
        "error": pl.Float64,  # half of the median's 95 % interval, relative
        "others": pl.Float64,  # cores that other processes took
        "switched": pl.Float64,  # share of the runs in which the core was taken away
        "core_ms": pl.Float64,  # of a fixed loop between the runs: it tells the core's clock
        "finished_at": pl.String,
    }
)


def summary(table: pl.DataFrame) -> list[str]:
    """What a user wants to know at the end: statuses, how well the two passes agree, how busy the machine was."""
    first = table.filter(pl.col("pass") == 1)
    counts = first["status"].value_counts(sort=True).iter_rows()
    lines = [f"{first.height} networks: {', '.join(f'{count} {status}' for status, count in counts)}"]
    for row in first.filter(pl.col("status") != "ok").head(5).iter_rows(named=True):
        lines.append(f"{row['network']}: {row['status']}: {row['message']}")
    change = retest(table)
    if len(change):
        lines.append(
            f"{len(change)} networks timed twice: mean difference {change.mean():.2f} %, median {change.median():.2f} %"
        )
    unsettled = first.filter(pl.col("status") == "ok", ~pl.col("settled")).height
    if unsettled:
        lines.append(
            f"warning: {unsettled} networks were timed beside other work and never twice alike; "
            "delete the .jsonl file and run again on a quiet machine"
        )
    return lines


def retest(table: pl.DataFrame) -> pl.Series:
    """Difference of the second pass from the first, in percent of the first, of the networks that both could time."""
    ok = table.filter(pl.col("status") == "ok").select("network", "pass", "latency_ms")
    both = ok.filter(pl.col("pass") == 1).join(ok.filter(pl.col("pass") == 2), on="network", suffix="_2")
    return both.select(100 * (pl.col("latency_ms_2") / pl.col("latency_ms") - 1).abs()).to_series()
