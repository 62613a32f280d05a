"""The files of NAS-Bench-101 (Ying et al., ICML 2019): TFRecords of training runs, put together by cell.

A record is a JSON list: the cell's hash, epochs, the adjacency matrix as 0s and 1s row by row, the operations of all
its vertices with commas between them, and the base64 of a protobuf message ModelMetrics: evaluations at the start, in
the middle and at the end of training, and the number of trainable parameters.
"""

from __future__ import annotations

import binascii
import math
import mmap
import struct
from collections.abc import Iterator, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import orjson
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError
from tqdm import tqdm

from pipeline.core import io
from pipeline.core.errors import BenchError
from pipeline.core.workers import in_order
from pipeline.fetch import tfrecord
from pipeline.spaces import cells, nasbench101
from pipeline.spaces.nasbench101_hash import module_hashes

RUNS = 3  # of each cell and number of epochs
CHUNK = 20_000  # records, or cells, that a process takes at once
VALUES = ("val_acc", "test_acc", "training_ms")
CELL = {"hash_high": "u8", "hash_low": "u8", "n": "u1", "bits": "u4", "code": "u1", "params": "i4"}  # alike in its runs
RUN = np.dtype([*CELL.items(), ("epochs", "u2"), *((name, "f8") for name in VALUES)])


class Table(NamedTuple):
    """Cells in the order of their first run, and the means of their runs."""

    space: nasbench101.Space
    params: np.ndarray  # (m,)
    names: list[str]  # hashes
    iso: np.ndarray  # (m,) uint64, see pipeline.spaces.cells.iso_hash
    means: dict[tuple[int, str], np.ndarray]  # (epochs, one of VALUES): (m,), accuracies in percent


def read(path: Path, epochs: Sequence[int], workers: int | None = None) -> Table:
    """The cells of a file and the means of their runs; every cell has three runs of each of `epochs`.

    Both checksums of every record are checked, and every cell's hash and number of parameters are computed again.
    `workers`: processes, default one a core. Raises BenchError naming the file and the place that is wrong.
    """
    if not path.is_file():
        raise BenchError(f"{path}: no such file; fetch the data set first")
    decoded = list(in_order(partial(_decode, path, tuple(epochs)), _chunks(path), workers, str(path)))
    if not decoded:
        raise BenchError(f"{path}: no records; fetch it again")
    runs = _by_cell(np.concatenate(decoded), sorted(epochs), path)
    first_runs = runs[:, 0, 0]
    chunks = (first_runs[start : start + CHUNK] for start in range(0, len(first_runs), CHUNK))
    examined = list(in_order(partial(_examine, path), chunks, workers, str(path)))
    return Table(
        space=nasbench101.Space(first_runs["n"], first_runs["bits"], first_runs["code"]),
        params=first_runs["params"],
        names=[name for names, _ in examined for name in names],
        iso=np.array([iso for _, isos in examined for iso in isos], dtype=np.uint64),
        means={(e, name): runs[name][:, i].mean(1) for i, e in enumerate(sorted(epochs)) for name in VALUES},
    )


def run_of(record: bytes, epochs: Sequence[int]) -> tuple:
    """One record as a row of RUN, accuracies in percent. Raises ValueError saying what is wrong with it."""
    try:
        digest, length, adjacency, operations, encoded = orjson.loads(record)
    except (ValueError, TypeError) as error:
        raise ValueError(f"not a JSON list of five entries ({error})") from error
    if not all(isinstance(text, str) for text in (digest, adjacency, operations, encoded)):
        raise ValueError("hash, adjacency, operations or metrics are not text")
    if length not in epochs:
        raise ValueError(f"{length!r} epochs, expected {' or '.join(map(str, epochs))}")
    n, bits = _edges(adjacency)
    code = _operations(operations, n)
    try:
        high, low = struct.unpack(">QQ", bytes.fromhex(digest))
    except (ValueError, struct.error) as error:
        raise ValueError(f"{digest[:40]!r} is not a hash of 32 hexadecimal digits") from error
    try:
        metrics = ModelMetrics.FromString(binascii.a2b_base64(encoded))
    except (ValueError, DecodeError) as error:
        raise ValueError(f"metrics are not the base64 of a protobuf message ({error})") from error
    if len(metrics.evaluation_data) != 3:
        raise ValueError(f"{len(metrics.evaluation_data)} evaluations, expected 3")
    last = metrics.evaluation_data[2]
    val, test, seconds = last.validation_accuracy, last.test_accuracy, last.training_time
    if not (0 < val <= 1 and 0 < test <= 1 and 0 < seconds < 1e9):
        raise ValueError(f"validation accuracy {val}, test accuracy {test}, training time {seconds} s")
    return high, low, n, bits, code, metrics.trainable_parameters, length, 100 * val, 100 * test, 1000 * seconds


@lru_cache(maxsize=1 << 16)
def _edges(adjacency: str) -> tuple[int, int]:
    """Number of vertices, and the edges as `pipeline.spaces.nasbench101` writes them. Raises ValueError."""
    n = math.isqrt(len(adjacency))
    if n * n != len(adjacency) or not 2 <= n <= nasbench101.MAX_VERTICES or not set(adjacency) <= {"0", "1"}:
        raise ValueError(f"{adjacency[:60]!r} is not an adjacency matrix of 2 to 7 vertices")
    edges = [divmod(index, n) for index, entry in enumerate(adjacency) if entry == "1"]
    if any(x >= y for x, y in edges) or len(edges) > nasbench101.MAX_EDGES:
        raise ValueError(f"adjacency {adjacency!r} is not upper triangular with at most 9 edges")
    if len(cells.prune([""] * n, edges).labels) < n or not edges:
        raise ValueError(f"adjacency {adjacency!r} has a vertex on no path from input to output")
    return n, sum(1 << x + y * (y - 1) // 2 for x, y in edges)


@lru_cache(maxsize=1 << 12)
def _operations(operations: str, n: int) -> int:
    """The operations as `pipeline.spaces.nasbench101` writes them. Raises ValueError."""
    first, *inner, last = operations.split(",") if "," in operations else ("", "")
    if (first, last) != ("input", "output") or len(inner) != n - 2 or not set(inner) <= set(nasbench101.OPS):
        raise ValueError(f"{operations[:120]!r} are not the operations of a cell of {n} vertices")
    return sum(nasbench101.OPS.index(name) * 3**place for place, name in enumerate(reversed(inner)))


def _chunks(path: Path) -> Iterator[tuple[int, int]]:
    """The file cut between records: (first byte, last byte) of some records at a time."""
    with io.os_errors(path, "read"), path.open("rb") as file:
        size = path.stat().st_size
        if not size:
            return
        with (
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,
            tqdm(total=size, unit="B", unit_scale=True, desc=path.name, disable=None) as bar,
        ):
            start = 0
            for number, (_, last) in enumerate(tfrecord.spans(content, str(path)), start=1):
                stop = last + tfrecord.CRC.size
                if number % CHUNK == 0 or stop == size:
                    yield start, stop
                    bar.update(stop - start)
                    start = stop


def _decode(path: Path, epochs: tuple[int, ...], chunk: tuple[int, int]) -> np.ndarray:
    """The records between two bytes of the file, as RUN."""
    runs = []
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        for first, last in tfrecord.spans(content, str(path), *chunk):
            record = tfrecord.data(content, first, last, str(path))
            try:
                runs.append(run_of(record, epochs))
            except ValueError as error:
                start = first - tfrecord.HEADER_BYTES
                raise BenchError(f"{path}: record at byte {start}: {error}; fetch it again") from error
    return np.array(runs, dtype=RUN)


def _by_cell(runs: np.ndarray, epochs: Sequence[int], path: Path) -> np.ndarray:
    """The runs as (cells, epochs, RUNS), cells in the order of their first run. Raises BenchError if one is lacking."""
    order = np.lexsort((runs["epochs"], runs["hash_low"], runs["hash_high"]))
    a_cell = len(epochs) * RUNS
    order = order[: len(order) // a_cell * a_cell].reshape(-1, len(epochs), RUNS)
    by_cell = runs[order]
    complete = (by_cell["epochs"] == np.array(epochs)[:, None]).all((1, 2))
    for name in CELL:
        complete &= (by_cell[name] == by_cell[name][:, :1, :1]).all((1, 2))
    if order.size < len(runs) or not complete.all():
        name = _name(by_cell[~complete][0, 0, 0]) if not complete.all() else "the last one"
        raise BenchError(
            f"{path}: cell {name} does not have {RUNS} runs of {' and '.join(map(str, epochs))} epochs, or they differ "
            "in more than their results; fetch it again"
        )
    return by_cell[order.min((1, 2)).argsort()]


def _examine(path: Path, first_runs: np.ndarray) -> tuple[list[str], list[int]]:
    """Hash and isomorphism class of cells (rows of RUN). Raises BenchError if a cell's hash or size is not its own."""
    space = nasbench101.Space(first_runs["n"], first_runs["bits"], first_runs["code"])
    hashes = module_hashes(space)
    high, low = hashes.view(">u8").T
    for index in np.flatnonzero((high != first_runs["hash_high"]) | (low != first_runs["hash_low"])):
        name = _name(first_runs[index])
        raise BenchError(f"{path}: the cell called {name} has the hash {hashes[index].tobytes().hex()}; fetch it again")
    params = nasbench101.parameters(space)
    for index in np.flatnonzero(params != first_runs["params"]):
        name, stated = _name(first_runs[index]), first_runs["params"][index]
        raise BenchError(f"{path}: cell {name} has {stated} parameters, expected {params[index]}; fetch it again")
    space_rows = zip(*(column.tolist() for column in space), strict=True)
    return [row.tobytes().hex() for row in hashes], [cells.iso_hash(*nasbench101.cell(*cell)) for cell in space_rows]


def _name(row: np.void) -> str:
    return f"{row['hash_high']:016x}{row['hash_low']:016x}"


def _metrics_class() -> type:
    """The class of the message nasbench.ModelMetrics (proto2), with the fields of the dataset's model_metrics.proto."""
    field = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="model_metrics.proto", package="nasbench", syntax="proto2")
    evaluation = file.message_type.add(name="EvaluationData")
    for number, name in enumerate(EVALUATION_FIELDS, start=1):
        evaluation.field.add(name=name, number=number, type=field.TYPE_DOUBLE, label=field.LABEL_OPTIONAL)
    metrics = file.message_type.add(name="ModelMetrics")
    for number, name, kind, label in (
        (1, "evaluation_data", field.TYPE_MESSAGE, field.LABEL_REPEATED),
        (2, "trainable_parameters", field.TYPE_INT32, field.LABEL_OPTIONAL),
        (3, "total_time", field.TYPE_DOUBLE, field.LABEL_OPTIONAL),
    ):
        metrics.field.add(name=name, number=number, type=kind, label=label)
    metrics.field[0].type_name = ".nasbench.EvaluationData"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("nasbench.ModelMetrics"))


EVALUATION_FIELDS = ("current_epoch", "training_time", "train_accuracy", "validation_accuracy", "test_accuracy")
ModelMetrics = _metrics_class()
