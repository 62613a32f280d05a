"""AnalogNAS-Bench: all NAS-Bench-201 cells trained again; the digital baseline accuracy on CIFAR-10, in percent.

Source: data.anb, a pickle {6-tuple in NASLib's codes: Architecture(baseline_accuracy, ...)}. Rows keep its order.
"""

from pathlib import Path

import polars as pl

from pipeline.convert import _common
from pipeline.core.errors import BenchError
from pipeline.fetch import unpickle
from pipeline.spaces import cells

NAME = "analognas201"
ALLOWED = {
    ("analognasbench.data", "Architecture"): unpickle.Record,
    ("analognasbench.data", "DriftMeasurement"): unpickle.Record,
}


def convert(raw: Path, out: Path) -> None:
    """Convert raw/data.anb to graphs.parquet and targets.parquet in `out`. Raises BenchError."""
    path = raw / "data.anb"
    records = unpickle.load(path, ALLOWED)
    if not isinstance(records, dict):
        raise BenchError(f"{path}: not a dictionary of architectures; fetch it again")
    archs, values = [], []
    for codes, record in records.items():
        accuracy = getattr(record, "baseline_accuracy", None)
        if not isinstance(codes, tuple) or not isinstance(accuracy, float):
            raise BenchError(f"{path}: entry {codes!r} lacks a baseline accuracy; fetch it again")
        archs.append(cells.from_naslib(codes))
        values.append(accuracy)
    names = [cells.format_arch(ops) for ops in archs]
    graphs = cells.graphs_frame(names, "nasbench201", [cells.cell_201(ops) for ops in archs], cells.VOCAB_201)
    _common.publish(NAME, out, graphs, _common.target_frame("test_acc", "any", values), cells.VOCAB_201, sanity)


def sanity(graphs: pl.DataFrame, targets: pl.DataFrame) -> None:
    """Known facts: the space, and the mean and best accuracy."""
    _common.expect_space_201(NAME, graphs)
    accuracy = _common.values_of(targets, "test_acc")
    _common.expect(NAME, "labels", len(accuracy), 15_625)
    _common.expect(NAME, "mean accuracy", accuracy.mean(), 86.7727, 1e-4)
    _common.expect(NAME, "best accuracy", accuracy.max(), 94.0664, 1e-4)
    _common.expect(NAME, "lowest accuracy", accuracy.min(), 10.0, 1e-4)


if __name__ == "__main__":
    _common.cli(NAME, convert)
