"""Networks generated and timed on this machine to canonical Parquet; also for `measured_*`.

Source: `networks/` and `networks.csv` of data/raw/<name> (`pipeline.measure.networks`), and a table of timings for each
platform, timed/<platform>.parquet beside the output (`pipeline.measure.run`). A network that some platform could not
time is left out; the table of timings keeps it with its status. Target latency_ms is of the first pass,
second_latency_ms of the second; the stage of one that was timed beside other work, and never twice alike, is `busy`.
"""

from collections import Counter
from pathlib import Path

import polars as pl

from pipeline.config import datasets
from pipeline.convert import _common, nnlqp
from pipeline.core import io, schema
from pipeline.core.errors import BenchError
from pipeline.measure.table import SCHEMA
from pipeline.onnx.columns import frame, pack
from pipeline.onnx.graph import read_graph

NAME = "measured"
USED = ("network", "sha256", "pass", "status", "latency_ms", "settled")  # columns of the timings
TARGETS = ("latency_ms", "second_latency_ms")  # of pass 1 and 2
MOST_FAILED = 0.1  # share of the networks; more is a fault of the machine or the runtime


def convert(raw: Path, out: Path, name: str = NAME) -> None:
    """Convert the networks in `raw` and their timings in `out`/timed to both tables in `out`. Raises BenchError."""
    dataset = datasets.get(name)
    graphs, targets, meta = read(dataset, raw, out / "timed")
    sanity(graphs, targets, name)
    nnlqp.publish(name, dataset.version, out, graphs, targets, meta)


def read(dataset: datasets.Dataset, raw: Path, timed: Path) -> tuple[pl.DataFrame, pl.DataFrame, dict]:
    """Graphs, targets and the graphs' metadata of `dataset`, in the order of networks.csv."""
    listed = _common.read_csv(raw / "networks.csv", ["network", "sha256"])
    tables = {platform: _timings(timed / f"{platform}.parquet", listed) for platform in dataset.platforms}
    names = [name for name in listed["network"] if all(name in table[1] for table in tables.values())]
    if len(names) < (1 - MOST_FAILED) * listed.height:
        raise BenchError(
            f"{timed}: {listed.height - len(names)} of {listed.height} networks failed; see their messages"
        )
    paths = [raw / "networks" / f"{name}.onnx" for name in names]
    packed = [pack(read_graph(io.read_bytes(path), str(path), 1)) for path in paths]
    graphs, meta = frame(packed, names, [name.partition("/")[0] for name in names])
    rows = [
        (graph_id, target, platform, 1, *table[number][name])
        for platform, table in tables.items()
        for number, target in enumerate(TARGETS, start=1)
        for graph_id, name in enumerate(names)
        if name in table[number]
    ]
    return graphs, pl.DataFrame(rows, schema=schema.TARGETS, orient="row"), meta


def sanity(graphs: pl.DataFrame, targets: pl.DataFrame, name: str = NAME) -> None:
    """Known facts: families, no two networks alike, one label for every network and platform, a second one for some."""
    dataset = datasets.get(name)
    _common.expect(name, "families", set(graphs["family"]), set(dataset.families))
    _common.expect(name, "different networks", graphs["iso"].n_unique(), graphs.height)
    n_labels = Counter(targets.select("target", "device").iter_rows())
    for platform in dataset.platforms:
        _common.expect(name, f"labels on {platform}", n_labels[TARGETS[0], platform], graphs.height)
        _common.expect(name, f"second labels on {platform}", n_labels[TARGETS[1], platform] > 0, True)


def _timings(path: Path, listed: pl.DataFrame) -> dict[int, dict[str, tuple[float, str | None]]]:
    """Latency (ms) and stage of each listed network that was timed, by pass. BenchError: one was not tried."""
    table = io.read_parquet(path)  # of this or an earlier version, which may lack columns
    if any(table.schema.get(column) != SCHEMA[column] for column in USED):
        raise BenchError(f"{path}: not a table of timings; delete it and run again")
    tried = listed.join(table, on=["network", "sha256"], how="left")
    if tried["status"].null_count():
        first = tried.filter(pl.col("status").is_null())["network"][0]
        raise BenchError(f"{path}: {first} is not in it as it is now; delete it and run again")
    stage = pl.when(~pl.col("settled")).then(pl.lit(schema.BUSY))
    ok = tried.filter(pl.col("status") == "ok").select("network", "pass", "latency_ms", stage=stage)
    passes = {number: ok.filter(pl.col("pass") == number).drop("pass").iter_rows() for number in (1, 2)}
    return {number: {name: (latency, busy) for name, latency, busy in rows} for number, rows in passes.items()}


if __name__ == "__main__":
    _common.cli(NAME, convert)
