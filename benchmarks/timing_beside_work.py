"""Labels measured again, on a quiet machine and beside other work: how far apart, in what time, and is it said?

    python -m benchmarks.timing_beside_work [--per-family 3] [--platform ort-cpu-fp32-1t] [--period-s 10]

Every network is timed twice, in rounds beside each other. Other work: one busy process a core, for half of the time in
turns of `--period-s`, then all of the time. Leave the machine alone meanwhile.
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from pipeline.config import datasets
from pipeline.core import io
from pipeline.core.errors import run_cli
from pipeline.measure import families, run
from pipeline.measure.table import retest
from pipeline.measure.timing import Settings
from pipeline.report.format import markdown

LOADS = {"none": 0.0, "half of the time": 0.5, "all of the time": 1.0}
HEADER = ["Busy", "Networks", "Apart: mean, %", "Most, %", "Timings not settled", "Seconds", "Times quiet"]


def work(core: int, share: float, period_s: float) -> None:
    """Keep a core busy for a share of each period, for ever."""
    os.sched_setaffinity(0, {core})
    while True:
        end = time.monotonic() + share * period_s
        while time.monotonic() < end:
            pass
        time.sleep((1 - share) * period_s)


@contextlib.contextmanager
def load(share: float, period_s: float) -> Iterator[None]:
    """Busy processes, one a core, while the block runs."""
    cores = os.sched_getaffinity(0) if share else ()
    processes = [multiprocessing.Process(target=work, args=(core, share, period_s), daemon=True) for core in cores]
    for process in processes:
        process.start()
    try:
        yield
    finally:
        for process in processes:
            process.kill()


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--per-family", type=int, default=3)
    parser.add_argument("--platform", default="ort-cpu-fp32-1t")
    parser.add_argument("--period-s", type=float, default=10.0)
    args = parser.parse_args()
    lines, quiet_s = [], None
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for family in datasets.get("measured").families:
            for k, model in enumerate(families.variants(family, args.per_family, seed=0)):
                io.write_bytes(folder / "networks" / family / f"{k}.onnx", model.SerializeToString())
        for words, share in LOADS.items():
            start = time.monotonic()
            with load(share, args.period_s):
                table = run.measure_all(
                    run.find(folder / "networks"), args.platform, folder / f"{share}.parquet", Settings(), again=1.0
                )
            seconds = time.monotonic() - start
            quiet_s = quiet_s or seconds
            change, marked = retest(table), (~table["settled"]).sum()
            figures = [f"{change.mean():.2f}", f"{change.max():.1f}", f"{marked} of {len(table)}"]
            lines.append([words, str(len(change)), *figures, f"{seconds:.0f}", f"{seconds / quiet_s:.2f}"])
    print("\n".join(markdown(HEADER, lines)))


if __name__ == "__main__":
    run_cli(main)
