"""6,760 NAS-Bench-101 cells: mean test accuracy (percent) of three 108-epoch runs, trainable parameters, FLOPs.

Source: train_data_50000.pkl, a pickled pair (X, records). X is (n, 26): the 21 upper-triangle edges of 7 vertices, row
by row, then the operations of the 5 inner vertices. A record is {err, params, flops} with err = 1 - accuracy.
The cells were drawn at random over encodings, so small cells are over-represented.
"""

from itertools import combinations
from pathlib import Path

import numpy as np
import polars as pl

from pipeline.convert import _common
from pipeline.core.errors import BenchError
from pipeline.fetch import unpickle, unpickle_numpy
from pipeline.spaces import cells

NAME = "nasbench101_cec"
ALLOWED = {**unpickle_numpy.ALLOWED, ("collections", "OrderedDict"): unpickle.empty_dict}
N_VERTICES = 7
EDGES = tuple(combinations(range(N_VERTICES), 2))  # row by row
OPS = ("conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3")


def convert(raw: Path, out: Path) -> None:
    """Convert raw/train_data_50000.pkl to graphs.parquet and targets.parquet in `out`. Raises BenchError."""
    path = raw / "train_data_50000.pkl"
    encodings, records = _read(path)
    graphs_101 = [decode(row, path) for row in encodings]
    names = ["".join(map(str, row)) for row in encodings]
    columns = {key: [float(record[key]) for record in records] for key in ("err", "params", "flops")}
    graphs = cells.graphs_frame(
        names, "nasbench101", graphs_101, cells.VOCAB_101, flops=columns["flops"], params=columns["params"]
    )
    accuracy = [100 * (1 - err) for err in columns["err"]]
    _common.publish(NAME, out, graphs, _common.target_frame("test_acc", "any", accuracy), cells.VOCAB_101, sanity)


def decode(row: list[int], path: Path | str = NAME) -> cells.Cell:
    """The pruned graph of one encoding: 21 edge bits and 5 operation codes. Raises BenchError naming `path`."""
    bits, codes = row[: len(EDGES)], row[len(EDGES) :]
    if len(codes) != N_VERTICES - 2 or not set(bits) <= {0, 1} or not set(codes) <= {0, 1, 2}:
        raise BenchError(f"{path}: {row} is not an encoding of a NAS-Bench-101 cell; fetch it again")
    labels = ["input", *(OPS[code] for code in codes), "output"]
    return cells.prune(labels, [edge for edge, bit in zip(EDGES, bits, strict=True) if bit])


def sanity(graphs: pl.DataFrame, targets: pl.DataFrame) -> None:
    """Known facts: all pruned cells differ, sizes, and the mean and best accuracy."""
    _common.expect(NAME, "isomorphism classes", graphs["iso"].n_unique(), 6_760)
    _common.expect(NAME, "distinct encodings", graphs["name"].n_unique(), 6_760)
    _common.expect(NAME, "most nodes", graphs["n_nodes"].max(), N_VERTICES)
    _common.expect(NAME, "most edges", graphs["src"].list.len().max(), 9)
    accuracy = _common.values_of(targets, "test_acc")
    _common.expect(NAME, "labels", len(accuracy), 6_760)
    _common.expect(NAME, "best accuracy", accuracy.max(), 94.22, 5e-3)
    _common.expect(NAME, "mean accuracy", accuracy.mean(), 90.52, 5e-3)


def _read(path: Path) -> tuple[list[list[int]], list[dict]]:
    """The encodings (n rows of 26) and the records. Raises BenchError when the file holds anything else."""
    content = unpickle.load(path, ALLOWED)
    try:
        array, records = content
        values: np.ndarray = array.values
        if values.ndim != 2 or values.dtype.kind != "i" or len(values) != len(records):
            raise ValueError("X does not fit its records")
        if not all(isinstance(record[key], float) for record in records for key in ("err", "params", "flops")):
            raise ValueError("a record holds something else than numbers")
        return values.tolist(), records
    except (TypeError, ValueError, AttributeError, KeyError, IndexError) as error:
        raise BenchError(f"{path}: not a pair of encodings and records ({error}); fetch it again") from error


if __name__ == "__main__":
    _common.cli(NAME, convert)
