"""List the data sets, or fetch and convert one into the cache and say what is in it."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

EXAMPLES = """  nnfb datasets
  nnfb datasets nasbench201
  nnfb datasets nasbench201 --mirror FOLDER
  nnfb datasets nasbench201 --croissant > croissant.json
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Let `parser` take what `run` needs."""
    parser.add_argument("name", nargs="?", help="a data set to get")
    parser.add_argument("--mirror", type=Path, help="folder of source files (default: the variable BENCH_MIRROR)")
    parser.add_argument("--croissant", action="store_true", help="Croissant metadata of its tables")
    parser.add_argument("--json", action="store_true", help="JSON")


def run(args: argparse.Namespace) -> None:
    """Print the list, or what is in one. Raises BenchError."""
    from nnfb import data

    if args.name is None:
        rows = data.list_datasets().to_dicts()
        plain = [f"{row['dataset']:22} {row['networks']:>7} networks  {', '.join(row['targets'])}" for row in rows]
        print(json.dumps(rows, indent=1) if args.json else "\n".join(plain))
        return
    found = data.load_dataset(args.name, mirror=args.mirror)
    if args.croissant:
        from nnfb.croissant import metadata

        print(json.dumps(metadata(found.about, found.folder), indent=1))
        return
    counts = found.targets.group_by("target", "device", maintain_order=True).len().rows()
    if args.json:
        print(json.dumps({"dataset": found.name, "networks": len(found), "labels": counts}))
        return
    print(f"{found.name}, version {found.about.version}: {len(found)} networks. {found.about.description}")
    print("\n".join(f"  {target:24} {device:28} {n:>7} labels" for target, device, n in counts))
