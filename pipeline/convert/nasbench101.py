"""NAS-Bench-101 in full: 423,624 cells, each trained three times for 108 epochs on CIFAR-10.

Source: nasbench_only108.tfrecord (see pipeline.convert._nasbench101). Accuracies are the mean of three runs at the end
of training, in percent; training_ms is the mean time that a run spent training.

python -m pipeline.convert.nasbench101 --enumerate lists the cell space instead, without any file.
"""

import sys
import time
from itertools import combinations
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa

from pipeline.convert import _common, _nasbench101
from pipeline.core.errors import run_cli
from pipeline.core.schema import GRAPHS
from pipeline.spaces import cells, nasbench101

NAME = "nasbench101"
FILE = "nasbench_only108.tfrecord"
PARAMS_RANGE = (227_274, 49_979_274)
# Best means of three runs, in percent, as papers that searched the whole table report them (arch2vec, NeurIPS 2020).
BEST = {"val_acc": 95.0554, "test_acc": 94.3176}


def convert(raw: Path, out: Path) -> None:
    """Convert raw/nasbench_only108.tfrecord to graphs.parquet and targets.parquet in `out`. Raises BenchError."""
    table = _nasbench101.read(raw / FILE, (108,))
    targets = targets_frame({name: table.means[108, name] for name in _nasbench101.VALUES})
    _common.publish(NAME, out, graphs_frame(table), targets, cells.VOCAB_101, sanity)


def sanity(graphs: pl.DataFrame, targets: pl.DataFrame) -> None:
    """Known facts: the space, and the best accuracies."""
    space_facts(NAME, graphs)
    best_facts(NAME, targets)


def space_facts(name: str, graphs: pl.DataFrame) -> None:
    """Known facts of the space: every cell once, how many have how many vertices, most edges, extremes of size."""
    _common.expect(name, "number of cells", graphs["name"].n_unique(), nasbench101.N_CELLS)
    _common.expect(name, "isomorphism classes", graphs["iso"].n_unique(), nasbench101.N_CELLS)
    sizes = dict(graphs["n_nodes"].value_counts().sort("n_nodes").iter_rows())
    _common.expect(name, "cells by number of vertices", sizes, nasbench101.BY_VERTICES)
    _common.expect(name, "most edges", graphs["src"].list.len().max(), nasbench101.MAX_EDGES)
    _common.expect(name, "fewest and most parameters", (graphs["params"].min(), graphs["params"].max()), PARAMS_RANGE)


def best_facts(name: str, targets: pl.DataFrame) -> None:
    """Known facts of the runs of 108 epochs: the best accuracies."""
    for target, best in BEST.items():
        accuracy = _common.values_of(targets, target)
        _common.expect(name, f"labels of {target}", len(accuracy), nasbench101.N_CELLS)
        _common.expect(name, f"best {target}", accuracy.max(), best, 1e-4)


def graphs_frame(table: _nasbench101.Table) -> pl.DataFrame:
    """The canonical graphs table; a graph is named by its hash."""
    n, bits, code = table.space
    op = np.zeros((len(n), nasbench101.MAX_VERTICES), dtype=np.uint16)
    ids = np.array([cells.VOCAB_101.index(name) for name in nasbench101.OPS], dtype=np.uint16)
    for size in np.unique(n).tolist():
        rows = np.flatnonzero(n == size)
        op[rows, 1 : size - 1] = ids[nasbench101.operations(size, code[rows])]
        op[rows, size - 1] = cells.VOCAB_101.index("output")
    x, y = np.array(list(combinations(range(nasbench101.MAX_VERTICES), 2))).T
    edge = (bits[:, None] >> (x + y * (y - 1) // 2) & 1).astype(bool)
    nothing = np.zeros((len(n), 0))
    return pl.DataFrame(
        {
            "graph_id": np.arange(len(n)),
            "name": table.names,
            "family": pl.repeat("nasbench101", len(n), eager=True),
            "iso": table.iso,
            "n_nodes": n,
            "op": _lists(op, np.arange(nasbench101.MAX_VERTICES) < n[:, None]),
            "src": _lists(np.broadcast_to(x, edge.shape), edge),
            "dst": _lists(np.broadcast_to(y, edge.shape), edge),
            "attrs": _lists(nothing, nothing.astype(bool)),
            "out_shape": _lists(nothing, nothing.astype(bool)),
            "flops": pl.repeat(None, len(n), eager=True),
            "macs": pl.repeat(None, len(n), eager=True),
            "params": table.params,
        }
    ).cast(dict(GRAPHS))


def targets_frame(values: dict[str, np.ndarray]) -> pl.DataFrame:
    """The canonical targets table of `values`, target -> (m,)."""
    return pl.concat([_common.target_frame(target, "any", column) for target, column in values.items()])


def _lists(values: np.ndarray, mask: np.ndarray) -> pl.Series:
    """A column of lists: of each row of `values` (m, k), those where `mask` (m, k) is true."""
    starts = np.concatenate([[0], mask.sum(1).cumsum()])
    return pl.from_arrow(pa.LargeListArray.from_arrays(pa.array(starts), pa.array(values[mask])))


def show_space() -> None:
    """Enumerate the cell space and print what is in it."""
    start = time.perf_counter()
    space = nasbench101.enumerate_cells(progress=lambda text: print(text, flush=True))
    sizes = dict(zip(*(column.tolist() for column in np.unique(space.n, return_counts=True)), strict=True))
    print(f"{len(space.n):,} cells, {time.perf_counter() - start:.1f} s")
    _common.expect(NAME, "cells by number of vertices", sizes, nasbench101.BY_VERTICES)
    params = nasbench101.parameters(space)
    print(f"{params.min():,} to {params.max():,} parameters, {time.perf_counter() - start:.1f} s")


if __name__ == "__main__":
    if sys.argv[1:] == ["--enumerate"]:
        run_cli(show_space)
    _common.cli(NAME, convert)
