"""The one error a user can cause, and the wrapper that prints it as one line."""

from __future__ import annotations

import sys
from collections.abc import Callable


class BenchError(Exception):
    """Bad input. The message is one line: which file, what is wrong, what to do."""


def run_cli(main: Callable[[], int | None]) -> None:
    """Run ``main`` and exit with its status; a `BenchError` prints as one line on stderr and exits 1."""
    try:
        status = main()
    except BenchError as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        status = 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        status = 130
    sys.exit(status or 0)
