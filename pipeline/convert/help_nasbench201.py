"""HELP: latency (ms) of every NAS-Bench-201 cell on 27 devices and batch sizes; graph_id = index of the API.

Source: one <device>.pt per device, a list of 15,625 numbers in the API's order, without the cells; the cells are those
of cifar10_avg.csv (see nasbench201). Some phones report whole milliseconds; raspi4 and pixel3 have a few outliers near
zero. Both are kept as they are.
"""

from pathlib import Path

import polars as pl

from pipeline.config import datasets
from pipeline.convert import _common, _help
from pipeline.convert._help import TARGET
from pipeline.spaces import cells

NAME = "help_nasbench201"
MEDIANS = {"1080ti_1": 9.5253, "titan_rtx_256": 18.0573, "eyeriss": 5.1202, "fpga": 3.7250}


def convert(raw: Path, out: Path) -> None:
    """Convert the files in `raw` to graphs.parquet and targets.parquet in `out`. Raises BenchError."""
    names = _common.read_csv(raw / "cifar10_avg.csv", ["arch_str"])["arch_str"].to_list()
    labels = _help.targets(_help.latencies(raw, datasets.get(NAME).targets[TARGET], len(names)))
    graphs = cells.graphs_frame(
        names, "nasbench201", [cells.cell_201(cells.parse_arch(name), executed=True) for name in names], cells.VOCAB_201
    )
    _common.publish(NAME, out, graphs, labels, cells.VOCAB_201, sanity)


def sanity(graphs: pl.DataFrame, targets: pl.DataFrame) -> None:
    """Known facts: the space, no missing latency, and medians of four devices."""
    _common.expect_space_201(NAME, graphs, executed=True)
    labels = targets.group_by("device").len()
    _common.expect(NAME, "labels per device", set(labels["len"]), {15_625})
    for device, median in MEDIANS.items():
        actual = _common.values_of(targets, TARGET, device).median()
        _common.expect(NAME, f"median {TARGET} of {device}", actual, median, 1e-4)


if __name__ == "__main__":
    _common.cli(NAME, convert)
