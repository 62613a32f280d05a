"""NAS-Bench-101 at all its training lengths: every cell trained three times for 4, 12, 36 and 108 epochs on CIFAR-10.

Source: nasbench_full.tfrecord (see pipeline.convert._nasbench101). Accuracies are the mean of three runs at the end of
training, in percent; those of the shorter runs are named by their epochs: e4_val_acc, e4_test_acc, ...
"""

from pathlib import Path

import polars as pl

from pipeline.convert import _common, _nasbench101, nasbench101
from pipeline.spaces import cells

NAME = "nasbench101_full"
FILE = "nasbench_full.tfrecord"
EPOCHS = (4, 12, 36, 108)


def convert(raw: Path, out: Path) -> None:
    """Convert raw/nasbench_full.tfrecord to graphs.parquet and targets.parquet in `out`. Raises BenchError."""
    table = _nasbench101.read(raw / FILE, EPOCHS)
    values = {
        name if epochs == 108 else f"e{epochs}_{name}": table.means[epochs, name]
        for epochs in EPOCHS
        for name in ("val_acc", "test_acc")
    }
    targets = nasbench101.targets_frame(values)
    _common.publish(NAME, out, nasbench101.graphs_frame(table), targets, cells.VOCAB_101, sanity)


def sanity(graphs: pl.DataFrame, targets: pl.DataFrame) -> None:
    """Known facts: the space, and the best accuracies after 108 epochs."""
    nasbench101.space_facts(NAME, graphs)
    nasbench101.best_facts(NAME, targets)


if __name__ == "__main__":
    _common.cli(NAME, convert)
