"""The runs of `benchmarks.time_to_tau`: which there are, their settings, and the table of those that are finished."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import polars as pl

from pipeline.core.errors import BenchError
from predictors import base

DATASET, TARGET = "nasbench201", "val_acc"
SCORED_ON = ("test_acc", "val_acc")
LENGTHS = ("steps", "pretrain_steps", "rounds")
SCHEMA = {
    "predictor": pl.String, "n_train": pl.Int64, "seed": pl.Int64, "budget": pl.String, "overrides": pl.String,
    "config_hash": pl.String, "status": pl.String, "fit_cpu_s": pl.Float64, "fit_s": pl.Float64,
    "tau_test_acc": pl.Float64, "tau_val_acc": pl.Float64, "dataset_version": pl.String, "host_cpu": pl.String,
    "torch_version": pl.String, "code_rev": pl.String, "finished_at": pl.String,
}  # fmt: skip
KEY = ["predictor", "n_train", "seed", "budget", "config_hash"]


@dataclass(frozen=True)
class Run:
    """One point for one seed. ``budget``: a fraction such as 1/8, `1 epoch`, or a limit such as `10 s`."""

    label: str
    n_train: int
    seed: int
    budget: str

    @property
    def key(self) -> tuple:
        """What a finished run goes by; the hash is of the settings before they are cut."""
        return self.label, self.n_train, self.seed, self.budget, base.config_hash(resolved(self.label).config)


def settings(label: str) -> dict:
    """Overrides of a label: `nn_former-paper` is nn_former with preset paper."""
    preset = label.partition("-")[2]
    return {"preset": preset} if preset else {}


def resolved(label: str) -> base.BasePredictor:
    """The predictor of a label, untrained. Raises BenchError for a name or preset that is not known."""
    return base.load(label)(settings(label))


def full_epochs(label: str) -> int:
    """Epochs of the full schedule, 0 for a predictor that does not count epochs."""
    return getattr(resolved(label).config, "epochs", 0)


def lengths(label: str, n: int) -> dict[str, int]:
    """Settings that say how long a predictor trains on ``n`` labels."""
    predictor = resolved(label)
    config = predictor.recipe(n) if hasattr(predictor, "recipe") else predictor.config
    return {name: value for name in LENGTHS if (value := getattr(config, name, 0))}


def budgets(label: str, fractions: list[Fraction], limits: list[float]) -> list[str]:
    """Budgets of a predictor, the shortest first; one alone where nothing can be cut."""
    if full_epochs(label):
        return ["1 epoch", *(f"{limit:g} s" for limit in sorted(limits))]
    return [str(f) for f in sorted(fractions)] if lengths(label, 1) else ["1"]


def overrides(run: Run, finished: pl.DataFrame) -> dict | None:
    """Settings of a run; None where its limit has no room for more than the one epoch that is run anyway.

    Epochs within a limit follow from the longest finished run of the same predictor and labels, None without any.
    """
    base_settings = settings(run.label)
    if run.budget == "1 epoch":
        return base_settings | {"epochs": 1}
    if run.budget.endswith(" s"):
        known = longest(finished, run.label, run.n_train)
        fit = math.floor(float(run.budget.removesuffix(" s")) * known[0] / known[1]) if known else 0
        return base_settings | {"epochs": min(fit, full_epochs(run.label))} if fit > 1 else None
    fraction = Fraction(run.budget)
    if fraction == 1:
        return base_settings
    return base_settings | {
        name: max(1, round(fraction * length)) for name, length in lengths(run.label, run.n_train).items()
    }


def longest(finished: pl.DataFrame, label: str, n: int) -> tuple[int, float] | None:
    """Epochs and CPU-seconds of the finished run with the most epochs."""
    ended = finished.filter(pl.col("predictor") == label, pl.col("n_train") == n, pl.col("status") == "ok")
    runs = [
        (json.loads(text).get("epochs"), seconds) for text, seconds in ended.select("overrides", "fit_cpu_s").rows()
    ]
    return max((run for run in runs if run[0]), default=None)


def read(path: Path) -> pl.DataFrame:
    """Finished runs, none where there is no file. Raises BenchError for a file that is not such a table."""
    if not path.exists():
        return pl.DataFrame(schema=SCHEMA)
    try:
        table = pl.read_csv(path, schema=SCHEMA)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise BenchError(f"{path}: not a table of runs ({str(error).splitlines()[0]}); delete it") from error
    if table.columns != list(SCHEMA) or table.select(KEY).is_duplicated().any():
        raise BenchError(f"{path}: not a table of runs, or a run stands there twice; delete it")
    return table
