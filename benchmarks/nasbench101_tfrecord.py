"""NAS-Bench-101 file to canonical Parquet, on a file of the official format and size with synthetic labels.

    python -m benchmarks.nasbench101_tfrecord [--workers N] [--epochs 108]

Prints seconds of the conversion and peak memory of all its processes (proportional set size, sampled). The file holds
each cell of the space three times; accuracies and times are random numbers.
"""

from __future__ import annotations

import argparse
import base64
import json
import resource
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from benchmarks.nnlqp_archive import PeakMemory
from pipeline.convert import _common, _nasbench101, nasbench101
from pipeline.core.workers import cores
from pipeline.fetch import tfrecord
from pipeline.spaces import cells
from pipeline.spaces import nasbench101 as space101
from pipeline.spaces.nasbench101_hash import module_hashes

OFFICIAL_BYTES = {(108,): 522_767_376, (4, 12, 36, 108): 2_085_986_016}


def main() -> None:
    """Write the file, convert it, print the figures."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.nasbench101_tfrecord", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--workers", type=int, default=cores())
    parser.add_argument("--epochs", type=int, nargs="+", default=[108])
    args = parser.parse_args()
    epochs = tuple(args.epochs)
    with tempfile.TemporaryDirectory() as folder:
        path, out = Path(folder) / "synthetic.tfrecord", Path(folder) / "parquet"
        write(path, records(space101.enumerate_cells(), epochs))
        print(f"{path.stat().st_size:,} bytes; the official file has {OFFICIAL_BYTES.get(epochs)}", flush=True)
        cpu_before, start = _cpu_seconds(), time.perf_counter()
        with PeakMemory() as peak:
            table = _nasbench101.read(path, epochs, args.workers)
            read_s = time.perf_counter() - start
            values = {name: table.means[max(epochs), name] for name in _nasbench101.VALUES}
            graphs, targets = nasbench101.graphs_frame(table), nasbench101.targets_frame(values)
            facts = nasbench101.space_facts
            _common.publish(
                nasbench101.NAME, out, graphs, targets, cells.VOCAB_101, lambda g, _: facts("synthetic labels", g)
            )
        seconds = time.perf_counter() - start
        parquet = sum(file.stat().st_size for file in out.iterdir())
    print(f"{graphs.height:,} cells, {args.workers} workers: {seconds:.1f} s, of these {read_s:.1f} s reading")
    cpu = _cpu_seconds() - cpu_before
    print(f"{cpu:.1f} CPU-seconds, peak memory {peak.bytes / 1e6:.0f} MB, Parquet {parquet / 1e6:.1f} MB")


def records(space: space101.Space, epochs: Iterable[int]) -> Iterator[bytes]:
    """Three records of each cell and number of epochs, with random labels."""
    rng = np.random.default_rng(0)
    params, names = space101.parameters(space), [row.tobytes().hex() for row in module_hashes(space)]
    for n, bits, code, size, name in zip(*(column.tolist() for column in (*space, params)), names, strict=True):
        cell = space101.cell(n, bits, code)
        for length in epochs:
            for val, test, seconds in rng.uniform((0.1, 0.1, 100), (0.95, 0.94, 5000), (3, 3)).tolist():
                yield record(name, length, cell, metrics(size, val, test, seconds))


def metrics(params: int, val_acc: float, test_acc: float, training_s: float, epochs: int = 108) -> bytes:
    """A ModelMetrics message: evaluations at the start, in the middle and at the end of training."""
    message = _nasbench101.ModelMetrics(trainable_parameters=params, total_time=1.1 * training_s)
    for part, accuracies in ((0.0, (0.1, 0.1, 0.1)), (0.5, (0.8, 0.7, 0.7)), (1.0, (1.0, val_acc, test_acc))):
        values = (part * epochs, part * training_s, *accuracies)
        message.evaluation_data.add(**dict(zip(_nasbench101.EVALUATION_FIELDS, values, strict=True)))
    return message.SerializeToString()


def record(name: str, epochs: int, cell: cells.Cell, message: bytes) -> bytes:
    """The data of a record, spelt as in the official file: base64 in lines of 76, blanks between entries."""
    n = len(cell.labels)
    adjacency = "".join("1" if (x, y) in cell.edges else "0" for x in range(n) for y in range(n))
    return json.dumps([name, epochs, adjacency, ",".join(cell.labels), base64.encodebytes(message).decode()]).encode()


def write(path: Path, contents: Iterable[bytes]) -> None:
    """A TFRecord file of these data."""
    with path.open("wb") as file:
        for content in contents:
            file.write(tfrecord.frame(content))


def _cpu_seconds() -> float:
    spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in spent)


if __name__ == "__main__":
    main()
