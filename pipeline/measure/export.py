"""Timings in NNLQP's format: python -m pipeline.measure.export --networks DIR --timed FILE.parquet --out FILE.tar.gz

The archive holds `<folder>/gt.txt` and the models it names, `<folder>/onnx/<family>/<name>.onnx`, without weights. A
line of gt.txt is `graph-id onnx-path batch-size latency-ms family platform-id` (Liu et al., NNLQP, ICPP 2022, release
v1.0-data); the ids of platforms are those of `pipeline.measure.platforms`. `pipeline.convert.nnlqp` reads it.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io as streams
import tarfile
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from pipeline.core import io
from pipeline.core.errors import BenchError, run_cli
from pipeline.measure import platforms


def export(networks: Path, timed: Sequence[Path], out: Path, folder: str = "measured") -> int:
    """Write the first pass of the tables `timed` and the networks they name, and return the number of labels.

    The same tables give the same bytes. Raises BenchError when a network is not the one that was timed.
    """
    parts = [_labels(path) for path in timed]
    labels = pl.concat(parts)
    names = sorted(set(labels["network"]))
    sums = dict(labels.select("network", "sha256").iter_rows())
    ids = {name: number for number, name in enumerate(names)}
    lines = [
        f"{ids[name]:05d} onnx/{name}.onnx 1 {latency!r} {name.partition('/')[0]} {platform}"
        for name, latency, platform in labels.select("network", "latency_ms", "platform").iter_rows()
    ]
    buffer = streams.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0) as packed, tarfile.open(fileobj=packed, mode="w") as archive:
        _add(archive, f"{folder}/gt.txt", ("\n".join(lines) + "\n").encode())
        for name in names:
            path = networks / f"{name}.onnx"
            content = io.read_bytes(path)
            if hashlib.sha256(content).hexdigest() != sums[name]:
                raise BenchError(f"{path}: not the network that was timed; generate it again")
            _add(archive, f"{folder}/onnx/{name}.onnx", content)
    io.write_bytes(out, buffer.getvalue())
    return len(lines)


def _labels(path: Path) -> pl.DataFrame:
    """network, sha256, latency_ms, platform (id) of what was timed well in the first pass."""
    platform = platforms.get(io.read_meta(path).get("platform", str(path)))
    table = io.read_parquet(path).filter(pl.col("pass") == 1, pl.col("status") == "ok").sort("network")
    return table.select("network", "sha256", "latency_ms", platform=pl.lit(platform.nnlqp_id))


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, streams.BytesIO(content))


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.measure.export", description=__doc__.partition("\n")[0])
    parser.add_argument("--networks", type=Path, required=True, help="folder of the networks that were timed")
    parser.add_argument("--timed", type=Path, required=True, nargs="+", help="tables of pipeline.measure.run")
    parser.add_argument("--folder", default="measured", help="folder inside the archive")
    parser.add_argument("--out", type=Path, required=True, help="archive to write, .tar.gz")
    args = parser.parse_args()
    print(f"{args.out}: {export(args.networks, args.timed, args.out, args.folder)} labels")


if __name__ == "__main__":
    run_cli(main)
