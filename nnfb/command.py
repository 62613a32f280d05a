"""The command `nnfb`: one word for each thing that people do, each thin over a Python function.

A subcommand is a module of `nnfb.cli`, imported when it is asked for: the list of them costs no import.
"""

from __future__ import annotations

import argparse
import importlib
import sys

from nnfb import __version__
from pipeline.core.errors import run_cli

SUBCOMMANDS = {
    "leaderboard": "run a grid: fetch, convert, measure, split, train, score, report (in a clone)",
    "predict": "latency of a network on every chip that came with the package, or from a saved predictor",
    "graph": "operations, shapes and costs of ONNX files",
    "measure": "time an ONNX file on this machine",
    "report": "write the boards again, from their scores (in a clone)",
    "datasets": "the data sets; fetch and convert one",
    "predictors": "the predictors, of installed packages too",
    "estimate": "what a grid would cost here (in a clone)",
    "check": "is a result from outside complete and right?",
    "completion": "completion for bash, zsh or tcsh",
}
EXIT = """exit status:
  0    done
  1    bad input, or a file among several was refused: one line on stderr says which file, what is wrong, what to do
  2    the command line is not understood
  130  interrupted (Ctrl-C)
  141  the reader of the output left early
"""


def usage() -> str:
    """What `nnfb --help` prints."""
    width = max(map(len, SUBCOMMANDS))
    lines = [f"  {name:{width}}  {about}" for name, about in SUBCOMMANDS.items()]
    head = ["usage: nnfb [--help] [--version] COMMAND ...", "", "Performance predictors of neural networks."]
    return "\n".join([*head, "", "commands:", *lines, "", "nnfb COMMAND --help has examples.", "", EXIT])


def parser_of(name: str) -> argparse.ArgumentParser:
    """The parser of a subcommand; its default `run` is the function that does the work."""
    module = importlib.import_module(f"nnfb.cli.{name}")
    made = argparse.ArgumentParser(
        prog=f"nnfb {name}",
        description=(module.__doc__ or "").partition("\n")[0],
        epilog=f"examples:\n{module.EXAMPLES}\n{EXIT}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    module.arguments(made)
    made.set_defaults(run=module.run)
    return made


def dispatch() -> int | None:
    """Run the subcommand that `sys.argv` names."""
    words = sys.argv[1:]
    if not words or words[0] in ("-h", "--help"):
        print(usage())
        return 0 if words else 2
    if words[0] == "--version":
        print(f"nnfb {__version__}")
        return 0
    if words[0] not in SUBCOMMANDS:
        print(f"nnfb: no command {words[0]!r}; known: {', '.join(SUBCOMMANDS)}", file=sys.stderr)
        return 2
    args = parser_of(words[0]).parse_args(words[1:])
    status: int | None = args.run(args)
    return status


def main() -> None:
    """The entry point of the console script."""
    run_cli(dispatch)
