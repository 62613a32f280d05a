"""The table of scores: one number a row, with everything that says where the number came from."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from pipeline.core import io
from pipeline.core.errors import BenchError, quoted, short

SCHEMA = pl.Schema(
    {
        "dataset": pl.String,
        "dataset_version": pl.String,
        "protocol": pl.String,
        "target": pl.String,  # trained on
        "scored_on": pl.String,  # the label the predictions are compared with
        "device": pl.String,
        "predictor": pl.String,  # label in the grid: <predictor> or <predictor>-<variant>
        "config_hash": pl.String,
        "budget": pl.String,  # the label budget as a word: see pipeline.config.budget
        "n_train": pl.UInt32,
        "n_val": pl.UInt32,
        "n_source": pl.UInt32,  # labels of other devices
        "seed": pl.UInt32,
        "split": pl.String,  # of QUALITY_SPLITS, or run for the cost of a run
        "metric": pl.String,
        "value": pl.Float64,  # null: undefined, or status is not ok
        "status": pl.String,  # of STATUSES
        "torch_device": pl.String,
        "host_cpu": pl.String,
        "host_gpu": pl.String,
        "torch_version": pl.String,
        "code_rev": pl.String,
        "finished_at": pl.String,
    }
)
KEY = (
    "dataset", "protocol", "target", "scored_on", "device", "predictor",
    "config_hash", "budget", "seed", "split", "metric",
)  # fmt: skip
NULLABLE = frozenset({"value", "host_cpu", "host_gpu", "torch_device", "torch_version", "code_rev", "finished_at"})
STATUSES = ("ok", "diverged", "timeout", "unsupported", "error")
QUALITY_SPLITS = ("test", "all", "novel", "novel_function")  # the last for accuracies of data that name identities
RUN_METRICS = ("fit_s", "fit_cpu_s", "predict_s", "predict_cpu_s", "n_params", "peak_mem_mb")


MOST = 1e100  # of a score: sums and squares of more are infinite


def is_number(value: object) -> bool:
    """Whether a value of JSON is a number that scores may be: none that is not finite, or beyond MOST."""
    return type(value) in (int, float) and abs(value) <= MOST


def scored_on(protocol: str, target: str) -> tuple[str, ...]:
    """The labels that predictions trained on `target` are compared with under `protocol`."""
    return ("val_acc", "test_acc") if protocol == "tnasp" else (target,)


def check(rows: pl.DataFrame, where: Path | str) -> None:
    """Raise BenchError unless `rows` keeps to the schema, holds no NaN and has one row per key."""
    if rows.schema != SCHEMA:
        wrong = [name for name, kind in SCHEMA.items() if rows.schema.get(name) != kind]
        wrong += [name for name in rows.columns if name not in SCHEMA]
        raise BenchError(f"{where}: wrong, missing or misplaced columns {short(wrong or rows.columns)}; score again")
    for name in SCHEMA:
        if name not in NULLABLE and rows[name].null_count():
            raise BenchError(f"{where}: column {name} has empty cells; score again")
    if not rows["value"].drop_nulls().is_finite().all():
        raise BenchError(f"{where}: column value holds NaN or infinity; score again")
    if (rows["value"].abs() > MOST).any():
        raise BenchError(f"{where}: column value holds a number beyond {MOST:g}; score again")
    unknown = sorted(set(rows["status"].unique()) - set(STATUSES))
    if unknown:
        raise BenchError(f"{where}: unknown status {quoted(unknown[0])}; known: {', '.join(STATUSES)}")
    duplicate = rows.filter(pl.struct(KEY).is_duplicated())
    if duplicate.height:
        first = quoted(", ".join(f"{name}={duplicate[0, name]}" for name in KEY))
        raise BenchError(f"{where}: {duplicate.height} rows share their key, for one {first}; list each cell once")


def write(
    path: Path | str,
    rows: pl.DataFrame,
    noise: list[dict] | None = None,
    messages: list[list] | None = None,
    likeness: list[dict] | None = None,
) -> None:
    """Check `rows` and write them atomically; metadata are the labels' `noise`, the failed cells' `messages` and the
    `likeness` of devices."""
    check(rows, path)
    about = {"kind": "scores", "noise": noise or []} | ({"messages": messages} if messages else {})
    about |= {"likeness": likeness} if likeness else {}
    io.write_parquet(path, rows, about)


def read(path: Path | str) -> pl.DataFrame:
    """Read and check a table of scores. Raises BenchError when it is missing, damaged or not one."""
    rows = io.read_parquet(path)
    check(rows, path)
    return rows
