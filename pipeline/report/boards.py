"""Every board and the front page, from the scores that are there: python -m pipeline.report.boards [--check]

No data and no predictions are needed. `--front-page` does the front page alone. With --check nothing is written: it
fails unless every page follows from the scores.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from pipeline.core import io
from pipeline.core.errors import BenchError, run_cli
from pipeline.report import front_page, report
from pipeline.score import scores as score_numbers


def remake(results: Path, name: str, data: Path, check: bool) -> None:
    """Write, or check, the board called `name` in the folder `results`."""
    out = results / name
    scores = score_numbers.load(front_page.grid_file(name), out / "scores.parquet")
    attention = out / "attention.parquet"
    if check:
        report.check(scores, out)
    else:
        report.write(scores, out, data, attention if attention.is_file() else None)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.report.boards", description=__doc__.partition(":")[0])
    arguments(parser)
    run(parser.parse_args())


def arguments(parser: argparse.ArgumentParser) -> None:
    """Let `parser` take what `run` needs."""
    parser.add_argument("--results", default=Path("results"), type=Path, help="folder of the boards")
    parser.add_argument("--data", default=Path("data"), type=Path, help="folder with parquet/ and splits/, if any")
    parser.add_argument("--front-page", action="store_true", help="the front page alone")
    parser.add_argument("--check", action="store_true", help="write nothing; fail unless all follow from the scores")
    parser.add_argument("--jobs", type=int, default=1, help="boards at a time")


def run(args: argparse.Namespace) -> None:
    """Write or check the boards that the command line asks for. Raises BenchError; `args` as `arguments` has them."""
    every = front_page.board_names(args.results)
    if not every and not (args.front_page and any(args.results.glob("*/scores.parquet"))):
        raise BenchError(f"{args.results}: no board of a grid in config/; run a grid first")
    names = [] if args.front_page else every
    tasks = [(args.results, name, args.data, args.check) for name in names]
    if args.jobs > 1:  # not by fork, which polars does not survive
        with ProcessPoolExecutor(args.jobs, mp_context=get_context("spawn")) as pool:
            for done in [pool.submit(remake, *task) for task in tasks]:
                done.result()
    else:
        for task in tasks:
            remake(*task)
    pages = front_page.pages(args.results)
    if args.check:
        report.check_files(pages)
        print(f"{args.results}: {', '.join([*names, 'the front page'])} follow from the scores")
    else:
        for path, content in pages.items():
            io.write_bytes(path, content)


if __name__ == "__main__":
    run_cli(main)
