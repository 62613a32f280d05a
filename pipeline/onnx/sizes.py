"""Options that command lines reading ONNX files share: sizes that a file leaves open. Light to import."""

from __future__ import annotations

import argparse

from pipeline.core.errors import BenchError


def add_sizes(parser: argparse.ArgumentParser) -> None:
    """Add --batch-size and --dim."""
    parser.add_argument("--batch-size", type=int, help="instead of the file's own")
    parser.add_argument(
        "--dim",
        action="append",
        default=[],
        metavar="NAME=SIZE",
        help="size of an open dimension; NAME may be INPUT:AXIS",
    )


def dims(args: argparse.Namespace) -> dict[str, int]:
    """The sizes given with --dim, by name. Raises BenchError when one, or --batch-size, is no size."""
    sizes: dict[str, int] = {}
    for text in args.dim:
        name, _, size = text.rpartition("=")
        if not name or not size.strip().isascii() or not size.strip().lstrip("+-").isdigit():
            raise BenchError(f"--dim {text}: not NAME=SIZE with a whole number")
        if sizes.setdefault(name, int(size)) != int(size):
            raise BenchError(f"--dim gives {name} the sizes {sizes[name]} and {int(size)}; give one of them")
    if args.batch_size is not None and args.batch_size < 1 or any(size < 1 for size in sizes.values()):
        raise BenchError("--batch-size and --dim: sizes start at 1")
    return sizes
