"""Thousands of jobs on a Slurm of one node that claims to have hundreds of cores: what its scheduler bears.

    python -m benchmarks.slurm_load [--jobs 5000] [--cores 500] [--seconds 20]

Every job sleeps. Printed: how long submitting takes, as Snakemake's plugin does it (one `sbatch` a job), how long a
question takes meanwhile, and the scheduler's CPU-seconds. Needs root, Debian's slurm-wlm and munge, and memory for as
many sleeping jobs as there are cores (some 10 MB each).
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from pathlib import Path

from pipeline.report.format import markdown
from tests.helpers import slurm_cluster

HEADER = [
    "Jobs",
    "At once",
    "Submitted in, s",
    "Question, s",
    "Slowest, s",
    "All ended after, s",
    "Scheduler, CPU-s",
    "MB",
]


def cpu_s(pid: int) -> float:
    """CPU-seconds of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak_mb(pid: int) -> int:
    """Most memory that a process has had, MB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) // 1024


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.slurm_load", description=__doc__.partition("\n")[0])
    parser.add_argument("--jobs", type=int, default=5000)
    parser.add_argument("--cores", type=int, default=500, help="jobs at once")
    parser.add_argument("--seconds", type=float, default=20, help="that a job sleeps")
    args = parser.parse_args()
    if slurm_cluster.missing():
        sys.exit(f"error: {slurm_cluster.missing()}")
    asked: list[float] = []

    def left(cluster: slurm_cluster.Cluster) -> int:
        start = time.monotonic()
        jobs = len(cluster.jobs())
        asked.append(time.monotonic() - start)
        return jobs

    with slurm_cluster.slurm_cluster(args.cores) as cluster:
        scheduler, start = cluster.running["slurmctld"].pid, time.monotonic()
        command = ["sbatch", "--output=/dev/null", "--mem=1", f"--wrap=sleep {args.seconds:g}"]
        for number in range(args.jobs):
            cluster.run(*command)
            if number % 100 == 99:
                print(f"{number + 1} submitted, {left(cluster)} left", file=sys.stderr)
        submitted = time.monotonic() - start
        while jobs := left(cluster):
            print(f"{jobs} left", file=sys.stderr)
            time.sleep(10)
        figures = submitted, statistics.median(asked), max(asked), time.monotonic() - start, cpu_s(scheduler)
        row = [f"{args.jobs:,}", str(args.cores), *(f"{value:.2f}" for value in figures), str(peak_mb(scheduler))]
        print("\n".join(markdown(HEADER, [row])))


if __name__ == "__main__":
    main()
