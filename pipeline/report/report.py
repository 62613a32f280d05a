"""Scores to a board: python -m pipeline.report --scores results/G/scores.parquet --grid config/G.yaml --out results/G

Writes leaderboard.md with its pictures in plots/, metrics.json, and html/: the sortable board, all numbers as CSV and
every figure as SVG with its data. The same scores give the same bytes. With --check nothing is written: it fails unless
leaderboard.md and metrics.json follow from the scores.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from pipeline.config import tuned_on
from pipeline.core import io
from pipeline.core.errors import BenchError
from pipeline.report import csv_rows, html, page
from pipeline.report.plots import draw
from pipeline.score import scores as score_numbers
from pipeline.score.metrics_json import metrics_json
from pipeline.score.scores import Scores


def committed_files(content: page.Content, out: Path) -> dict[Path, bytes]:
    """The text files of a board that git keeps, by their path."""
    numbers = json.dumps(metrics_json(content.scores), indent=2) + "\n"
    return {out / "leaderboard.md": page.page(content).encode(), out / "metrics.json": numbers.encode()}


def html_files(content: page.Content, out: Path) -> dict[Path, bytes]:
    """The sortable board and its rows, by their path."""
    rows = csv_rows.rows(content.scores)
    return {
        out / "html" / "leaderboard.html": html.page(content, rows).encode(),
        out / "html" / "leaderboard.csv": rows.write_csv(float_precision=6).encode(),
    }


def write(scores: Scores, out: Path, data: Path, attention: Path | None = None) -> None:
    """Write the whole board to `out`. `data`: folder with parquet/ and splits/, for figures that need labels."""
    content = page.Content(scores, draw.draw(scores, data, out, attention), tuned_on.load())
    for path, text in (committed_files(content, out) | html_files(content, out)).items():
        io.write_bytes(path, text)


def check(scores: Scores, out: Path) -> None:
    """Raise BenchError unless the committed files in `out` follow from the scores."""
    content = page.Content(scores, draw.committed_pictures(scores, out), tuned_on.load())
    check_files(committed_files(content, out))


def check_files(expected: dict[Path, bytes]) -> None:
    """Raise BenchError naming the first line of the first file that is not what the scores say."""
    for path, content in expected.items():
        try:
            written = path.read_bytes()
        except OSError as error:
            raise BenchError(f"{path}: cannot read: {error.strerror}; run the report step") from error
        if written != content:
            ours, theirs = content.decode().splitlines(), written.decode(errors="replace").splitlines()
            pairs = zip([*ours, None], [*theirs, None], strict=False)
            line = next((i for i, (a, b) in enumerate(pairs, 1) if a != b), min(len(ours), len(theirs)))
            raise BenchError(f"{path}: line {line} does not follow from the scores; run the report step, don't edit it")


def main() -> None:
    """Command line of the reporting step."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.report", description="Write the board of a grid.")
    parser.add_argument("--scores", required=True, type=Path, help="table of scores (pipeline.score.score)")
    parser.add_argument("--grid", required=True, type=Path, help="the grid the scores are of")
    parser.add_argument("--data", default=Path("data"), type=Path, help="folder with parquet/ and splits/")
    parser.add_argument("--out", required=True, type=Path, help="folder of the board, e.g. results/benchmark")
    parser.add_argument("--attention", type=Path, help="table of pipeline.train.attention, to draw")
    parser.add_argument(
        "--check", action="store_true", help="write nothing; fail unless the board follows from the scores"
    )
    args = parser.parse_args()
    scores = score_numbers.load(args.grid, args.scores)
    if args.check:
        check(scores, args.out)
        print(f"{args.out}: follows from {args.scores}")
    else:
        write(scores, args.out, args.data, args.attention)
