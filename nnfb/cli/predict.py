"""Latency of a network on every chip that has a predictor, with intervals; on one of them, where the time goes."""

from __future__ import annotations

import argparse
from pathlib import Path

from pipeline.predict import command

EXAMPLES = """  nnfb predict --list
  nnfb predict MODEL.onnx
  nnfb predict timm:resnet50@224 timm:convnext_tiny --csv
  nnfb predict FIRST.onnx SECOND.onnx --compare
  nnfb predict MODEL.onnx --device rtx5090_amp_nchw_eager_pt291 --by-node
  nnfb predict MODEL.onnx --device ort-cpu-fp32-1t --batch-size 8 --json
  nnfb predict MODEL.onnx --device ort-cpu-fp32-1t --measure
"""
HERE = Path("results/models")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Let `parser` take what `run` needs."""
    command.arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Print predictions."""
    return command.run(args, HERE if HERE.is_dir() else None)
