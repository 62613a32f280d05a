"""What a grid will cost before it is run, from the times in the scores of a clone."""

from __future__ import annotations

import argparse

from pipeline.plan import estimate

EXAMPLES = """  nnfb estimate --grid config/full/paper.yaml
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Let `parser` take what `run` needs."""
    estimate.arguments(parser)


def run(args: argparse.Namespace) -> None:
    """Print the estimate. Raises BenchError."""
    estimate.run(args)
