"""Latency of an ONNX network on a device, with an interval, from a saved predictor."""

from __future__ import annotations

import argparse
from pathlib import Path

from pipeline.predict import model

EXAMPLES = """  nnfb predict --list
  nnfb predict MODEL.onnx
  nnfb predict MODEL.onnx --device ort-cpu-fp32-1t --batch-size 8 --json
  nnfb predict MODEL.onnx --measure
"""
HERE = Path("results/models")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Let `parser` take what `run` needs."""
    model.arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Print a prediction."""
    if args.models is None and HERE.is_dir():
        args.models = HERE
    return model.run(args)
