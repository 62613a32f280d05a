"""NNLQP archive to canonical Parquet, on an archive of generated networks: time, memory, size.

    python -m benchmarks.nnlqp_archive [--networks N] [--workers N]

Prints seconds of the conversion, peak memory of all its processes (proportional set size, sampled), and the size of the
Parquet file beside that of the ONNX files.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import tempfile
import threading
import time
from pathlib import Path

from pipeline.convert import nnlqp
from tests.helpers.onnx_networks import networks
from tests.helpers.tar_files import write_tar_gz


def main() -> None:
    """Write the archive, convert it, print the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.nnlqp_archive", description=__doc__.partition("\n")[0])
    parser.add_argument("--networks", type=int, default=2000)
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        raw, out = Path(folder) / "dataset.tar.gz", Path(folder) / "parquet"
        onnx_bytes = write_archive(raw, args.networks)
        peak = PeakMemory()
        start = time.perf_counter()
        with peak:
            graphs, targets, meta = nnlqp.tables([nnlqp.read_part(raw, "unseen_structure")], args.workers)
            nnlqp.publish("nnlqp_unseen", "1", out, graphs, targets, meta)
        seconds = time.perf_counter() - start
        parquet_bytes = sum(path.stat().st_size for path in out.iterdir())
    nodes = graphs["n_nodes"].sum()
    print(f"{args.networks} networks, {nodes:,} nodes, {onnx_bytes / 1e6:.1f} MB of ONNX, {args.workers} workers")
    print(f"{seconds:.1f} s, peak memory {peak.bytes / 1e6:.0f} MB of all processes")
    print(f"Parquet {parquet_bytes / 1e6:.2f} MB, {parquet_bytes / onnx_bytes:.1%} of the ONNX files")


def write_archive(path: Path, count: int) -> int:
    """Write an archive in NNLQP's layout with made-up latencies; returns the bytes of its ONNX files."""
    members, lines = {}, []
    for index, (family, content) in enumerate(networks(count)):
        name = f"onnx/{family}/{family}_{index:05d}.onnx"
        members[f"unseen_structure/{name}"] = content
        lines.append(f"{index + 1:05d} {name} 1 {1 + index / 1000} {family} 1 {'test' if index % 10 == 0 else 'train'}")
    members["unseen_structure/gt.txt"] = "\n".join(lines).encode()
    write_tar_gz(path, members)
    return sum(len(content) for name, content in members.items() if name.endswith(".onnx"))


class PeakMemory:
    """Samples the memory of this process and its children while it is entered; `bytes` is the largest sum seen."""

    def __init__(self) -> None:
        self.bytes = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample)

    def __enter__(self) -> PeakMemory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._stop.wait(0.2):
            pids = [os.getpid(), *_children(os.getpid())]
            self.bytes = max(self.bytes, sum(_memory(pid) for pid in pids))


def _children(pid: int) -> list[int]:
    children = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):
            children += [int(child) for child in (task / "children").read_text().split()]
    return children + [grandchild for child in children for grandchild in _children(child)]


def _memory(pid: int) -> int:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0


if __name__ == "__main__":
    main()
