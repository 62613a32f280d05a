"""NNLQP on an FPGA (Ultra96-V2, Vitis-AI 1.4, int8): only the networks that its compiler accepts.

Source: dataset2.tar.gz (folder fpga) of the release v1.0-data of github.com/ModelTC/NNLQP.
"""

from pathlib import Path

import polars as pl

from pipeline.convert import _common, nnlqp

NAME = "nnlqp_fpga"
VERSION = "1"
DEVICE = "xilinx_ultra96_vitisai_int8"


def convert(raw: Path, out: Path) -> None:
    """Convert the archive in `raw` to graphs.parquet and targets.parquet in `out`. Raises BenchError."""
    graphs, targets, meta = read(raw)
    sanity(graphs, targets)
    nnlqp.publish(NAME, VERSION, out, graphs, targets.with_columns(device=pl.lit(DEVICE)), meta)


def read(raw: Path, workers: int | None = None) -> tuple[pl.DataFrame, pl.DataFrame, dict]:
    """Graphs, targets and metadata of the archive in `raw`."""
    return nnlqp.tables([nnlqp.read_part(raw / "dataset2.tar.gz", "fpga")], workers)


def sanity(graphs: pl.DataFrame, targets: pl.DataFrame) -> None:
    """Known fact: one platform, whatever number gt.txt gives it."""
    _common.expect(NAME, "number of platforms", targets["device"].n_unique(), 1)


if __name__ == "__main__":
    _common.cli(NAME, convert)
