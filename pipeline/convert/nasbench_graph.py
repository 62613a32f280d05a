"""NAS-Bench-Graph: 26,206 graph neural networks on nine graph data sets: accuracies in percent, latency.

Source: nine pickles {key of a network: {valid_perf, perf, latency, para}}, means of three trainings; `perf` is the test
accuracy as a fraction, `latency` in seconds. Rows keep the order of the keys. Proteins has 2,021 of the networks.
"""

from pathlib import Path

import polars as pl

from pipeline.convert import _common
from pipeline.core.errors import BenchError
from pipeline.fetch import unpickle, unpickle_numpy
from pipeline.spaces import cells, gnn

NAME = "nasbench_graph"
DATA = ("arxiv", "citeseer", "computers", "cora", "cs", "photo", "physics", "proteins", "pubmed")
N_PROTEINS = 2_021
COLUMNS = {"val_acc": ("valid_perf", 100.0), "test_acc": ("perf", 100.0), "latency_ms": ("latency", 1000.0)}
# Best validation and test accuracy, percent.
BEST = {
    "arxiv": (73.6667, 72.3865), "citeseer": (72.8, 71.5667), "computers": (91.9, 85.5834), "cora": (81.9333, 83.1333),
    "cs": (92.1333, 91.2624), "photo": (94.0667, 92.7896), "physics": (94.0, 93.0049), "proteins": (85.3333, 79.2634),
    "pubmed": (81.1333, 78.6),
}  # fmt: skip


def convert(raw: Path, out: Path) -> None:
    """Convert the nine files in `raw` to graphs.parquet and targets.parquet in `out`. Raises BenchError."""
    networks = sorted(_read(raw / "cora.bench"))
    place = {network: index for index, network in enumerate(networks)}
    targets = []
    for data in DATA:
        path = raw / f"{data}.bench"
        records = _read(path)
        unknown = sorted(records.keys() - place.keys())
        if unknown:
            raise BenchError(f"{path}: {gnn.name(*unknown[0])} is no network of cora.bench; fetch both again")
        for target, (key, factor) in COLUMNS.items():
            values: list[float | None] = [None] * len(networks)
            for network, record in records.items():
                values[place[network]] = factor * record[key]
            targets.append(_common.target_frame(f"{data}_{target}", "any", values))
    names = [gnn.name(*network) for network in networks]
    graphs = cells.graphs_frame(names, "nasbench_graph", [gnn.graph(*network) for network in networks], gnn.VOCAB)
    _common.publish(NAME, out, graphs, pl.concat(targets), gnn.VOCAB, sanity)


def sanity(graphs: pl.DataFrame, targets: pl.DataFrame) -> None:
    """Known facts: no two networks are isomorphic, how many have labels, and the best accuracies."""
    _common.expect(NAME, "isomorphism classes", graphs["iso"].n_unique(), gnn.N_NETWORKS)
    _common.expect(NAME, "shapes", graphs.select("src", "dst").n_unique(), len(gnn.LINKS))
    for data, best in BEST.items():
        for target, known in zip(("val_acc", "test_acc"), best, strict=True):
            values = _common.values_of(targets, f"{data}_{target}")
            n = N_PROTEINS if data == "proteins" else gnn.N_NETWORKS
            _common.expect(NAME, f"labels {data}_{target}", len(values), n)
            _common.expect(NAME, f"best {data}_{target}", values.max(), known, 1e-4)


def _read(path: Path) -> dict[tuple[tuple[int, ...], tuple[str, ...]], dict[str, float]]:
    """The record of each network. Raises BenchError when the file holds anything else."""
    content = unpickle.load(path, unpickle_numpy.ALLOWED)
    keys = {key for key, _ in COLUMNS.values()}
    try:
        for key, record in content.items():
            if type(key) is not int or any(type(record[k]) is not float or not 0 < record[k] < 1e3 for k in keys):
                raise ValueError(f"entry {key!r} lacks accuracies and a latency")
        return {gnn.decode(key): record for key, record in content.items()}
    except (AttributeError, TypeError, KeyError, ValueError) as error:
        raise BenchError(f"{path}: not networks of NAS-Bench-Graph: {error}; fetch it again") from error


if __name__ == "__main__":
    _common.cli(NAME, convert)
