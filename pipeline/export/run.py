"""timm's networks as one table of graphs: python -m pipeline.export.run --tables DIR --work DIR --out FILE.parquet

The networks are those of timm's own benchmark tables in the folder of tables, each at every image size timed, smallest
first; one whose branches are merged for inference stands in the table a second time as deployed. A process of its own
makes a batch of ONNX files without weights in the folder of work. A file that is there is not made again, so a run that
was cut short goes on; the log there (made.jsonl) has a line for each network tried.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import select
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl
from tqdm import tqdm

from pipeline.core.errors import BenchError, run_cli
from pipeline.export.files import LOG, Network, read_log
from pipeline.export.table import write_tables

COMMAND = (sys.executable, "-m", f"{__package__}.worker")
BATCH = 300  # networks one process makes before a fresh one takes over
TIMEOUT_S = 900.0  # of one network
MOST_PARAMS_M = 100.0


def wanted(tables: Path, most_params_m: float = MOST_PARAMS_M) -> list[Network]:
    """Every network of the tables `benchmark-infer-*.csv` below `most_params_m` million parameters, smallest first.

    Raises BenchError when there is no table.
    """
    paths = sorted(tables.glob("benchmark-infer-*.csv"))
    if not paths:
        raise BenchError(f"{tables}: no table benchmark-infer-*.csv; fetch the data set first")
    columns = ["model", "infer_img_size", "param_count"]
    rows = pl.concat([pl.read_csv(path, columns=columns).select(columns) for path in paths])
    least = rows.group_by("model", "infer_img_size").agg(pl.col("param_count").min())
    small = least.filter(pl.col("param_count") < most_params_m).sort("param_count", "model", "infer_img_size")
    return [Network(name, size) for name, size, _ in small.iter_rows()]


def make(networks: Sequence[Network], folder: Path, retry: bool = False) -> None:
    """Make the files that `folder` lacks; with `retry` those too that failed before."""
    tried = {} if retry else read_log(folder)
    missing = [network for network in networks if not network.file(folder).exists() and network not in tried]
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOG).open("a") as log, contextlib.closing(answers(missing, folder)) as found:
        for network, answer in tqdm(found, total=len(missing), unit="network", mininterval=5):
            print(json.dumps({"name": network.name, "size": network.size, **answer}), file=log, flush=True)


def answers(networks: Sequence[Network], folder: Path) -> Iterator[tuple[Network, dict]]:
    """What a worker says of each network; one that dies or takes too long costs one network."""
    process, served = None, 0
    try:
        for network in networks:
            if process is None or served >= BATCH:
                _end(process)
                process, served = _start(), 0
            served += 1
            process.stdin.write(f"{network.name} {network.size} {network.file(folder)}\n".encode())
            process.stdin.flush()
            in_time = select.select([process.stdout], [], [], TIMEOUT_S)[0]
            line = process.stdout.readline() if in_time else b""
            if line.endswith(b"\n"):
                yield network, json.loads(line)
                continue
            _end(process)
            process = None
            yield network, {"message": "its process died" if in_time else f"took longer than {TIMEOUT_S:g} s"}
    finally:
        _end(process)


def _start() -> subprocess.Popen:
    return subprocess.Popen(COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


def _end(process: subprocess.Popen | None) -> None:
    if process is not None:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.export.run", description=__doc__.partition("\n")[0])
    parser.add_argument("--tables", type=Path, required=True, help="folder of timm's benchmark tables")
    parser.add_argument("--work", type=Path, required=True, help="folder of the ONNX files")
    parser.add_argument("--out", type=Path, required=True, help="table of graphs; a list of networks goes beside it")
    parser.add_argument("--most-params-m", type=float, default=MOST_PARAMS_M, help="million parameters (%(default)s)")
    parser.add_argument("--retry", action="store_true", help="try again what failed")
    args = parser.parse_args()
    networks = wanted(args.tables, args.most_params_m)
    make(networks, args.work, args.retry)
    print(f"{args.out}: {write_tables(networks, args.work, args.out)} graphs of {len(networks)} networks")


if __name__ == "__main__":
    run_cli(main)
