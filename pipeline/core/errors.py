"""The one error a user can cause, and the wrapper that prints it as one line."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import reprlib
import sys
from collections.abc import Callable

_SHORTER = reprlib.Repr()
_SHORTER.maxstring = _SHORTER.maxother = _SHORTER.maxlong = 80
_SHORTER.maxlist = _SHORTER.maxdict = 20
LONGEST = 500  # letters of a message that is quoted


class BenchError(Exception):
    """Bad input. The message is one line: which file, what is wrong, what to do."""


def short(value: object) -> str:
    """A value from a file as it may stand in a message: cut where it is long."""
    return _SHORTER.repr(value)


def one_line(error: object) -> str:
    """What an error says, on one line."""
    return " ".join(str(error).split())


def quoted(message: object) -> str:
    """What a message from elsewhere says, on one line and cut where it is long."""
    text = one_line(message)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def run_cli(main: Callable[[], int | None]) -> None:
    """Run ``main`` and exit with its status; a `BenchError` prints as one line on stderr and exits 1.

    A reader that leaves early, such as ``head``, ends the program without a word. Letters that the terminal lacks are
    spelled out.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            with contextlib.suppress(OSError):  # one that is read as well, and can't seek, stays as it is
                stream.reconfigure(errors="backslashreplace")
    try:
        status = main()
        if sys.stdout is not None:
            sys.stdout.flush()
    except BenchError as error:
        print(f"error: {one_line(error)}", file=sys.stderr)
        status = 1
    except BrokenPipeError:
        _drop_output()
        status = 141
    except OSError as error:
        if error.errno != errno.ENOSPC or error.filename is not None:
            raise
        _drop_output()
        print("error: the answer can't be written: no space left on device; free some space", file=sys.stderr)
        status = 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        status = 130
    sys.exit(status or 0)


def _drop_output() -> None:
    """What is still to be written on stdout goes nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
