"""Write every board and the front page of a clone again, from the scores that are there."""

from __future__ import annotations

import argparse

from nnfb.errors import BenchError
from pipeline.report import boards

EXAMPLES = """  nnfb report
  nnfb report --check
  nnfb report --results results --jobs 2
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Let `parser` take what `run` needs."""
    boards.arguments(parser)


def run(args: argparse.Namespace) -> None:
    """Write or check the boards. Raises BenchError where there are no scores."""
    if not any(args.results.glob("*/scores.parquet")):
        raise BenchError(
            f"{args.results}: no <grid>/scores.parquet; run this in a clone of the project, or a grid first"
        )
    boards.run(args)
