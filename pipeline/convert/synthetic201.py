"""For tests only: 300 NAS-Bench-201 cells with made-up labels, generated from a fixed seed without any file.

The labels follow simple rules with noise, so that a predictor can learn something: accuracy grows with convolutions and
skip connections, latency is a sum of costs per operation.
"""

from itertools import product
from pathlib import Path

import numpy as np
import polars as pl

from pipeline.config import datasets
from pipeline.convert import _common
from pipeline.spaces import cells

NAME = "synthetic201"
GAIN = {"nor_conv_3x3": 3.0, "nor_conv_1x1": 2.0, "skip_connect": 1.0, "avg_pool_3x3": -1.0}
COST_MS = {"nor_conv_3x3": 2.0, "nor_conv_1x1": 0.8, "skip_connect": 0.1, "avg_pool_3x3": 0.5}


def convert(raw: Path, out: Path) -> None:
    """Write graphs.parquet and targets.parquet to `out`; `raw` is not read."""
    rng = np.random.Generator(np.random.PCG64(201))
    space = list(product(cells.OPS_201, repeat=6))
    archs = [space[index] for index in rng.choice(len(space), datasets.get(NAME).n_graphs, replace=False)]
    graphs_201 = [cells.cell_201(ops) for ops in archs]
    gain = np.array([sum(GAIN.get(label, 0.0) for label in cell.labels) for cell in graphs_201])
    cost = np.array([0.5 + sum(COST_MS.get(label, 0.0) for label in cell.labels) for cell in graphs_201])
    accuracy = 70.0 + gain + rng.normal(0.0, 0.5, len(archs))
    latency = cost * np.exp(rng.normal(0.0, 0.02, len(archs)))
    graphs = cells.graphs_frame(list(map(cells.format_arch, archs)), "nasbench201", graphs_201, cells.VOCAB_201)
    targets = pl.concat(
        [
            _common.target_frame("test_acc", "any", accuracy.round(4)),
            _common.target_frame("latency_ms", "virtual", latency.round(4)),
        ]
    )
    _common.publish(NAME, out, graphs, targets, cells.VOCAB_201, sanity)


def sanity(graphs: pl.DataFrame, targets: pl.DataFrame) -> None:
    """Known facts: every cell once, accuracies in percent, every label there."""
    _common.expect(NAME, "number of cells", graphs["name"].n_unique(), 300)
    _common.expect(NAME, "accuracies in percent", _common.values_of(targets, "test_acc").is_between(0, 100).all(), True)
    _common.expect(NAME, "labels", targets.height, 600)


if __name__ == "__main__":
    _common.cli(NAME, convert)
