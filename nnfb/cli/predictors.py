"""List the predictors: those of this package, and those that installed packages bring."""

from __future__ import annotations

import argparse
import json

EXAMPLES = """  nnfb predictors
  nnfb predictors --json
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Let `parser` take what `run` needs."""
    parser.add_argument("--json", action="store_true", help="JSON")


def run(args: argparse.Namespace) -> None:
    """Print the list."""
    from nnfb.listing import list_predictors

    rows = list_predictors().to_dicts()
    if args.json:
        print(json.dumps(rows, indent=1))
    else:
        outside = {row["predictor"]: "" if row["package"] == "nnfb" else f" [{row['package']}]" for row in rows}
        print("\n".join(f"{row['predictor']:18} {row['about']}{outside[row['predictor']]}" for row in rows))
