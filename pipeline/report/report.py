"""Scores to a board: python -m pipeline.report --scores results/G/scores.parquet --grid config/G.yaml --out results/G

Writes leaderboard.md, .html and .csv, metrics.json and plots/. The same scores give the same bytes. With --check
nothing is written: it fails unless the files that are there follow from the scores.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from pipeline.config import datasets, tuned_on
from pipeline.config import grid as grids
from pipeline.core import io
from pipeline.core.errors import BenchError
from pipeline.report import csv_rows, html, page, questions
from pipeline.report.plots import draw
from pipeline.score import label_noise, published, score_table
from pipeline.score.tables import Table, tables_of


def metrics_json(
    found: list[Table], figures: list[published.Figure], labels_noise: list[label_noise.Noise] = ()
) -> dict:
    """{dataset/scored_on: {predictor: {size: tau}}} on the main split, mean over seeds (and devices), and `summary`.

    Under a protocol other than direct its name stands between: nasbench201/tnasp/test_acc. Empty cells are left out.
    """
    nested: dict = {"summary": questions.summary(found, figures, labels_noise)}
    for table in found:
        protocol = "" if table.protocol == "direct" else f"{table.protocol}/"
        at = nested.setdefault(f"{table.dataset}/{protocol}{table.scored_on}", {})
        for predictor in table.predictors:
            for size in table.sizes:
                mean = table.stat(predictor, size, "kendall_tau", table.split).mean
                if mean is not None:
                    at.setdefault(predictor, {})[size.fraction] = round(mean, 6)
    return nested


def texts(content: page.Content, out: Path, root_board: Path | None) -> dict[Path, bytes]:
    """Every text file of the board, by its path."""
    made = {
        place: page.page(content, place, out).encode() for place in filter(None, (out / "leaderboard.md", root_board))
    }
    rows = csv_rows.rows(content.tables, content.figures)
    made[out / "leaderboard.html"] = html.page(content, rows).encode()
    made[out / "leaderboard.csv"] = rows.write_csv(float_precision=6).encode()
    made[out / "metrics.json"] = (
        json.dumps(metrics_json(content.tables, content.figures, content.noise), indent=2) + "\n"
    ).encode()
    return made


def check(made: dict[Path, bytes]) -> None:
    """Raise BenchError naming the first line of the first file that is not what the scores say."""
    for path, content in made.items():
        try:
            there = path.read_bytes()
        except OSError as error:
            raise BenchError(f"{path}: cannot read: {error.strerror}; run the report step") from error
        if there != content:
            ours, theirs = content.decode().splitlines(), there.decode(errors="replace").splitlines()
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
    parser.add_argument("--root-board", type=Path, help="also write the board here, e.g. results/leaderboard.md")
    parser.add_argument("--attention", type=Path, help="table of pipeline.train.attention, to draw")
    parser.add_argument(
        "--check", action="store_true", help="write nothing; fail unless the board follows from the scores"
    )
    args = parser.parse_args()
    if args.root_board and args.root_board.parent.resolve() != args.out.parent.resolve():
        raise BenchError(f"--root-board {args.root_board}: must be in the folder that holds {args.out}")
    grid, rows = grids.load_grid(args.grid), score_table.read(args.scores)
    tables, figures = tables_of(grid, rows, datasets.load(), args.scores), published.load()
    folder = args.out / "plots"
    if args.check:
        pictures = draw.found(tables, grid, folder)
    else:
        pictures = draw.draw(tables, grid, args.data, folder, figures, args.attention)
    labels_noise = label_noise.parse(io.read_meta(args.scores).get("noise"))
    others = questions.elsewhere(args.root_board.parent, args.out.name) if args.root_board else {}
    content = page.Content(grid, rows, tables, figures, labels_noise, pictures, others, tuned_on.load())
    made = texts(content, args.out, args.root_board)
    if args.check:
        check(made)
        print(f"{args.out}: follows from {args.scores}")
        return
    for path, text in made.items():
        io.write_bytes(path, text)
