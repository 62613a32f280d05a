"""NNLQP, multi-platform: 10,597 latencies of up to 2,000 networks of 10 families on 9 platforms, batch size 8.

Source: dataset.tar.gz (folder multi_platform) of the release v1.0-data of github.com/ModelTC/NNLQP, with its own
train/test marks.
"""

from pathlib import Path

import polars as pl

from pipeline.convert import _common, nnlqp

NAME = "nnlqp_multi"
VERSION = "1"
N_LABELS = 10_597
PLATFORMS = frozenset(nnlqp.PLATFORMS.values()) - {nnlqp.PLATFORMS[1]}


def convert(raw: Path, out: Path) -> None:
    """Convert the archive in `raw` to graphs.parquet and targets.parquet in `out`. Raises BenchError."""
    graphs, targets, meta = read(raw)
    sanity(graphs, targets)
    nnlqp.publish(NAME, VERSION, out, graphs, targets, meta)


def read(raw: Path, workers: int | None = None) -> tuple[pl.DataFrame, pl.DataFrame, dict]:
    """Graphs, targets and metadata of the archive in `raw`."""
    return nnlqp.tables([nnlqp.read_part(raw / "dataset.tar.gz", "multi_platform")], workers)


def sanity(graphs: pl.DataFrame, targets: pl.DataFrame) -> None:
    """Known facts: the number of labels, the nine platforms, and that every label has a train/test mark."""
    _common.expect(NAME, "number of labels", targets.height, N_LABELS)
    _common.expect(NAME, "platforms", set(targets["device"]), set(PLATFORMS))
    _common.expect(NAME, "labels without a train/test mark", targets["stage"].null_count(), 0)


if __name__ == "__main__":
    _common.cli(NAME, convert)
