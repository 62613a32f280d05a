"""The one error a user can cause, and the wrapper that prints it as one line."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable


class BenchError(Exception):
    """Bad input. The message is one line: which file, what is wrong, what to do."""


def one_line(error: object) -> str:
    """What an error says, on one line."""
    return " ".join(str(error).split())


def run_cli(main: Callable[[], int | None]) -> None:
    """Run ``main`` and exit with its status; a `BenchError` prints as one line on stderr and exits 1.

    A reader that leaves early, such as ``head``, ends the program without a word.
    """
    try:
        status = main()
        sys.stdout.flush()
    except BenchError as error:
        print(f"error: {one_line(error)}", file=sys.stderr)
        status = 1
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is still buffered goes nowhere
        status = 141
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        status = 130
    sys.exit(status or 0)
