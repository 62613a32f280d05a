"""Time of the whole report, board and all plots, from about 100,000 made-up score rows: no number here is a result.

    python -m benchmarks.report_speed [--out FOLDER] [--seeds N]

prints CPU-seconds and wall seconds of each step in one process with one thread, imports apart.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks import synthetic_scores
from pipeline.core import io
from pipeline.report import page, report
from pipeline.report.plots import draw, scatter
from pipeline.score import published, score_table
from pipeline.score.scores import Scores
from pipeline.score.tables import Table, tables_of

PANELS = 6


def scatter_panels(table: Table, *_) -> list[scatter.Panel]:
    """Made-up predictions, so that the scatter plots are drawn and timed too."""
    random = np.random.default_rng(0)
    true = random.gamma(6.0, 10.0, 3125) + 5.0
    n = PANELS if len(table.devices) > 1 else 2
    return [(f"panel {i}", true * np.exp(random.normal(0.0, 0.05 + 0.02 * i, 3125)), true) for i in range(n)]


def main() -> None:
    """Make the rows, write the board, print the times."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.report_speed", description="Time of the report step.")
    parser.add_argument("--out", type=Path, help="keep the board here (default: a temporary folder)")
    parser.add_argument("--seeds", type=int, default=3)
    args = parser.parse_args()
    grid, known = synthetic_scores.grid(args.seeds), synthetic_scores.datasets()
    draw.scatter_panels = scatter_panels
    with tempfile.TemporaryDirectory() as temporary:
        out = (args.out or Path(temporary)) / "synthetic"
        score_table.write(out / "scores.parquet", synthetic_scores.rows(grid))
        io.write_parquet(out / "attention.parquet", *synthetic_scores.attention())
        times = [("start", time.process_time(), time.perf_counter())]

        def lap(name: str) -> None:
            times.append((name, time.process_time(), time.perf_counter()))

        rows = score_table.read(out / "scores.parquet")
        scores = Scores(grid, rows, tables_of(grid, rows, known, out), published.load(), [])
        lap("read and summarise")
        pictures = draw.draw(scores, Path("data"), out, out / "attention.parquet")
        lap("plots")
        content = page.Content(scores, pictures)
        for path, text in (report.committed_files(content, out) | report.html_files(content, out)).items():
            io.write_bytes(path, text)
        lap("texts")
    n_plots = sum(map(len, pictures.values()))
    print(f"{rows.height:,} rows, {len(scores.tables)} tables, {n_plots} plots, {os.cpu_count()} cores seen")
    for (_, cpu, wall), (name, cpu_end, wall_end) in zip(times, times[1:], strict=False):
        print(f"{name}: {cpu_end - cpu:.1f} CPU-s, {wall_end - wall:.1f} s")
    print(f"in all: {times[-1][1] - times[0][1]:.1f} CPU-s, {times[-1][2] - times[0][2]:.1f} s")


if __name__ == "__main__":
    main()
