"""Time an ONNX file on this machine, in a process of its own, as the labels of `measured` are made."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from pipeline.core.errors import one_line
from pipeline.measure import platforms

EXAMPLES = """  nnfb measure MODEL.onnx
  nnfb measure *.onnx --platform ort-cpu-fp32 --json
"""
DEFAULT = "ort-cpu-fp32-1t"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Let `parser` take what `run` needs."""
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="weights may be missing")
    parser.add_argument("--platform", default=DEFAULT, choices=list(platforms.PLATFORMS), help="default: %(default)s")
    parser.add_argument("--json", action="store_true", help="a JSON object a line")


def run(args: argparse.Namespace) -> int:
    """Print each file's timing; 1 when one could not be timed."""
    from tqdm import tqdm

    from pipeline.measure.run import time_one

    failed = False
    for file in tqdm(args.files, desc=args.platform, unit="file", disable=None if len(args.files) > 1 else True):
        timing = time_one(file, args.platform)
        failed |= timing.status != "ok"
        if args.json:
            print(json.dumps({"file": str(file), "platform": args.platform, **asdict(timing)}))
        elif timing.status == "ok":
            busy = "; the machine was busy" if timing.busy else ""
            spread = f"quartiles {timing.q1_ms:.3f} to {timing.q3_ms:.3f}, {timing.repeats} runs{busy}"
            print(f"{file}: {timing.median_ms:.3f} ms ({spread})")
        else:
            print(f"{file}: {timing.status}: {one_line(timing.message)}")
    return int(failed)
