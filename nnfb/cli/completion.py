"""Print a completion script for a shell."""

from __future__ import annotations

import argparse

EXAMPLES = """  nnfb completion bash > ~/.local/share/bash-completion/completions/nnfb
  nnfb completion zsh > FOLDER_OF_FPATH/_nnfb
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Let `parser` take what `run` needs."""
    parser.add_argument("shell", choices=["bash", "zsh", "tcsh"])


def run(args: argparse.Namespace) -> None:
    """Print the script."""
    import importlib

    import shtab

    from nnfb.command import SUBCOMMANDS

    whole = argparse.ArgumentParser(prog="nnfb")
    commands = whole.add_subparsers()
    for name, about in SUBCOMMANDS.items():
        importlib.import_module(f"nnfb.cli.{name}").arguments(commands.add_parser(name, help=about))
    print(shtab.complete(whole, args.shell))
