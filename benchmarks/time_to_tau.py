"""Kendall's tau against CPU-seconds of fitting, one thread, on every cell of NAS-Bench-201; learned from val_acc.

    python -m benchmarks.time_to_tau [--labels 156 781] [--seeds 0 1 2] [--predictors NAME...] [--data data] [--out DIR]

A point is a run of its own with a schedule of its own: steps, pretraining steps or boosting rounds cut to a fraction of
the default's; for presets that count epochs (`nn_former-paper`), as many epochs as fit a limit of CPU-seconds, the full
schedule being extrapolated. Every finished run is a row of DIR/runs.csv, and what stands there is not run again unless
its settings have changed (after a change of code, delete the file). Then the picture is drawn (DIR/time-to-tau.svg,
.png, .csv) and the time to the published tau is printed.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks import time_to_tau_report
from benchmarks.time_to_tau_runs import DATASET, KEY, SCHEMA, SCORED_ON, TARGET, Run, budgets, overrides, read
from pipeline.core import io
from pipeline.core.errors import BenchError, run_cli
from pipeline.core.paths import ROOT
from pipeline.score import metrics

PREDICTORS = ("nn_former", "nn_former-paper", "graf", "gates", "ta_gates", "flan", "gp")
RELEASED_RATE = 117.0  # samples per CPU-second of preset `released`, measured by benchmarks/train_throughput.py


class Data:
    """The converted data set in a folder with parquet/ and splits/.

    Raises:
        BenchError: a file is not there.
    """

    def __init__(self, root: Path, seeds: list[int]) -> None:
        self.tables = root.resolve() / "parquet" / DATASET
        self.splits = root.resolve() / "splits" / DATASET
        needed = [self.tables / "graphs.parquet", self.tables / "targets.parquet", *map(self.split, seeds)]
        for path in needed:
            if not path.is_file():
                raise BenchError(
                    f"{path}: not here; make it with `snakemake data --cores 2 --configfile config/nasbench201.yaml`"
                    " (its `seeds` says how many splits there are)"
                )
        targets = io.read_parquet(self.tables / "targets.parquet").sort("graph_id")
        self.labels = {t: targets.filter(pl.col("target") == t)["value"].to_numpy() for t in SCORED_ON}

    def split(self, seed: int) -> Path:
        """Split file of a seed."""
        return self.splits / f"{seed}.parquet"

    def taus(self, predicted: np.ndarray) -> dict[str, float | None]:
        """Kendall's tau of predictions (n,) for all cells, by label."""
        return {target: metrics.kendall_tau(predicted, self.labels[target]) for target in SCORED_ON}


def train(
    run: Run, config: dict, data: Data, torch_device: str = "cpu", timeout: int = 3600
) -> tuple[dict, dict[str, float | None]]:
    """Fit and predict in a process of its own: what it cost, and its taus (None where the run did not end well).

    Raises:
        BenchError: the message of the process, when it failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "predictions.parquet"
        command = [
            sys.executable, "-m", "pipeline.train", DATASET, TARGET, run.label, f"n{run.n_train}",
            "--overrides", json.dumps(config), "--seed", str(run.seed),
            "--data", str(data.tables), "--split", str(data.split(run.seed)),
            "--torch-device", torch_device, "--timeout", str(timeout), "--out", str(out),
        ]  # fmt: skip
        env = os.environ | {"OMP_NUM_THREADS": "1"}
        ended = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)
        if ended.returncode:
            last = (ended.stderr.strip().splitlines() or ["it said nothing"])[-1]
            raise BenchError(f"{run.label}, {run.n_train} labels, seed {run.seed}: {last.removeprefix('error: ')}")
        about, frame = io.read_meta(out), io.read_parquet(out).sort("graph_id")
    return about, data.taus(frame["prediction"].to_numpy()) if about["status"] == "ok" else dict.fromkeys(SCORED_ON)


def fill(path: Path, runs: list[Run], fit: Callable[[Run, dict], tuple[dict, dict]]) -> pl.DataFrame:
    """Do what is missing of ``runs`` and return the rows of all of them; each goes to ``path`` as it is finished."""
    finished = read(path)
    wanted = {run.key: run for run in runs}
    finished_keys = set(finished.select(KEY).iter_rows())
    print(f"{path}: {len(finished_keys & wanted.keys())} of {len(wanted)} runs are there")
    for number, (key, run) in enumerate(wanted.items(), 1):
        if key in finished_keys:
            continue
        place = f"[{number}/{len(wanted)}] {run.label}, {run.n_train} labels, seed {run.seed}, {run.budget}"
        config = overrides(run, finished)
        if config is None:
            print(f"{place}: left out, two epochs do not fit")
            continue
        about, taus = fit(run, config)
        row = {name: about.get(name) for name in SCHEMA} | dict(zip(KEY, key, strict=True))
        row |= {f"tau_{target}": tau for target, tau in taus.items()} | {"overrides": json.dumps(config)}
        finished = pl.concat([finished, pl.DataFrame([row], schema=SCHEMA)])
        io.write_bytes(path, finished.write_csv().encode())
        shown = ", ".join(f"tau {tau:.4f} on {name}" for name, tau in taus.items() if tau is not None)
        print(f"{place}: {about.get('fit_cpu_s') or 0:.2f} CPU-s, {shown or about['status']}", flush=True)
    keys = pl.DataFrame(list(wanted), schema={name: SCHEMA[name] for name in KEY}, orient="row")
    return finished.join(keys, on=KEY, how="semi", maintain_order="left")


def main() -> None:
    """Run what is missing, draw, print."""
    args = _parse()
    data = Data(args.data, args.seeds)
    runs = [
        Run(label, n, seed, budget)
        for n in args.labels
        for seed in args.seeds
        for label in args.predictors
        for budget in budgets(label, args.fractions, args.limits)
    ]
    rows = fill(args.out / "runs.csv", runs, lambda run, config: train(run, config, data))
    time_to_tau_report.save(rows, args.out, args.scored_on, args.released_rate)
    print("\n".join(time_to_tau_report.summary(rows, args.released_rate)))


def _fraction(text: str) -> Fraction:
    """An argument type: above 0, at most 1."""
    try:
        value = Fraction(text)
    except (ValueError, ZeroDivisionError):
        value = Fraction(0)
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a fraction such as 1/8, above 0 and at most 1")
    return value


def positive(kind: type) -> Callable[[str], float]:
    """An argument type: finite numbers of a kind above zero."""

    def parse(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            value = 0
        if not 0 < value < math.inf:
            raise argparse.ArgumentTypeError(f"{text!r} is not a{'n' * (kind is int)} {kind.__name__} above 0")
        return value

    return parse


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.time_to_tau", description=__doc__.partition("\n")[0])
    parser.add_argument("--labels", nargs="+", type=positive(int), default=[156, 781], help="numbers of labels")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--predictors", nargs="+", default=list(PREDICTORS), help="<predictor> or <predictor>-<preset>")
    parser.add_argument("--fractions", nargs="+", type=_fraction, default=[Fraction(1, k) for k in (8, 4, 2, 1)])
    parser.add_argument(
        "--limits", nargs="+", type=positive(float), default=[3, 10, 30], help="CPU-s of an epoch count"
    )
    parser.add_argument("--scored-on", choices=SCORED_ON, default="test_acc", help="label of the picture")
    parser.add_argument(
        "--released-rate", type=positive(float), default=RELEASED_RATE, help="samples per CPU-s of the released recipe"
    )
    parser.add_argument("--data", type=Path, default=Path("data"), help="folder with parquet/ and splits/")
    parser.add_argument("--out", type=Path, default=Path("results/time_to_tau"))
    return parser.parse_args()


if __name__ == "__main__":
    run_cli(main)
