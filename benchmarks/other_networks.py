"""ONNX files of networks that others made: latency predicted by a saved predictor, and timed here in rounds.

    python -m benchmarks.other_networks FOLDER [--device ort-cpu-fp32-1t] [--predictor nn_former] [--models FOLDER]
                                               [--dataset NAME] [--out TABLE.csv]

A network's kind is the folder below FOLDER that it lies in, its batch that of the file. Dimensions that are open beside
the batch have sizes as in `benchmarks.onnx_sweep`. Timings are kept beside TABLE.csv, for tables of other predictors
too: what was timed is not timed again. Prints a line a kind as a Markdown table, and what could not be predicted or
timed. Leave the machine alone meanwhile.
"""

from __future__ import annotations

import argparse
import csv
import json
import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from benchmarks.onnx_sweep import convert
from pipeline.core.errors import BenchError, one_line, run_cli
from pipeline.measure import run
from pipeline.measure.timing import Settings
from pipeline.predict.interval import OFF_BY, errors
from pipeline.predict.model import PREDICTOR, Model, load
from pipeline.predict.prediction import GRADES, Prediction
from pipeline.report.format import markdown

LEAST_MS = 0.1  # the mean error is also that of slower networks alone: below, it is of the runtime's own work
NONE = "-"
HEADER = [
    *("Kind", "Files", "Timed", f"Above {LEAST_MS} ms", "MAPE of these, %", "MAPE, %", "Median, %", "In interval, %"),
    *("Far off, %", "Warned, %", "Off by over 25 %", "Warning: precision, %", "Recall, %"),
]


@dataclass(frozen=True)
class Row:
    """What became of a file: `status` is "ok", "refused" or another of `pipeline.measure.timing`; why, in `message`."""

    name: str
    status: str
    message: str = ""
    dims: str = ""
    latency_ms: float | None = None
    settled: bool | None = None
    predicted_ms: float | None = None
    low_ms: float | None = None
    high_ms: float | None = None
    distance: float | None = None
    grade: str = ""
    warnings: str = ""

    @property
    def kind(self) -> str:
        """The folder that the file lies in."""
        return self.name.rpartition("/")[0] or NONE

    @property
    def error_percent(self) -> float:
        """Of the latency."""
        return 100 * abs(self.predicted_ms - self.latency_ms) / self.latency_ms

    @property
    def is_inside(self) -> bool:
        """Whether the interval holds the latency."""
        return self.low_ms <= self.latency_ms <= self.high_ms

    @property
    def is_off(self) -> bool:
        """Whether the prediction is off by a factor of over 1.25, either way."""
        error = errors(np.array([self.predicted_ms]), np.array([self.latency_ms]))
        return bool(error[0] > np.log1p(OFF_BY))


def _mean(values: Sequence[float]) -> str:
    return f"{statistics.mean(values):.1f}" if values else NONE


def _share(flags: Sequence[bool]) -> str:
    return f"{100 * statistics.mean(flags):.0f}" if flags else NONE


def scored(kind: str, rows: Sequence[Row]) -> list[str]:
    """The cells of a line of the table."""
    timed = [row for row in rows if row.status == "ok"]
    slower = [row.error_percent for row in timed if row.latency_ms > LEAST_MS]
    every = [row.error_percent for row in timed]
    warned, off = [row for row in timed if row.warnings], [row for row in timed if row.is_off]
    return [
        *(kind, str(len(rows)), str(len(timed)), str(len(slower))),
        *(_mean(slower), _mean(every), f"{statistics.median(every):.1f}" if every else NONE),
        _share([row.is_inside for row in timed]),
        _share([row.grade == GRADES[-1] for row in timed]),
        _share([bool(row.warnings) for row in timed]),
        str(len(off)),
        _share([row.is_off for row in warned]),
        _share([bool(row.warnings) for row in off]),
    ]


def report(rows: Sequence[Row]) -> list[str]:
    """The table, a line a kind and one of all, and the files that have no place in it."""
    kinds = sorted({row.kind for row in rows})
    cells = [scored(kind, [row for row in rows if row.kind == kind]) for kind in kinds]
    failed = [f"{row.name}: {row.status}: {row.message}" for row in rows if row.status != "ok"]
    return [*markdown(HEADER, [*cells, scored("all", rows)]), "", *failed]


def predicted(model: Model, path: Path, given: dict[str, int]) -> tuple[Prediction, dict[str, int]]:
    """The prediction of a file and the sizes of its open dimensions. Raises BenchError where it is refused."""
    graph, dims = convert(path, given)
    return model.predict(graph), dims


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.other_networks", description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="where the files are, in a folder a kind")
    parser.add_argument("--device", default="ort-cpu-fp32-1t")
    parser.add_argument("--predictor", default=PREDICTOR)
    parser.add_argument("--models", type=Path, help="folder of saved predictors (default: results/models)")
    parser.add_argument("--dataset", help="needed where several have such a predictor")
    parser.add_argument("--out", type=Path, help="table to write; timings are kept beside it")
    args = parser.parse_args()
    model = load(args.device, args.predictor, args.dataset, args.models)
    sizes = args.folder / "sizes.json"
    given = json.loads(sizes.read_text()) if sizes.is_file() else {}
    rows: dict[str, Row] = {}
    to_time: list[run.Network] = []
    for network in tqdm(run.find(args.folder), disable=None, unit="file"):
        try:
            answer, dims = predicted(model, network.path, given.get(network.path.name, {}))
        except BenchError as error:
            rows[network.name] = Row(network.name, "refused", one_line(error).removeprefix(f"{network.path}: "))
            continue
        to_time.append(replace(network, dims=dims))
        rows[network.name] = Row(
            network.name,
            status="not timed",
            dims=" ".join(f"{name}={size}" for name, size in dims.items()),
            predicted_ms=answer.latency_ms,
            low_ms=answer.low_ms,
            high_ms=answer.high_ms,
            distance=answer.distance,
            grade=answer.grade,
            warnings="; ".join(answer.warnings),
        )
    with tempfile.TemporaryDirectory() as scratch:
        kept = (args.out.parent if args.out else Path(scratch)) / f"timings-{args.device}.parquet"
        table = run.measure_all(to_time, args.device, kept, Settings(), again=0)
    for one in table.select("network", "status", "message", "latency_ms", "settled").iter_rows(named=True):
        name = one.pop("network")
        rows[name] = replace(rows[name], **one)
    ordered = [rows[name] for name in sorted(rows)]
    if args.out:
        with args.out.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(vars(ordered[0])))
            writer.writeheader()
            writer.writerows(vars(row) for row in ordered)
    print("\n".join(report(ordered)))


if __name__ == "__main__":
    run_cli(main)
