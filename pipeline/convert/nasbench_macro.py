"""NAS-Bench-Macro: CIFAR-10 test accuracy (percent) of 6,561 networks of eight blocks, three trainings each.

Source: nas-bench-macro_cifar10.json, {eight digits: {test_acc: [3], mean_acc, std, params, flops}}; `flops` are MACs.
"""

from pathlib import Path

import orjson
import polars as pl

from pipeline.convert import _common
from pipeline.core import io
from pipeline.core.errors import BenchError
from pipeline.spaces import blocks, cells

NAME = "nasbench_macro"
FILE = "nas-bench-macro_cifar10.json"
RUNS = ("run1_test_acc", "run2_test_acc", "run3_test_acc")
BEST = 93.1267


def convert(raw: Path, out: Path) -> None:
    """Convert the file in `raw` to graphs.parquet and targets.parquet in `out`. Raises BenchError."""
    path = raw / FILE
    codes, records = _read(path)
    chosen = [blocks.macro(code) for code in codes]
    costs = [blocks.macro_costs(places) for places in chosen]
    told = [(record["flops"], record["params"]) for record in records]
    same = sum(ours == theirs for ours, theirs in zip(costs, told, strict=True))
    _common.expect(NAME, "networks whose MACs and parameters follow from their blocks", same, len(costs))
    graphs = cells.graphs_frame(
        codes, "nasbench_macro", [blocks.chain(places) for places in chosen], blocks.VOCAB_MACRO,
        params=[params for _, params in costs],
    ).with_columns(macs=pl.Series([macs for macs, _ in costs], dtype=pl.Float64))  # fmt: skip
    targets = [_common.target_frame("test_acc", "any", [record["mean_acc"] for record in records])]
    for run, target in enumerate(RUNS):
        targets.append(_common.target_frame(target, "any", [record["test_acc"][run] for record in records]))
    _common.publish(NAME, out, graphs, pl.concat(targets), blocks.VOCAB_MACRO, sanity)


def sanity(graphs: pl.DataFrame, targets: pl.DataFrame) -> None:
    """Known facts: every network once, the best and lowest mean, and the means of the runs."""
    _common.expect(NAME, "different networks", graphs["iso"].n_unique(), 3**8)
    mean = _common.values_of(targets, "test_acc")
    _common.expect(NAME, "best mean accuracy", mean.max(), BEST, 1e-4)
    _common.expect(NAME, "best network", graphs["name"][mean.arg_max()], "22212220")
    _common.expect(NAME, "lowest mean accuracy", mean.min(), 45.3633, 1e-4)
    runs = sum(_common.values_of(targets, run) for run in RUNS) / len(RUNS)
    _common.expect(NAME, "largest difference of a mean from its three runs", (runs - mean).abs().max(), 0.0, 1e-6)


def _read(path: Path) -> tuple[list[str], list[dict]]:
    """The codes and the records of the networks. Raises BenchError when the file holds anything else."""
    if not path.exists():
        raise BenchError(f"{path}: no such file; fetch the data set first")
    try:
        records = orjson.loads(io.read_bytes(path))
        for code, record in records.items():
            blocks.macro(code)
            if len(record["test_acc"]) != len(RUNS) or not all(
                type(value) is float and 0 <= value <= 100 for value in (*record["test_acc"], record["mean_acc"])
            ):
                raise ValueError(f"network {code} lacks {len(RUNS)} accuracies and their mean")
            if type(record["flops"]) is not int or type(record["params"]) is not int:
                raise ValueError(f"network {code} lacks flops or params")
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise BenchError(f"{path}: not networks of NAS-Bench-Macro: {error}; fetch it again") from error
    return list(records), list(records.values())


if __name__ == "__main__":
    _common.cli(NAME, convert)
